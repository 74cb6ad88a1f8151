"""A stage on an ordered source: batches move progress by compare-and-set, in the transaction of their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from qanat import failpoints
from qanat.errors import QanatError, SourceLost
from qanat.interfaces import Source, Transaction
from qanat.records import Batch, Move, Partition, Progress
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved
from qanat.tables import DEAD_LETTERS, Append, Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_MAX = 50_000
"""Rows of one batch at most. A DuckDB commit costs 2 to 3 ms whatever its size, so that batches of this size make it vanish."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a transform makes of a batch: rows per table with their modes, and the records it rejects."""

    writes: Sequence[tuple[Table, "pa.Table", WriteMode]]
    rejected: "pa.Table | None" = None


class _Repeated(QanatError):
    """Records of the batch are in the ledger already."""

    def __init__(self, ids: frozenset[str]) -> None:
        self.ids = ids
        super().__init__()


class Transform(Protocol):
    """Turns a batch into rows. Must give the same rows for the same batch."""

    def __call__(self, batch: Batch) -> Output:
        """Transform one batch; what it raises ends the stage."""
        ...


@dataclass(slots=True)
class StreamSteps:
    """Steps over a source (see `runtime.loop`).

    Attributes:
        drain: End when the source has nothing more now.
        deduplicate_by: The column of a record's own id; its values enter the ledger, and a record that is there is left out.
    """

    name: str
    source: Source
    transform: Transform
    committer: Committer
    owner: str
    drain: bool = False
    deduplicate_by: str | None = None
    rows_max: int = ROWS_MAX
    _progress: dict[Partition, Progress] = field(default_factory=dict)
    _opened: bool = False

    def step(self) -> Moved:
        """Read a batch, transform it, commit it, acknowledge it."""
        if not self._opened:
            self._open()
        batch = self.source.poll(self.rows_max, 0.0 if self.drain else 0.05)
        if batch is None:
            return Moved.DRAINED if self.drain else Moved.IDLE
        incarnation = self.source.incarnation()
        moves = {
            partition: Move(self._progress[partition].version, incarnation, end)
            for partition, end in batch.ends.items()
        }
        self._commit(batch, moves)
        failpoints.reach("batch.after_commit")
        for partition, move in moves.items():
            self._progress[partition] = Progress(move.to, move.expected + 1, incarnation)
        self.source.acknowledge(batch.ends)
        return Moved.YES

    def reload(self) -> None:
        """Read progress anew before the next batch."""
        self._opened = False

    def wait(self, timeout_s: float) -> None:
        """Nothing: poll itself waits."""

    def _commit(self, batch: Batch, moves: Mapping[Partition, Move]) -> None:
        """Commit a batch; one with records that are in the ledger is rolled back and done again without them."""
        batch = self._without(batch, frozenset())
        while True:
            output, ids = self.transform(batch), self._ids(batch)
            try:
                self.committer.commit(lambda tx, o=output, i=ids: self._write(tx, moves, o, i))  # type: ignore[misc]
            except _Repeated as repeated:
                batch = self._without(batch, repeated.ids)
            else:
                return

    def _ids(self, batch: Batch) -> list[str]:
        if self.deduplicate_by is None:
            return []
        return [
            f"{self.name}:{value}" for value in batch.rows.column(self.deduplicate_by).to_pylist()
        ]

    def _without(self, batch: Batch, ids: frozenset[str]) -> Batch:
        """Leave out the records with these ids, and those that repeat an earlier one of the batch."""
        import pyarrow as pa

        if self.deduplicate_by is None:
            return batch
        seen = set(ids)
        keep = [not (one in seen or seen.add(one)) for one in self._ids(batch)]  # type: ignore[func-returns-value]
        return replace(batch, rows=batch.rows.filter(pa.array(keep, pa.bool_())))

    def _open(self) -> None:
        store = self.committer.store
        claimed = store.claim(self.name, self.source.partitions(), self.owner)
        self._check(claimed)
        self.source.open({partition: at.position for partition, at in claimed.items()})
        self._progress = dict(claimed)
        self._opened = True

    def _check(self, claimed: Mapping[Partition, Progress]) -> None:
        incarnation = self.source.incarnation()
        for partition, at in claimed.items():
            if at.incarnation is not None and at.incarnation != incarnation:
                raise SourceLost(
                    f"{self.name} read partition {partition} of {at.incarnation}, which is {incarnation} now.",
                    hint="The source was re-created. Rebuild the tables, or reset this stage's progress.",
                )

    def _write(
        self,
        transaction: Transaction,
        moves: Mapping[Partition, Move],
        output: Output,
        ids: Sequence[str],
    ) -> None:
        transaction.advance(self.name, moves)
        known = transaction.enter(ids)
        if known:
            raise _Repeated(known)
        for table, rows, mode in output.writes:
            transaction.write(table, rows, mode)
        if output.rejected is not None and output.rejected.num_rows:
            transaction.write(DEAD_LETTERS, output.rejected, Append())
        failpoints.reach("batch.before_commit")
