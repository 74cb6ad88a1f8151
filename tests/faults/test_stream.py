"""A stage on an ordered source counts each row exactly once, whatever happens; broken ones are caught by the same faults."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest

from qanat import failpoints
from qanat.interfaces import Scalar, Transaction
from qanat.records import Move, Partition, Progress
from qanat.runtime.commit import Committer
from qanat.runtime.reading import Reading
from qanat.runtime.stream import Output, StreamSteps
from qanat.tables import Table, WriteMode
from qanat.testing.memory_transaction import UNMOVED, MemoryTransaction
from tests.faults.stream_faults import (
    Fault,
    commit_lost,
    dies_at,
    fails_at,
    overtaken,
    reply_lost,
)
from tests.faults.streams import Kinds, Stream

BEFORE, AFTER = "batch.before_commit", "batch.after_commit"


class VersionIgnored(MemoryTransaction):
    """Moves progress on from wherever it is."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        stored = {name: self._state.progress.get((stage, name), UNMOVED) for name in moves}
        super().advance(
            stage, {name: m._replace(expected=stored[name].version) for name, m in moves.items()}
        )


class RowsAtOnce(MemoryTransaction):
    """Writes rows at once, and progress with the commit."""

    def write(
        self,
        table: Table,
        rows: pa.Table,
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> pa.Table:
        effective = super().write(table, rows, mode, constants)
        self._database.state.rows[table.name] = self._state.rows[table.name]
        return effective


class ProgressAtOnce(MemoryTransaction):
    """Moves progress at once, and writes rows with the commit."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        super().advance(stage, moves)
        self._database.state.progress.update(self._state.progress)


class ResumesFromAcknowledged(Reading):
    """Resumes from what was acknowledged."""

    def _open(self, claimed: Mapping[Partition, Progress]) -> None:
        super()._open(claimed)
        acknowledged: Mapping[str, str] = getattr(self.source, "acknowledged", {})
        self.source.open({name: acknowledged.get(name) for name in self.source.partitions()})


class AcknowledgesFirst(StreamSteps):
    """Acknowledges before the commit, and resumes from what was acknowledged."""

    reads = ResumesFromAcknowledged

    def _write(
        self,
        transaction: Transaction,
        moves: Mapping[Partition, Move],
        output: Output,
        ids: Sequence[str],
    ) -> None:
        self.source.acknowledge({name: move.to for name, move in moves.items()})
        super()._write(transaction, moves, output, ids)


class AssumesCommitted(Committer):
    """Takes a lost reply for a commit."""

    def _outcome(self, commit_id: UUID) -> bool:
        return True


FAULTS: list[Fault] = [
    dies_at(BEFORE),
    dies_at(AFTER),
    fails_at(BEFORE),
    fails_at(AFTER),
    overtaken,
    reply_lost,
    commit_lost,
]

BROKEN: list[tuple[Kinds, Fault, str]] = [
    (Kinds(transaction=VersionIgnored), overtaken, "duplicated"),
    (Kinds(transaction=RowsAtOnce), dies_at(BEFORE), "duplicated"),
    (Kinds(transaction=RowsAtOnce), commit_lost, "duplicated"),
    (Kinds(transaction=ProgressAtOnce), dies_at(BEFORE), "lost"),
    (Kinds(steps=AcknowledgesFirst), dies_at(BEFORE), "lost"),
    (Kinds(committer=AssumesCommitted), commit_lost, "lost"),
]


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Leave no fault behind."""
    yield
    failpoints.arm("")


@pytest.mark.fault
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_exactly_once(fault: Fault, tmp_path: Path) -> None:
    """Whatever happens, each row of the log counts once."""
    stream = Stream(tmp_path)
    fault(stream)
    assert (0, 0) == stream.duplicated_and_lost()


@pytest.mark.fault
@pytest.mark.parametrize(
    ("kinds", "fault", "found"),
    BROKEN,
    ids=[f"{found}-{number}" for number, (_, _, found) in enumerate(BROKEN)],
)
def test_broken_is_caught(kinds: Kinds, fault: Fault, found: str, tmp_path: Path) -> None:
    """A stage that breaks one rule doubles rows or loses some, and the comparison says which."""
    stream = Stream(tmp_path, kinds)
    fault(stream)
    duplicated, lost = stream.duplicated_and_lost()
    assert {"duplicated": duplicated, "lost": lost}[found] > 0
