"""A connection inside a writing transaction: statements, and Arrow rows as a relation of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from qanat.interfaces import Scalar
from qanat.stores.duckdb_arrow import narrowed
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_reading import rows_of
from qanat.stores.duckdb_sql import column_list, quoted
from qanat.stores.duckdb_writer import Writer

Parameters = Mapping[str, Scalar | Sequence[str]]


@dataclass(slots=True)
class Writing:
    """What a transaction writes through.

    Attributes:
        source: What the Arrow rows of `rows` are called in a statement.
        touched: Tables that this transaction wrote already, or `*` when it may have been any: other connections don't see
            what this one does in them.
        stale_rows: How many rows this transaction replaced or removed in bulk.
    """

    database: Database
    writer: Writer
    source: str = ""
    touched: set[str] = field(default_factory=set)
    stale_rows: int = 0

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection, inside of the transaction."""
        return self.writer.connection

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one of our statements; return how many rows it touched."""
        with self.database.errors():
            found = self.connection.execute(sql, dict(parameters or {})).fetchall()
        return int(found[0][0]) if found else 0

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Return the rows of one of our queries or `returning` clauses."""
        return fetched(self.database, self.connection)(sql, parameters or {})

    def numbers(self, sql: str, parameters: Parameters | None = None) -> NDArray[np.int64]:
        """Return the one column of one of our queries, of integers that are never null.

        As Arrow they would take a second plan: a millisecond more.
        """
        with self.database.errors():
            found = self.connection.execute(sql, dict(parameters or {})).fetchnumpy()
        (column,) = found.values()
        return np.asarray(column, np.int64)

    @contextmanager
    def rows(self, rows: pa.Table) -> Iterator[None]:
        """Let `source` be a relation of these rows in the statements of the block."""
        with self.writer.rows(rows) as self.source:
            yield

    def insert(self, table: str, rows: pa.Table, constants: Parameters | None = None) -> int:
        """Append rows, columns by name, and columns with one value."""
        with self.rows(narrowed(rows)):
            return self.run(
                insert(table, rows.column_names, constants or {}, self.source), constants
            )

    def insert_stream(
        self, table: str, batches: Iterable[pa.RecordBatch], constants: Parameters | None = None
    ) -> int:
        """Append batches in their order with one statement for all that have one schema.

        One statement fills row groups (of 122,880 rows) and writes them straight to the file; a statement per batch left the
        rows in the log, and in memory.
        """
        failures: list[BaseException] = []
        count = 0
        for schema, group in groupby(_kept(batches, failures), key=_schema_of):
            with self.writer.stream(pa.RecordBatchReader.from_batches(schema, group)) as name:
                try:
                    count += self.run(insert(table, schema.names, constants or {}, name), constants)
                finally:
                    if failures:
                        # DuckDB tells only the text of what was raised while it read the stream.
                        raise failures[0]
        return count


def fetched(
    database: Database, connection: duckdb.DuckDBPyConnection
) -> Callable[[str, Parameters], pa.Table]:
    """Return what runs one of our queries on a connection and returns its rows."""

    def fetch(sql: str, parameters: Parameters) -> pa.Table:
        with database.errors():
            return rows_of(connection, sql, parameters)

    return fetch


def insert(table: str, names: Sequence[str], constants: Parameters, source: str) -> str:
    """Return the statement that appends rows of `source`, and columns with one value."""
    into = column_list((*names, *constants))
    values = ", ".join([column_list(names), *(f"${name}" for name in constants)])
    return f"insert into {quoted(table)} ({into}) select {values} from {source}"


def _schema_of(batch: pa.RecordBatch) -> pa.Schema:
    return batch.schema


def _kept(
    batches: Iterable[pa.RecordBatch], failures: list[BaseException]
) -> Iterator[pa.RecordBatch]:
    """Pass batches on and keep what goes wrong in making them."""
    try:
        yield from batches
    except BaseException as error:
        failures.append(error)
        raise
