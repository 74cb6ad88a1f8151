"""Staged parts: in a table per attempt and shape, sorted by key, out of sight until they are merged."""

import threading
from collections.abc import Iterator, Sequence
from uuid import UUID

import duckdb
import pyarrow as pa

from qanat.errors import Fatal
from qanat.interfaces import Scalar
from qanat.records import Staged
from qanat.stores import duckdb_declared
from qanat.stores.duckdb_arrow import conformed, narrowed
from qanat.stores.duckdb_combine import sorted_order
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_sql import column_list, quoted
from qanat.stores.duckdb_writer import Writer
from qanat.stores.duckdb_writing import Writing
from qanat.tables import Table

# The column that a staging table has besides those of its shape.
PART = "qanat_part"
# DuckDB's row groups: the unit that it skips when it looks for a range of keys.
BATCH_ROWS = 122_880


class Staging:
    """The staged parts of a store. Any thread may stage, also while a transaction is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()

    def stage(self, table: Table, rows: pa.Table, attempt: UUID, part: int) -> Staged:
        """Keep rows; see `Store.stage`.

        Measured: 2.5 million rows of int64 and int128 take 0.25 s as they come, 0.5 s when they have to be sorted.
        """
        rows = conformed(table, rows)
        place = place_of(table.name, attempt)
        self._make(table, place)
        names: dict[str, Scalar] = {"attempt": str(attempt), "shape": table.name, "part": part}

        def work(connection: duckdb.DuckDBPyConnection) -> None:
            writing = Writing(self._database, Writer(connection))
            gone = "delete from qanat_staged where attempt = $attempt and shape = $shape and part = $part"
            if writing.run(gone, names):
                writing.run(f"delete from {quoted(place)} where {PART} = $part", {"part": part})
            writing.run(
                "insert into qanat_staged values ($attempt, $shape, $part, $rows)",
                {**names, "rows": rows.num_rows},
            )
            writing.insert_stream(place, _batches(table, rows), {PART: part})

        self._database.run(work)
        return Staged(table.name, attempt, part, rows.num_rows)

    def staged(self, shape: str, attempt: UUID) -> list[Staged]:
        """Return the parts of an attempt; see `Store.staged`."""
        found = self._database.ask(
            """
            select part, row_count
            from qanat_staged
            where attempt = $attempt and shape = $shape
            order by part
            """,
            {"attempt": str(attempt), "shape": shape},
        )
        return [Staged(shape, attempt, int(str(part)), int(str(rows))) for part, rows in found]

    def discard(self, attempt: UUID) -> None:
        """Drop what is staged under `attempt`; see `Store.discard`."""
        find = (
            "select shape, sum(row_count) from qanat_staged where attempt = $attempt group by shape"
        )
        shapes = self._database.ask(find, {"attempt": str(attempt)})
        if not shapes:
            return

        def work(connection: duckdb.DuckDBPyConnection) -> None:
            for shape, _ in shapes:
                connection.execute(f"drop table {quoted(place_of(str(shape), attempt))}")
            gone = "delete from qanat_staged where attempt = $attempt"
            connection.execute(gone, {"attempt": str(attempt)})

        self._database.run(work)
        self._database.dropped(sum(int(str(rows)) for _, rows in shapes))
        self._database.tidy()

    def _make(self, table: Table, place: str) -> None:
        """Make the table for an attempt's parts; threads that begin it at once make it once."""
        with self._lock:

            def work(connection: duckdb.DuckDBPyConnection) -> None:
                if not duckdb_declared.columns_of(connection, place):
                    shape = Table(place, table.columns, large=True)
                    duckdb_declared.create(connection, shape, [(PART, "BIGINT")])

            self._database.run(work)


def place_of(shape: str, attempt: UUID) -> str:
    """Name the table in which the parts of an attempt are."""
    return f"qanat_stage_{attempt.hex}_{shape}"


def relation(writing: Writing, parts: Sequence[Staged], names: Sequence[str]) -> str:
    """Return a query on the rows of staged parts, in the given columns.

    Raises:
        Fatal: A part isn't staged any more.
    """
    places: dict[str, list[int]] = {}
    for part in parts:
        places.setdefault(place_of(part.table, part.attempt), []).append(part.part)
        _check(writing, part)
    return " union all ".join(
        f"select {column_list(names)} from {quoted(place)}"
        f" where {PART} in ({', '.join(map(str, numbers))})"
        for place, numbers in places.items()
    )


def columns(writing: Writing, part: Staged) -> list[str]:
    """Return the columns of a staged part."""
    there = duckdb_declared.columns_of(writing.connection, place_of(part.table, part.attempt))
    return [name for name in there if name != PART]


def _check(writing: Writing, part: Staged) -> None:
    find = "select row_count from qanat_staged where attempt = $attempt and shape = $shape and part = $part"
    names: dict[str, Scalar] = {
        "attempt": str(part.attempt),
        "shape": part.table,
        "part": part.part,
    }
    if writing.fetch(find, names).column("row_count").to_pylist() != [part.rows]:
        raise Fatal(
            f"part {part.part} of {part.table} isn't staged under {part.attempt}",
            hint="Stage it again: merging without it would lose its rows.",
        )


def _batches(table: Table, rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Give the rows in batches, sorted by key: a range of keys is then found without reading the rest.

    Sorted batch by batch, so that there are never two copies of all rows.
    """
    order = sorted_order(rows, table.key) if table.key else None
    if order is not None:
        rows = rows.combine_chunks()  # or else each `take` would put the chunks together
    for begin in range(0, rows.num_rows, BATCH_ROWS):
        batch = (
            rows.slice(begin, BATCH_ROWS)
            if order is None
            else rows.take(pa.array(order[begin : begin + BATCH_ROWS]))
        )
        yield from narrowed(batch).combine_chunks().to_batches()
