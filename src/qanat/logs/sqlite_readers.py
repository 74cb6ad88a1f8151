"""Groups of readers and what they acknowledged, for retention alone: nobody resumes from it.

An acknowledgement is kept in memory and written once in a while: it would cost a commit of its own, and when it is lost,
retention waits a little longer.
"""

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from qanat.clock import Clock
from qanat.errors import Fatal, Retryable
from qanat.logs.sqlite_file import LogFile
from qanat.logs.sqlite_topics import KeptPartition

WRITE_EVERY_S: Final = 1.0

_Key = tuple[int, str]


class Readers:
    """The groups that read by one handle. Any thread may use it."""

    def __init__(self, file: LogFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._guard = threading.Lock()
        self._pending: dict[_Key, int] = {}
        self._written_s = clock.monotonic()

    def acknowledge(self, reader: str, ends: Mapping[int, int]) -> None:
        """Keep up to where a group needs nothing any more, by partition id; never goes back."""
        with self._guard:
            for partition_id, offset in ends.items():
                before = self._pending.get((partition_id, reader), 0)
                self._pending[partition_id, reader] = max(before, offset)
            due = self._clock.monotonic() - self._written_s >= WRITE_EVERY_S
        if due:
            self.write_if_possible()

    def write_if_possible(self) -> None:
        """Write what is kept; when that can't be now (a full disk, a busy log), it is for the next time."""
        with suppress(Retryable, Fatal):
            self.write()

    def write(self) -> None:
        """Write what is kept.

        Raises:
            Retryable: It can't be written now.
        """
        with self._guard:
            pending = dict(self._pending)
            self._written_s = self._clock.monotonic()
        if not pending:
            return
        with self._file.writing() as connection:
            connection.executemany(
                """
                update readers
                set acknowledged = max(acknowledged, ?)
                where partition_id = ? and reader = ?
                """,
                [(offset, *key) for key, offset in pending.items()],
            )
        with self._guard:
            for key, offset in pending.items():
                if self._pending.get(key) == offset:
                    del self._pending[key]

    def drop(self, reader: str, partitions: list[KeptPartition]) -> None:
        """Forget a group."""
        keys = [(partition.id, reader) for partition in partitions]
        with self._guard:
            for key in keys:
                self._pending.pop(key, None)
        with self._file.writing() as connection:
            connection.executemany(
                "delete from readers where partition_id = ? and reader = ?", keys
            )


def enter(
    connection: sqlite3.Connection,
    reader: str,
    partitions: list[KeptPartition],
    begins: Mapping[str, int],
) -> None:
    """Enter where a group begins in the partitions that it opens; in the others, at what they hold, unless it is known there.

    Another instance of the group may be about to open those, and expects them whole.
    """
    for partition in partitions:
        if partition.name in begins:
            begin, kept = begins[partition.name], "excluded.acknowledged"
        else:
            begin, kept = partition.start, "acknowledged"
        connection.execute(
            f"""
            insert into readers (partition_id, reader, acknowledged)
            values (?, ?, ?)
            on conflict (partition_id, reader) do update set acknowledged = {kept}
            """,
            (partition.id, reader, begin),
        )
