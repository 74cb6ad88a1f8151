"""Retention: which batches may go, letting them go, and giving the space back, without keeping writers waiting for long."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from qanat.interfaces import Trimmed
from qanat.logs import sqlite_topics
from qanat.logs.sqlite_file import BUSY_S_MAX, LogFile
from qanat.logs.sqlite_schema import PAGE_BYTES
from qanat.logs.sqlite_topics import KeptPartition
from qanat.logs.sqlite_transaction import microseconds
from qanat.tables import Topic

# What one transaction removes, or moves towards the file's beginning: a writer waits for some 20 ms.
STEP_BATCHES: Final = 256
STEP_BYTES: Final = 16 << 20
STEP_PAGES: Final = (4 << 20) // PAGE_BYTES

# So long writers wait, at most, for readers to be out of the way of emptying the write-ahead log.
CHECKPOINT_MS_MAX: Final = 100

# Room for what comes next stays in the file, up to this share of it: giving it back and taking it again would copy the end of
# the file each time.
FREE_SHARE_MAX: Final = 1 / 8

_BY_AGE: Final = """
-- One row: the offset before which a partition's records are too old.
select coalesce(max(next), 0)
from batches
where partition_id = :partition_id and at_us < :cutoff_us
"""

_BY_SIZE: Final = """
-- One row per partition: the offset before which records have to go for the topic to be smaller by :excess, the oldest first.
select partition_id, max(next)
from (
    select
        partition_id,
        next,
        sum(bytes) over (order by at_us, id rows unbounded preceding) - bytes as older_bytes
    from batches
    where partition_id in (select id from partitions where topic_id = :topic_id)
)
where older_bytes < :excess
group by partition_id
"""

_STEP: Final = """
-- One row per batch before an offset, the oldest first.
select id, next, bytes
from batches
where partition_id = ? and next <= ?
order by first
limit ?
"""


class _Due(NamedTuple):
    """Up to where a partition's records are due to go, and to where readers let them; the slowest of these, if it matters."""

    partition: KeptPartition
    due: int
    allowed: int
    reader: str


def trim(file: LogFile, topic: Topic, now: datetime) -> Iterator[Trimmed]:
    """Remove what is due and read from one topic; yield what became of each partition."""
    with file.reading() as connection:
        found = list(_due(connection, topic, now))
    for one in found:
        removed = 0
        while step := _remove(file, one.partition.id, min(one.due, one.allowed)):
            removed += step
        held = max(one.due - one.partition.start - removed, 0)
        yield Trimmed(topic.name, one.partition.name, removed, held, one.reader if held else "")


def _due(connection: sqlite3.Connection, topic: Topic, now: datetime) -> Iterator[_Due]:
    kept = sqlite_topics.get(connection, topic.name)
    partitions = sqlite_topics.partitions(connection, kept.id)
    excess = sum(each.bytes for each in partitions) - topic.keep_bytes if topic.keep_bytes else 0
    by_size: dict[int, int] = {}
    if excess > 0:
        by_size = dict(connection.execute(_BY_SIZE, {"topic_id": kept.id, "excess": excess}))
    cutoff_us = microseconds(now - timedelta(seconds=topic.keep_s))
    for partition in partitions:
        ask = {"partition_id": partition.id, "cutoff_us": cutoff_us}
        by_age = int(connection.execute(_BY_AGE, ask).fetchone()[0])
        slowest = connection.execute(
            "select acknowledged, reader from readers where partition_id = ? order by 1, 2 limit 1",
            (partition.id,),
        ).fetchone()
        allowed, reader = slowest or (partition.next, "")
        yield _Due(partition, max(by_age, by_size.get(partition.id, 0)), allowed, reader)


def _remove(file: LogFile, partition_id: int, before: int) -> int:
    """Remove some batches that lie wholly before an offset; return how many records they had."""
    with file.writing() as connection:
        rows = connection.execute(_STEP, (partition_id, before, STEP_BATCHES)).fetchall()
        chosen, following, size = [], 0, 0
        for batch_id, after, stored in rows:
            chosen.append((batch_id,))
            following, size = after, size + stored
            if size >= STEP_BYTES:
                break
        if not chosen:
            return 0
        (start,) = connection.execute(
            "select start from partitions where id = ?", (partition_id,)
        ).fetchone()
        connection.executemany("delete from batches where id = ?", chosen)
        connection.execute(
            "update partitions set start = ?, bytes = bytes - ? where id = ?",
            (following, size, partition_id),
        )
    return int(following - start)


def give_back(file: LogFile) -> None:
    """Make the file smaller by what is free in it, and the write-ahead log empty when nobody needs it."""
    while _shrink(file):
        pass
    # Passive first, which keeps nobody waiting; then little is left to do. A reader may be in the way of emptying it: then the
    # next checkpoint does.
    with file.maintaining() as connection:
        connection.execute("pragma wal_checkpoint(passive)").fetchall()
        connection.execute(f"pragma busy_timeout = {CHECKPOINT_MS_MAX}").fetchall()
        try:
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        finally:
            connection.execute(f"pragma busy_timeout = {BUSY_S_MAX * 1000:.0f}").fetchall()


def _shrink(file: LogFile) -> bool:
    """Give some pages back; tell whether there are more."""
    with file.maintaining() as connection:
        (pages,) = connection.execute("pragma page_count").fetchone()
        (free,) = connection.execute("pragma freelist_count").fetchone()
        if free <= pages * FREE_SHARE_MAX:
            return False
        # This pragma works page by page as it is stepped through; `execute` would stop after the first.
        connection.executescript(f"pragma incremental_vacuum({STEP_PAGES})")
        (left,) = connection.execute("pragma freelist_count").fetchone()
    return int(left) < int(free)
