"""A stage that writes tables: each record once, its rows, its dead letters and its progress in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from qanat import failpoints
from qanat.interfaces import Transaction
from qanat.pipeline import Deduplicate
from qanat.records import Batch, Move, Partition
from qanat.runtime.commit import Committer
from qanat.runtime.letters import letters
from qanat.runtime.live import brings_rows
from qanat.runtime.reading import Reading, Taken
from qanat.runtime.stream import ROWS_MAX, OrderedSteps, never
from qanat.runtime.stream_topics import Transform, unchanged
from qanat.tables import DEAD_LETTERS, Append, InsertNew, Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

Made: TypeAlias = "Callable[[pa.Table], pa.Table]"
"""Makes the rows of one table out of the batch's."""

Noticed: TypeAlias = "Callable[[Transaction, pa.Table], None]"
"""Told, inside of the transaction, which records were new."""

TOO_LATE = "too_late"


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
        if rows.num_rows:
            for table, mode, make in self.writes:
                made = make(rows) if make is not None else rows.select(table.names)
                transaction.write(table, made, mode)
            self.noticed(transaction, rows)
        return int(rows.num_rows)


@dataclass
class TableSteps(OrderedSteps):
    """Steps that write tables (see `runtime.loop`).

    Attributes:
        origin: What the stage reads, as its dead letters name it.
    """

    name: str
    reading: Reading
    committer: Committer
    writer: TableWriter
    origin: str
    transform: Transform = unchanged
    ends: Callable[[], bool] = never
    rows_max: int = ROWS_MAX

    def _commit(self, taken: Taken) -> None:
        batch = taken.batch
        rows, told = self._prepared(batch)
        self.committer.commit(lambda tx: self._write(tx, taken.moves, rows, told))
        labels = {"pipeline": self.committer.pipeline, "stage": self.name}
        telemetry = self.committer.telemetry
        telemetry.count("qanat_records_read_total", batch.rows.num_rows, **labels)
        rejected = sum(letter.num_rows for letter in told)
        if rejected:
            telemetry.count("qanat_records_rejected_total", rejected, **labels)

    def _prepared(self, batch: Batch) -> tuple["pa.Table", list["pa.Table"]]:
        """Return a batch's rows as the writes take them, and its dead letters."""
        made = self.transform(batch.rows, batch.judged_at)
        told = []
        if made.rejected is not None and made.rejected.num_rows:
            told.append(self._letters(batch, batch.rows, made.rejected))
        rows, by = made.rows, self.writer.deduplicate
        if by is not None:
            rows, late = split_late(rows, by)
            if late.num_rows:
                told.append(self._letters(batch, late, rejected_late(late)))
        return rows, told

    def _write(
        self,
        transaction: Transaction,
        moves: Mapping[Partition, Move],
        rows: "pa.Table",
        told: Sequence["pa.Table"],
    ) -> None:
        brings_rows(transaction)
        transaction.advance(self.name, moves)
        self.writer.write(transaction, rows)
        for letter in told:
            transaction.write(DEAD_LETTERS, letter, Append())
        failpoints.reach("batch.before_commit")

    def _letters(self, batch: Batch, rows: "pa.Table", rejected: "pa.Table") -> "pa.Table":
        return letters(self.name, self.origin, rows, rejected, batch.judged_at)


def split_late(rows: "pa.Table", by: Deduplicate) -> tuple["pa.Table", "pa.Table"]:
    """Part the records that were received within the horizon from those that weren't."""
    import pyarrow.compute as pc

    age = pc.subtract(rows.column(by.received), rows.column(by.happened))
    late = pc.greater(age, timedelta(seconds=by.horizon_s))
    if not pc.any(late).as_py():
        return rows, rows.slice(0, 0)
    return rows.filter(pc.invert(late)), rows.filter(late)


def rejected_late(late: "pa.Table") -> "pa.Table":
    """Return late records as a transform returns what it rejects: their bytes are their row as JSON."""
    import msgspec
    import pyarrow as pa

    kept = [name for name in late.column_names if not name.startswith("_")]
    raw = [msgspec.json.encode(row) for row in late.select(kept).to_pylist()]
    count = late.num_rows
    columns = [pa.array(range(count), pa.int64()), pa.array([TOO_LATE] * count), pa.array(raw)]
    return pa.Table.from_arrays(columns, ["row", "reason", "raw"])
