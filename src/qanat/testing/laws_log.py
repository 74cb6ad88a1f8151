"""What the laws of a log stand on: the fixtures that a test module gives, a topic, and small
helpers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.errors import Retryable
from qanat.interfaces import Log, LogTransaction, Source, WakingSource
from qanat.records import Batch, Partition, Position, Progress
from qanat.tables import Column, ColumnType, Topic
from qanat.testing.clock import FakeClock
from qanat.topics import PARTITION, partition_of

OpenLog = Callable[[], Log]

STAGE = "law"
OWNER = "the law's owner"
GROUP = "readers"

# A law that races threads may lose a race to the log's own locks.
REDO_MAX = 100
# A poll that is to be woken comes back long before this; one that isn't would fail the law.
WOKEN_S_MAX = 30.0

EVENTS = Topic(
    "law-events",
    (Column("id", ColumnType.INT64), Column("body", ColumnType.TEXT, nullable=True)),
)
KEYED = Topic(
    "law-keyed",
    (Column("key", ColumnType.TEXT, nullable=True), Column("id", ColumnType.INT64)),
    key="key",
    partitions=3,
)
TURNS = Topic("law-turns", (Column("id", ColumnType.INT64),), partitions=3)
KINDS = Topic(
    "law-kinds",
    tuple(Column(f"a_{kind.value}", kind, nullable=True) for kind in ColumnType),
)
TOPICS = (EVENTS, KEYED, TURNS, KINDS)


class LogLawsBase:
    """The fixtures. A test module derives a class from the laws and gives `open_log`.

    Attributes:
        survives: Whether what was committed outlives the last handle.
    """

    survives: ClassVar[bool] = True

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock for `LogOptions`."""
        return FakeClock()

    @pytest.fixture
    def open_log(self, clock: FakeClock) -> OpenLog:
        """Give a function that opens the log of this test: the same one each time, empty at
        first.
        """
        raise NotImplementedError("the test module gives the fixture open_log")

    @pytest.fixture
    def log(self, open_log: OpenLog) -> Iterator[Log]:
        """Open the log and make the laws' topics in it."""
        log = open_log()
        try:
            log.create(TOPICS)
            yield log
        finally:
            log.close()

    def recreate(self, log: Log, topic: Topic) -> None:
        """Remove a topic and make it anew."""
        raise NotImplementedError("the test module tells how a topic is removed")


def events(*ids: int) -> pa.Table:
    """Return rows for the topic EVENTS."""
    return pa.table({"id": pa.array(ids, pa.int64())})


def keyed(*pairs: tuple[str | None, int]) -> pa.Table:
    """Return rows for the topic KEYED."""
    return pa.table(
        {
            "key": pa.array([key for key, _ in pairs], pa.string()),
            "id": pa.array([number for _, number in pairs], pa.int64()),
        }
    )


def committed(log: Log, work: Callable[[LogTransaction], object], stage: str = STAGE) -> None:
    """Do `work` in a transaction and commit; do it again when the log says so."""
    for _ in range(REDO_MAX):
        try:
            with log.begin(stage, uuid4()) as transaction:
                work(transaction)
                transaction.commit()
                return
        except Retryable:
            continue
    raise AssertionError(f"still Retryable after {REDO_MAX} times")


def published(log: Log, topic: Topic, rows: pa.Table) -> None:
    """Commit rows to a topic."""
    committed(log, lambda transaction: transaction.publish(topic, rows))


def progress(log: Log, stage: str = STAGE, partition: Partition = "0") -> Progress:
    """Return how far `stage` has come; claims the partition for the laws' owner."""
    return log.claim(stage, [partition], OWNER)[partition]


def opened(
    log: Log, topic: Topic, start: Mapping[Partition, Position | None] | None = None
) -> WakingSource:
    """Open a topic to be read, from the start in every partition unless told otherwise."""
    source = log.source(topic, GROUP)
    source.open(dict.fromkeys(source.partitions()) if start is None else start)
    return source


def drained(source: Source, rows_max: int = 100) -> Iterator[Batch]:
    """Yield what there is now."""
    while (batch := source.poll(rows_max, 0.0)) is not None:
        yield batch


def contents(log: Log, topic: Topic, name: str = "id") -> dict[Partition, list[object]]:
    """Return a column's values by partition, in order; looks without joining a group for long."""
    source = log.source(topic, "a look")
    source.open(dict.fromkeys(source.partitions()))
    found: dict[Partition, list[object]] = {partition: [] for partition in source.partitions()}
    for batch in drained(source):
        rows = zip(
            batch.rows.column(PARTITION).to_pylist(),
            batch.rows.column(name).to_pylist(),
            strict=True,
        )
        for partition, value in rows:
            found[partition].append(value)
    source.close()
    log.forget(topic, "a look")
    return found


NUMBERS = Topic(
    "law-numbers",
    (Column("to", ColumnType.TEXT), Column("number", ColumnType.INT64)),
    key="to",
    partitions=2,
)

# So many rows are published together at most: the laws of sources forget five rows at once, and
# retention forgets what was published together.
TOGETHER_MAX = 5


class TopicWorld:
    """A topic as the system that a source reads, for `SourceLaws`.

    Args:
        log: Open, without the topic.
        clock: The log's.
        recreate: Removes the topic and makes it anew.
    """

    def __init__(self, log: Log, clock: FakeClock, recreate: Callable[[Log, Topic], None]) -> None:
        self._log = log
        self._clock = clock
        self._recreate = recreate
        self._topic = NUMBERS
        log.create([NUMBERS])

    def source(self) -> WakingSource:
        """Make a source on the topic."""
        return self._log.source(self._topic, GROUP)

    def push(self, partition: Partition, *numbers: int) -> None:
        """Publish numbers under a key that leads to the partition."""
        count = max(int(partition) + 1, self._topic.partitions)
        if count > self._topic.partitions:
            self._topic = replace(self._topic, partitions=count)
            self._log.create([self._topic])
        key = next(k for k in map(str, range(1000)) if str(partition_of(k, count)) == partition)
        for at in range(0, len(numbers), TOGETHER_MAX):
            some: Sequence[int] = numbers[at : at + TOGETHER_MAX]
            published(self._log, self._topic, pa.table({"to": [key] * len(some), "number": some}))
            self._clock.advance(1.0)

    def numbers(self, batch: Batch) -> list[int]:
        """Return the numbers of a batch."""
        return list(batch.rows.column("number").to_pylist())

    def forget(self, partition: Partition, count: int) -> None:
        """Trim the topic, whoever reads: what was published first goes."""
        self._log.forget(self._topic, GROUP)
        before = self._log.spans(self._topic)[partition].start
        pushes = count // TOGETHER_MAX
        # Pushes came a second apart, the first one when the clock began.
        start = self._clock.now() - timedelta(seconds=self._clock.monotonic())
        trimmed = replace(self._topic, keep_s=0.5)
        self._log.trim([trimmed], start + timedelta(seconds=pushes))
        assert before + count == self._log.spans(self._topic)[partition].start

    def recreate(self) -> None:
        """Make the topic anew."""
        self._recreate(self._log, self._topic)
