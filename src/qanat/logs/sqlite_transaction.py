"""A transaction of a log file.

Rows are divided and compressed as they are published; the file is written to in `commit` alone, so that stages wait for each
other no longer than writing takes.
"""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from qanat.clock import Clock
from qanat.errors import Fatal, Fenced, TooLarge
from qanat.logs import sqlite_topics
from qanat.logs.sqlite_file import LogFile
from qanat.logs.sqlite_process import Shared
from qanat.records import Move, Partition, Progress
from qanat.tables import Topic
from qanat.topics import conformed, divided

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

UNMOVED: Final = Progress(None, 0, None)
"""Progress before the first batch."""

# SQLite takes blobs up to 1 GB; a reader has to hold what it unpacks, five times as much.
BLOB_BYTES_MAX: Final = 512 << 20

# So many commits are remembered for `outcome`, whatever their stage: at 300 a second half a minute, and the outcome of a
# commit is asked for right after it. Forgotten some at a time.
COMMITS_MAX: Final = 10_000
_COMMITS_STEP: Final = 100

# Measured on events of 1.5 kB, one core: level -1 takes 1.3 µs an event and packs to 222 bytes, level 1 1.9 µs and 165 bytes;
# level 3 is no smaller by more than a tenth, at half the speed. LZ4 is as fast as the former, at 302 bytes.
_ZSTD_LEVEL: Final = -1


class _Published(NamedTuple):
    """One batch for one partition, ready to be written."""

    topic: sqlite_topics.Kept
    name: str
    number: int
    rows: "pa.Table"
    content: "pa.Buffer"


class SqliteTransaction:
    """One commit in the making."""

    def __init__(
        self, file: LogFile, shared: Shared, clock: Clock, stage: str, commit_id: UUID
    ) -> None:
        self._file = file
        self._shared = shared
        self._clock = clock
        self._stage = stage
        self._commit_id = commit_id
        self._moves: list[tuple[str, Partition, Move]] = []
        self._published: list[_Published] = []
        self._fenced = False
        self._over = False

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        """Compare now, so that who lost the race needn't go on; and again, with effect, in `commit`."""
        self._check_open()
        with self._file.reading() as connection:
            stored = progress(connection, stage)
        for partition, move in moves.items():
            version = stored.get(partition, UNMOVED).version
            if version != move.expected:
                self._fenced = True
                raise _fenced(stage, partition, move)
            self._moves.append((stage, partition, move))

    def publish(self, topic: Topic, rows: "pa.Table") -> None:
        self._check_open()
        rows = conformed(topic, rows)
        with self._file.reading() as connection:
            kept = sqlite_topics.get(connection, topic.name)
            partitions = sqlite_topics.partitions(connection, kept.id)
        turn = sum(partition.next for partition in partitions) + sum(
            one.rows.num_rows for one in self._published if one.name == topic.name
        )
        for number, part in divided(topic, rows, len(partitions), turn):
            content = packed(part)
            if content.size > BLOB_BYTES_MAX:
                raise TooLarge(
                    f"{part.num_rows} records of {topic.name} come to {content.size} bytes"
                )
            self._published.append(_Published(kept, topic.name, number, part, content))

    def commit(self) -> None:
        self._check_open()
        if self._fenced:
            raise Fenced
        self._over = True
        now_us = microseconds(self._clock.now())
        with self._file.writing() as connection:
            for stage, partition, move in self._moves:
                _move(connection, stage, partition, move)
            firsts = [_append(connection, published, now_us) for published in self._published]
            _remember(connection, self._stage, self._commit_id)
        for published, first in zip(self._published, firsts, strict=True):
            place = (published.topic.incarnation, published.number, first)
            self._shared.recent.keep(place, published.rows)
        if self._published:
            self._shared.ring()

    def leave(self) -> None:
        """It is over, committed or not."""
        self._over = True

    def _check_open(self) -> None:
        if self._over:
            raise Fatal("this transaction is over; begin another one")


def packed(rows: "pa.Table") -> "pa.Buffer":
    """Return rows as a compressed Arrow stream; doesn't hold the interpreter meanwhile."""
    import pyarrow as pa

    # Stages run at the same time; a pool for one batch's few columns only adds its switching (0.1 ms for a small one).
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", _ZSTD_LEVEL), use_threads=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def microseconds(moment: "datetime") -> int:
    """Return a moment as whole microseconds since 1970."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def progress(connection: sqlite3.Connection, stage: str) -> dict[Partition, Progress]:
    """Return how far a stage has come, in each partition in which it has moved."""
    found = connection.execute(
        "select partition, position, version, incarnation from progress where stage = ?", (stage,)
    )
    return {name: Progress(position, version, life) for name, position, version, life in found}


def _move(connection: sqlite3.Connection, stage: str, partition: Partition, move: Move) -> None:
    if move.expected == UNMOVED.version:
        moved = connection.execute(
            """
            insert into progress (stage, partition, position, version, incarnation)
            values (?, ?, ?, 1, ?)
            on conflict do nothing
            """,
            (stage, partition, move.to, move.incarnation),
        )
    else:
        moved = connection.execute(
            """
            update progress
            set position = ?, incarnation = ?, version = version + 1
            where stage = ? and partition = ? and version = ?
            """,
            (move.to, move.incarnation, stage, partition, move.expected),
        )
    if moved.rowcount != 1:
        raise _fenced(stage, partition, move)


def _fenced(stage: str, partition: Partition, move: Move) -> Fenced:
    return Fenced(f"{stage}, partition {partition}: version {move.expected} isn't stored any more")


def _append(connection: sqlite3.Connection, published: _Published, now_us: int) -> int:
    """Write a batch; return its first offset."""
    # A clock that was set back mustn't make records older than those before them: retention goes by their time.
    found = connection.execute(
        """
        update partitions
        set next = next + :rows, bytes = bytes + :bytes, last_at_us = max(last_at_us, :now_us)
        where number = :number
            and topic_id = (select id from topics where id = :topic_id and incarnation = :incarnation)
        returning id, next - :rows, next, last_at_us
        """,
        {
            "rows": published.rows.num_rows,
            "bytes": published.content.size,
            "now_us": now_us,
            "number": published.number,
            "topic_id": published.topic.id,
            "incarnation": published.topic.incarnation,
        },
    ).fetchall()
    if not found:
        raise Fatal(f"the topic {published.name} was made anew meanwhile", hint="Start again.")
    connection.execute(
        "insert into batches (partition_id, first, next, at_us, bytes, content) values (?, ?, ?, ?, ?, ?)",
        (*found[0], published.content.size, published.content),
    )
    return int(found[0][1])


def _remember(connection: sqlite3.Connection, stage: str, commit_id: UUID) -> None:
    number = connection.execute(
        "insert into commits (stage, commit_id) values (?, ?)", (stage, commit_id.bytes)
    ).lastrowid
    if number and not number % _COMMITS_STEP:
        connection.execute("delete from commits where id <= ?", (number - COMMITS_MAX,))
