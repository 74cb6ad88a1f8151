"""A stage on an ordered source, in memory: sums that a repeat would double and that a gap would show."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import UUID

from qanat.interfaces import StoreOptions
from qanat.records import Batch
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Loop
from qanat.runtime.stream import Output, StreamSteps
from qanat.tables import Add, Column, ColumnType, Table
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock, MemoryDatabase, MemoryLog, MemorySource, MemoryStore
from qanat.testing.memory_transaction import MemoryTransaction

EVENTS = Table("events", (Column("key", ColumnType.TEXT), Column("amount", ColumnType.INT64)))
SUMS = Table("sums", EVENTS.columns, key=("key",))
PARTITIONS = ("0", "1", "2")
ROWS = 60
ROWS_OF_A_BATCH = 7


@dataclass(frozen=True, slots=True)
class Kinds:
    """What a stream is made of; a test of a broken one changes one of them."""

    steps: type[StreamSteps] = StreamSteps
    committer: type[Committer] = Committer
    transaction: type[MemoryTransaction] = MemoryTransaction


class ChosenStore(MemoryStore):
    """The in-memory store, with transactions of a chosen kind."""

    kind: type[MemoryTransaction] = MemoryTransaction

    @contextmanager
    def _begin(self, stage: str, commit_id: UUID) -> Iterator[MemoryTransaction]:
        with self.database.writing:
            yield self.kind(self.database, stage, commit_id)


@dataclass(slots=True)
class Stream:
    """A log and a database, which outlive the processes that come and go."""

    root: Path
    kinds: Kinds = Kinds()
    clock: FakeClock = field(default_factory=FakeClock)
    log: MemoryLog = field(default_factory=lambda: MemoryLog(EVENTS, *PARTITIONS))
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    acknowledged: dict[str, str] = field(default_factory=dict)
    expected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for number in range(ROWS):
            key = f"key {number % 5}"
            self.log.push(PARTITIONS[number % len(PARTITIONS)], {"key": key, "amount": 1})
            self.expected[key] += 1

    @contextmanager
    def process(self, owner: str) -> Iterator[StreamSteps]:
        """Open store and source as a process does; what it claimed is given up at its end."""
        store = ChosenStore(StoreOptions(self.root, self.clock), self.database)
        store.kind = self.kinds.transaction
        store.migrate((SUMS,))
        source = MemorySource(self.log, self.clock)
        source.acknowledged = self.acknowledged
        committer = self.kinds.committer(store, "events", "sum", self.clock, Telemetry())
        try:
            yield self.kinds.steps(
                "sum", source, summed, committer, owner, drain=True, rows_max=ROWS_OF_A_BATCH
            )
        finally:
            store.close()

    def run(self, owner: str = "first") -> None:
        """Run a new process until nothing is left, or until it dies."""
        with self.process(owner) as steps:
            Loop("events", self.clock, Telemetry()).run(steps)

    def duplicated_and_lost(self) -> tuple[int, int]:
        """Compare the table with the log, key by key."""
        found = Counter[str]()
        for row in self.database.state.rows["sums"]:
            found[str(row["key"])] += cast("int", row["amount"])
        return (found - self.expected).total(), (self.expected - found).total()


def summed(batch: Batch) -> Output:
    """Add each row's amount to the sum of its key."""
    return Output([(SUMS, batch.rows, Add(("key",), ("amount",)))])
