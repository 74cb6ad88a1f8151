"""A connection inside a writing transaction: statements, and Arrow rows as a relation of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import duckdb
import pyarrow as pa

from qanat.interfaces import Scalar
from qanat.stores.duckdb_arrow import narrowed
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_reading import rows_of
from qanat.stores.duckdb_sql import column_list, quoted

Parameters = Mapping[str, Scalar | Sequence[str]]

ROWS = "qanat_rows"
"""What Arrow rows are called in a statement."""


@dataclass(slots=True)
class Writing:
    """What a transaction writes through.

    Attributes:
        touched: Tables that this transaction wrote already, or `*` when it may have been any: other connections don't see
            what this one does in them.
        stale_rows: How many rows this transaction replaced or removed in bulk.
    """

    database: Database
    connection: duckdb.DuckDBPyConnection
    touched: set[str] = field(default_factory=set)
    stale_rows: int = 0

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one of our statements; return how many rows it touched."""
        with self.database.errors():
            found = self.connection.execute(sql, dict(parameters or {})).fetchall()
        return int(found[0][0]) if found else 0

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Return the rows of one of our queries or `returning` clauses."""
        return fetched(self.database, self.connection)(sql, parameters or {})

    @contextmanager
    def rows(self, rows: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        """Let `ROWS` be a relation in the statements of the block."""
        # What is registered next takes its place; the connection is closed with the transaction.
        self.connection.register(ROWS, rows)
        yield

    def insert(self, table: str, rows: pa.Table, constants: Parameters | None = None) -> int:
        """Append rows, columns by name, and columns with one value."""
        with self.rows(narrowed(rows)):
            return self.run(insert(table, rows.column_names, constants or {}), constants)

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
            with self.rows(pa.RecordBatchReader.from_batches(schema, group)):
                try:
                    count += self.run(insert(table, schema.names, constants or {}), constants)
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


def insert(table: str, names: Sequence[str], constants: Parameters, source: str = ROWS) -> str:
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
