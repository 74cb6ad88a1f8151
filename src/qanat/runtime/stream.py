"""Stages on ordered sources: batches move progress by compare-and-set, in the transaction of their rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from qanat import failpoints
from qanat.errors import QanatError, Retryable
from qanat.interfaces import Source, Transaction
from qanat.records import Batch, Move, Partition
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved
from qanat.runtime.reading import Reading, Taken
from qanat.runtime.stage_states import StageMeter, total_lag
from qanat.tables import DEAD_LETTERS, Append, Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_MAX = 50_000
"""Rows of one batch at most. A DuckDB commit costs 2 to 3 ms whatever its size, so that batches of this size make it vanish."""

# One wait for records at most; a stop, and a failure to look, are noticed after it. What comes wakes the wait.
POLL_S = 0.5
# In a run that ends: its stages end one after the other.
ENDING_POLL_S = 0.1
# After a commit of few rows a stage rests for so many times as long as that took, while many ask the store: each commit costs
# some milliseconds whatever it holds, and those who ask need the cores more than the last tenths of a second are missed.
REST_ROWS_MAX = 1_000
REST_FACTOR = 5
REST_S_MAX = 0.25

# The lag is asked of the source so often: a log answers by a query.
LAG_EVERY_S = 1.0


def never() -> bool:
    """Say that more may always come."""
    return False


class OrderedSteps(ABC):
    """Steps over an ordered source (see `runtime.loop`); what a batch comes to, and where it goes, is the subclass's.

    Attributes:
        name: The stage's.
        reading: Its input.
        ends: Asked before each poll: whether nothing will come any more, so that an empty poll ends the stage.
        rows_max: Rows of one batch at most.
        yields: Asked after a small commit: whether others should get their turn before the next.
        rest_s: From the end of a small commit to the beginning of the next at least.
    """

    name: str
    reading: Reading
    ends: Callable[[], bool] = staticmethod(never)
    yields: Callable[[], bool] = staticmethod(never)
    rows_max: int = ROWS_MAX
    rest_s: float = 0.0
    _lag_asked_s: float = float("-inf")
    _rests_until_s: float = float("-inf")

    def step(self) -> Moved:
        """Read a batch, transform it, commit it, acknowledge it."""
        clock = self.reading.clock
        if (rest_s := self._rests_until_s - clock.monotonic()) > 0:
            clock.sleep(rest_s)
        try:
            return self._step()
        except Retryable as error:
            self.reading.meter.failed(error.message)
            raise

    def _step(self) -> Moved:
        meter, last = self.reading.meter, self.ends()
        wait_s = POLL_S if self.ends is never else ENDING_POLL_S
        taken = self.reading.take(self.rows_max, 0.0 if last else wait_s)
        if taken is None:
            meter.idle()
            self._ask_lag(at_once=last)
            return Moved.DRAINED if last else Moved.IDLE
        meter.committing()
        began_s = self.reading.clock.monotonic()
        self._commit(taken)
        failpoints.reach("batch.after_commit")
        self.reading.done(taken)
        rows = taken.batch.rows.num_rows
        meter.committed(rows)
        if rows <= REST_ROWS_MAX and not last:
            now_s = self.reading.clock.monotonic()
            given_s = REST_FACTOR * (now_s - began_s) if self.yields() else 0.0
            self._rests_until_s = now_s + max(min(given_s, REST_S_MAX), self.rest_s)
        self._ask_lag()
        return Moved.YES

    def reload(self) -> None:
        """Read progress anew before the next batch."""
        self.reading.reload()

    def wait(self, timeout_s: float) -> None:
        """Nothing where poll itself waits; else a moment, until partitions may be free."""
        if not self.reading.holds:
            self.reading.clock.sleep(min(timeout_s, POLL_S))

    @abstractmethod
    def _commit(self, taken: Taken) -> None:
        """Commit a batch with its moves, wholly or not at all."""

    def _ask_lag(self, *, at_once: bool = False) -> None:
        now_s = self.reading.clock.monotonic()
        due = at_once or now_s - self._lag_asked_s >= LAG_EVERY_S
        if self.reading.holds and due:
            self._lag_asked_s = now_s
            self.reading.meter.lag = total_lag(self.reading.source.lag())


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


@dataclass
class StreamSteps(OrderedSteps):
    """A stage whose transform names its tables itself, and whose records are told apart by the ledger.

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
    reading: Reading = field(init=False)
    reads: ClassVar[type[Reading]] = Reading

    def __post_init__(self) -> None:
        """Make what it reads through."""
        clock = self.committer.clock
        meter = StageMeter(self.name, clock)
        store = self.committer.store
        self.reading = self.reads(self.name, self.source, store, self.owner, clock, meter)
        self.ends = lambda: self.drain

    def _commit(self, taken: Taken) -> None:
        """Commit a batch; one with records that are in the ledger is rolled back and done again without them."""
        batch = self._without(taken.batch, frozenset())
        while True:
            output, ids = self.transform(batch), self._ids(batch)
            try:
                self.committer.commit(
                    lambda tx, o=output, i=ids: self._write(tx, taken.moves, o, i)  # type: ignore[misc]
                )
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
