"""Topics: ordered logs between stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from qanat.clock import Clock
from qanat.interfaces.outputs import Change, Commit, Output
from qanat.interfaces.sources import WakingSource
from qanat.records import Partition
from qanat.tables import Topic

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to open a log; each log module has `open_log(url, pipeline, options) -> Log`.

    Attributes:
        data_dir: The folder in which embedded logs keep their files.
    """

    data_dir: Path
    clock: Clock
    read_only: bool = False


class LogTransaction(Commit, Protocol):
    """One commit of a log: records and progress together. Leaving without commit() rolls back."""

    def publish(self, topic: Topic, rows: "pa.Table") -> None:
        """Append `rows` (the topic's columns, by name) as records, in order within each partition.

        Raises:
            ConfigError: A column isn't the topic's, or its type is another one.
        """
        ...


class Span(NamedTuple):
    """What a log holds of one partition: offsets from `start` to before `end`."""

    start: int
    end: int


class Trimmed(NamedTuple):
    """What retention did to one partition of a topic.

    Attributes:
        removed: Records that went.
        held: Records that are due to go and stay, because a reader isn't past them.
        held_by: That reader; empty when none is.
    """

    topic: str
    partition: Partition
    removed: int
    held: int
    held_by: str


class Log(Output[LogTransaction], Protocol):
    """Topics: partitions of records with offsets that increase and are never reused. Survives `kill -9` once committed.

    Records come in batches that are written and read whole. Several processes may have one log open.
    """

    def create(self, topics: Sequence[Topic]) -> Sequence[Change]:
        """Make the topics that aren't there; empty when there was nothing to do.

        Raises:
            Fatal: A topic is there with other columns or more partitions, or a newer Qanat made the log.
        """
        ...

    def source(self, topic: Topic, group: str) -> WakingSource:
        """Open a topic to be read by the consumer group `group` (the name of the stage that reads).

        A position is the offset of the next record, in decimal digits. Rows have the topic's columns, then `_partition`
        (text) and `_offset` (int64). `incarnation` is the log's identity with the topic's own: a topic that was made anew, or
        a log that was, has another. `acknowledge` keeps the group's offsets for retention. A poll that waits is woken by a
        publication, of this or another process.
        """
        ...

    def spans(self, topic: Topic) -> Mapping[Partition, Span]:
        """Return what each partition holds now."""
        ...

    def size_bytes(self, topic: Topic) -> int:
        """Return how large the topic's records are as stored."""
        ...

    def trim(self, topics: Sequence[Topic], now: datetime) -> Sequence[Trimmed]:
        """Forget what the topics needn't keep, up to the slowest group that has acknowledged there; give the space back."""
        ...

    def forget(self, topic: Topic, group: str) -> None:
        """Let retention no longer wait for a group; it counts again when it opens the topic again."""
        ...
