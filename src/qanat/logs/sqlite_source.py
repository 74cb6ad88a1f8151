"""A topic of a log file as a source."""

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qanat.clock import Clock
from qanat.errors import Fatal, SourceLost
from qanat.logs import sqlite_readers, sqlite_topics
from qanat.logs.sqlite_file import LogFile
from qanat.logs.sqlite_pieces import Fetched, Piece, Wanted, fetch, joined, unpack
from qanat.logs.sqlite_process import Shared
from qanat.logs.sqlite_readers import Readers
from qanat.logs.sqlite_topics import Kept, KeptPartition
from qanat.records import Batch, Partition, Position
from qanat.tables import Topic
from qanat.topics import lost, offset_of, with_offsets

if TYPE_CHECKING:
    import pyarrow as pa


class SqliteSource:
    """A `WakingSource`. Made by `SqliteLog.source`."""

    repeats = False

    def __init__(
        self,
        file: LogFile,
        shared: Shared,
        readers: Readers,
        clock: Clock,
        topic: Topic,
        group: str,
    ) -> None:
        self._file = file
        self._shared = shared
        self._readers = readers
        self._clock = clock
        self._topic = topic
        self._group = group
        self._opened: Kept | None = None
        self._ids: dict[Partition, int] = {}
        self._next: dict[Partition, int] = {}
        self._rest: dict[Partition, Piece] = {}
        self._woken = threading.Event()
        self._closed = False

    def incarnation(self) -> str:
        with self._file.reading() as connection:
            own = sqlite_topics.get(connection, self._topic.name).incarnation
            return f"{sqlite_topics.identity(connection)}/{own}"

    def partitions(self) -> Sequence[Partition]:
        with self._file.reading() as connection:
            kept = sqlite_topics.get(connection, self._topic.name)
            return [each.name for each in sqlite_topics.partitions(connection, kept.id)]

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        self._check_usable()
        # In one transaction, so that retention can't take what we are about to begin with.
        opening = self._file.reading() if self._file.read_only else self._file.writing()
        with opening as connection:
            kept = sqlite_topics.get(connection, self._topic.name)
            partitions = sqlite_topics.partitions(connection, kept.id)
            begins = _begins(self._topic.name, partitions, start)
            if not self._file.read_only:
                sqlite_readers.enter(connection, self._group, partitions, begins)
        self._opened = kept
        self._ids = {each.name: each.id for each in partitions}
        self._next = begins
        self._rest = {}

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        deadline_s = time.monotonic() + wait_s
        while True:
            self._check_usable()
            heard = self._shared.bell.count
            batch = self._read(rows_max)
            if batch is not None:
                return batch
            left_s = deadline_s - time.monotonic()
            if self._woken.is_set() or left_s <= 0:
                self._woken.clear()
                return None
            self._shared.bell.wait(heard, min(left_s, self._shared.recheck_s))

    def wake(self) -> None:
        self._woken.set()
        self._shared.bell.ring()

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        if self._file.read_only:
            return
        known = {
            self._ids[name]: offset_of(name, position)
            for name, position in ends.items()
            if name in self._ids
        }
        self._readers.acknowledge(self._group, known)

    def lag(self) -> Mapping[Partition, int | None]:
        with self._file.reading() as connection:
            kept = self._still_there(connection)
            ends = {each.name: each.next for each in sqlite_topics.partitions(connection, kept.id)}
        return {name: max(ends.get(name, at) - at, 0) for name, at in self._next.items()}

    def close(self) -> None:
        if not self._closed and not self._file.read_only and not self._file.closed:
            self._readers.write_if_possible()
        self._closed = True
        self._rest = {}

    def _check_usable(self) -> None:
        if self._closed:
            raise Fatal("the source is closed")

    def _still_there(self, connection: sqlite3.Connection) -> Kept:
        found = sqlite_topics.find(connection, self._topic.name)
        if found is None or (self._opened is not None and found != self._opened):
            raise SourceLost(
                f"the topic {self._topic.name} isn't the one that was opened",
                hint="It was made anew. Rebuild what was made of it, or reset the progress of its readers.",
            )
        return found

    def _read(self, rows_max: int) -> Batch | None:
        fetched: dict[Partition, Fetched] = {}
        left = rows_max
        with self._file.reading() as connection:
            kept = self._still_there(connection)
            held = {each.name: each for each in sqlite_topics.partitions(connection, kept.id)}
            for name, at in self._next.items():
                if left > 0 and self._has_more(held.get(name), name, at):
                    one = fetch(connection, self._wanted(kept, held[name], at, left))
                    fetched[name] = one
                    left -= one.end - at
        if not fetched:
            return None
        rows = [self._taken(name, one) for name, one in fetched.items()]
        return Batch(
            joined(rows), {name: str(self._next[name]) for name in fetched}, self._clock.now()
        )

    def _wanted(self, kept: Kept, held: KeptPartition, at: int, rows_max: int) -> Wanted:
        def recent(first: int) -> "pa.Table | None":
            return self._shared.recent.get((kept.incarnation, held.number, first))

        return Wanted(held.id, at, rows_max, self._rest.get(held.name), recent)

    def _has_more(self, held: KeptPartition | None, name: Partition, at: int) -> bool:
        start, end = (held.start, held.next) if held else (0, 0)
        if not start <= at <= end:
            raise lost(self._topic.name, name, start, end, at)
        return at < end

    def _taken(self, name: Partition, fetched: Fetched) -> "pa.Table":
        """Unpack what was fetched, and move on.

        Whoever had a turn goes to the end of the line, so that a long partition doesn't hold up the others.
        """
        at = self._next.pop(name)
        rows, rest = unpack(fetched, at)
        self._next[name] = fetched.end
        self._rest.pop(name, None)
        if rest is not None:
            self._rest[name] = rest
        return with_offsets(rows, name, at)


def _begins(
    topic: str, partitions: list[KeptPartition], start: Mapping[Partition, Position | None]
) -> dict[Partition, int]:
    """Return the offset to begin with in each partition."""
    held = {each.name: each for each in partitions}
    begins = {}
    for name, position in start.items():
        if name not in held:
            hint = f"There are {', '.join(held)}."
            raise SourceLost(f"the topic {topic} has no partition {name}", hint=hint)
        begins[name] = held[name].start if position is None else offset_of(name, position)
    return begins
