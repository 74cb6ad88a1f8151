"""A stage that writes tables: each record once, its rows, its dead letters and its progress in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from qanat import failpoints
from qanat.interfaces import Transaction
from qanat.pipeline import Deduplicate
from qanat.records import Batch, Move, Partition
from qanat.runtime.commit import Committer
from qanat.runtime.lateness import TOO_LATE, Lateness
from qanat.runtime.letters import letters
from qanat.runtime.live import brings_rows
from qanat.runtime.reading import Reading, Taken
from qanat.runtime.stream import ROWS_MAX, OrderedSteps, never
from qanat.runtime.stream_topics import Transform, unchanged
from qanat.tables import DEAD_LETTERS, Append, InsertNew, Table, WriteMode

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

Made: TypeAlias = "Callable[[pa.Table], pa.Table]"
"""Makes the rows of one table out of the batch's."""

Noticed: TypeAlias = "Callable[[Transaction, pa.Table], None]"
"""Told, inside of the transaction, which records were new."""


class TableWrite(NamedTuple):
    """One table that a stage writes, how, and what makes its rows; None where the batch's are written as they are."""

    table: Table
    mode: WriteMode
    make: "Made | None" = None


def unnoticed(transaction: Transaction, rows: "pa.Table") -> None:
    """Do nothing about new records."""


@dataclass(frozen=True, slots=True)
class TableWriter:
    """Writes records into the tables of a stage, each once.

    Attributes:
        writes: The tables, and what makes their rows.
        deduplicate: By which table records are told apart; None where the input never repeats one.
        noticed: Called with the new records, last of all in their transaction.
    """

    writes: Sequence[TableWrite]
    deduplicate: Deduplicate | None = None
    noticed: Noticed = unnoticed

    def write(self, transaction: Transaction, rows: "pa.Table") -> int:
        """Write the tables of some records; return how many were new. The transaction has begun with `brings_rows`."""
        if self.deduplicate is not None and rows.num_rows:
            table = self.deduplicate.table
            given = rows.select(table.names)
            rows = transaction.write(table, given, InsertNew(self.deduplicate.key))
            failpoints.reach("batch.told_apart")
        if rows.num_rows:
            for table, mode, make in self.writes:
                made = make(rows) if make is not None else rows.select(table.names)
                transaction.write(table, made, mode)
            self.noticed(transaction, rows)
        return int(rows.num_rows)


class _Prepared(NamedTuple):
    """A batch's rows as the writes take them, its dead letters, and when its newest record came about."""

    rows: "pa.Table"
    letters: "Sequence[pa.Table]"
    newest: "datetime | None" = None


@dataclass
class TableSteps(OrderedSteps):
    """Steps that write tables (see `runtime.loop`).

    Attributes:
        origin: What the stage reads, as its dead letters name it.
        relays: It brings dead letters of a topic into their table, and does nothing else.
    """

    name: str
    reading: Reading
    committer: Committer
    writer: TableWriter
    origin: str
    transform: Transform = unchanged
    ends: Callable[[], bool] = never
    yields: Callable[[], bool] = never
    rows_max: int = ROWS_MAX
    relays: bool = False
    rest_s: float = 0.0
    lateness: Lateness | None = field(init=False)

    def __post_init__(self) -> None:
        """Make what judges how late records are."""
        by = self.writer.deduplicate
        self.lateness = Lateness(by) if by is not None else None

    def reload(self) -> None:
        """Read progress anew before the next batch."""
        super().reload()
        if self.lateness is not None:
            self.lateness.forget()

    def _commit(self, taken: Taken) -> None:
        batch = taken.batch
        prepared = self._prepared(batch)
        self.committer.commit(lambda tx: self._write(tx, taken.moves, prepared))
        if self.lateness is not None:
            self.lateness.kept(prepared.newest)
        labels = {"pipeline": self.committer.pipeline, "stage": self.name}
        telemetry = self.committer.telemetry
        telemetry.count("qanat_records_read_total", batch.rows.num_rows, **labels)
        rejected = sum(letter.num_rows for letter in prepared.letters)
        if rejected:
            telemetry.count("qanat_records_rejected_total", rejected, **labels)

    def _prepared(self, batch: Batch) -> _Prepared:
        made = self.transform(batch.rows, batch.judged_at)
        told = []
        if made.rejected is not None and made.rejected.num_rows:
            told.append(self._letters(batch, batch.rows, made.rejected))
        if self.lateness is None:
            return _Prepared(made.rows, told)
        if not self.lateness.is_loaded:
            with self.committer.store.snapshot() as reader:
                self.lateness.load(reader)
        rows, late, newest = self.lateness.part(made.rows)
        if late.num_rows:
            told.append(self._letters(batch, late, rejected_late(late)))
        return _Prepared(rows, told, newest)

    def _write(
        self, transaction: Transaction, moves: Mapping[Partition, Move], prepared: _Prepared
    ) -> None:
        brings_rows(transaction)
        transaction.advance(self.name, moves)
        self.writer.write(transaction, prepared.rows)
        for letter in prepared.letters:
            transaction.write(DEAD_LETTERS, letter, Append())
        if self.relays:
            failpoints.reach("batch.relayed")
        failpoints.reach("batch.before_commit")

    def _letters(self, batch: Batch, rows: "pa.Table", rejected: "pa.Table") -> "pa.Table":
        return letters(self.name, self.origin, rows, rejected, batch.judged_at)


def rejected_late(late: "pa.Table") -> "pa.Table":
    """Return late records as a transform returns what it rejects: their bytes are their row as JSON."""
    import msgspec
    import pyarrow as pa

    kept = [name for name in late.column_names if not name.startswith("_")]
    raw = [msgspec.json.encode(row) for row in late.select(kept).to_pylist()]
    count = late.num_rows
    columns = [pa.array(range(count), pa.int64()), pa.array([TOO_LATE] * count), pa.array(raw)]
    return pa.Table.from_arrays(columns, ["row", "reason", "raw"])
