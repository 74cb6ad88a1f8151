"""What an in-memory log keeps."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import pyarrow as pa

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Change
from qanat.records import Partition, Progress
from qanat.tables import Column, Topic


@dataclass(slots=True)
class KeptBatch:
    """Records as they were published: the offsets from `first` to before `next`."""

    first: int
    next: int
    at: datetime
    rows: pa.Table


@dataclass(slots=True)
class KeptPartition:
    """Batches with the offsets from `start` to before `next`, and up to where each group needs nothing any more."""

    start: int = 0
    next: int = 0
    batches: list[KeptBatch] = field(default_factory=list)
    readers: dict[str, int] = field(default_factory=dict)

    def append(self, rows: pa.Table, now: datetime) -> None:
        """Append a batch; a clock that was set back doesn't make it older than the one before."""
        at = max(now, self.batches[-1].at) if self.batches else now
        self.batches.append(KeptBatch(self.next, self.next + rows.num_rows, at, rows))
        self.next += rows.num_rows


@dataclass(slots=True)
class KeptTopic:
    """A topic, in this life of it."""

    incarnation: str
    columns: tuple[Column, ...]
    partitions: list[KeptPartition]

    @property
    def bytes(self) -> int:
        """How large its records are in memory."""
        return sum(batch.rows.nbytes for one in self.partitions for batch in one.batches)

    def by_age(self) -> Iterator[tuple[KeptBatch, int]]:
        """Yield the batches with their partitions' numbers, the oldest first."""
        found = [(b, number) for number, one in enumerate(self.partitions) for b in one.batches]
        yield from sorted(found, key=lambda each: each[0].at)


class TopicsState:
    """What stays when a `MemoryTopics` is closed. Several may be opened on it, also at once.

    Attributes:
        changed: Notified when something was published; held to read or change what is here.
    """

    def __init__(self) -> None:
        self.identity = str(uuid4())
        self.changed = threading.Condition(threading.RLock())
        self.topics: dict[str, KeptTopic] = {}
        self.progress: dict[tuple[str, Partition], Progress] = {}
        self.commits: set[tuple[str, UUID]] = set()
        self.claims: dict[tuple[str, Partition], tuple[UUID, str]] = {}

    def topic(self, name: str) -> KeptTopic:
        """Return a topic.

        Raises:
            ConfigError: There is none of this name.
        """
        if name not in self.topics:
            names = ", ".join(sorted(self.topics))
            valid = f"one of {names}" if names else "one that create() was called with"
            raise ConfigError("a topic", name, valid)
        return self.topics[name]

    def create(self, topic: Topic) -> Iterator[Change]:
        """Make a topic, or the partitions that it lacks."""
        kept = self.topics.get(topic.name)
        if kept is None:
            partitions = [KeptPartition() for _ in range(topic.partitions)]
            self.topics[topic.name] = KeptTopic(uuid4().hex, topic.columns, partitions)
            yield Change(topic.name, f"created with partitions: {topic.partitions}")
            return
        if _shapes(kept.columns) != _shapes(topic.columns):
            raise Fatal(f"the topic {topic.name} has other columns in the log")
        count = len(kept.partitions)
        if count > topic.partitions:
            raise Fatal(f"the topic {topic.name} has {count} partitions in the log")
        if count < topic.partitions:
            kept.partitions += [KeptPartition() for _ in range(topic.partitions - count)]
            yield Change(topic.name, f"added partitions {count} to {topic.partitions - 1}")

    def recreate(self, topic: Topic) -> None:
        """Remove a topic and make it anew: another life."""
        with self.changed:
            del self.topics[topic.name]
            list(self.create(topic))


def _shapes(columns: tuple[Column, ...]) -> list[tuple[str, str, bool]]:
    return [(column.name, column.type, column.nullable) for column in columns]
