"""Reading with a user's SQL: one statement that only reads, bound parameters, no files."""

import atexit
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from qanat.duckdb_rows import is_small, small_rows
from qanat.errors import Retryable
from qanat.interfaces import Scalar
from qanat.stores.duckdb_arrow import normal_schema, normalised
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_errors import refused, translated

READING = (duckdb.StatementType.SELECT,)
# In a snapshot alone: there DuckDB itself refuses `explain analyze delete …`.
LOOKING = (*READING, duckdb.StatementType.EXPLAIN)
WRITING = (
    duckdb.StatementType.INSERT,
    duckdb.StatementType.UPDATE,
    duckdb.StatementType.DELETE,
    duckdb.StatementType.MERGE_INTO,
)

# Rows in a batch of a stream.
BATCH_ROWS = 65_536

# Statements that are known to be one of their kind: to find out takes 0.6 ms, and reports and look-ups are the same ever again.
KNOWN_MAX = 256


@dataclass(slots=True)
class _Known:
    """A statement that was read before.

    Attributes:
        small: Its last result was small, and its next one will be, as a rule.
    """

    statement: duckdb.Statement
    small: bool = False


_known: dict[tuple[str, Sequence[duckdb.StatementType]], _Known] = {}
# A statement that outlives the interpreter is told of as a leak.
atexit.register(_known.clear)


class DuckdbReader:
    """One moment of a store, for one thread.

    It gives one stream at a time: read it to its end, or drop it, before the next query. A statement that fails while it runs
    (not one that isn't valid) ends the moment: open another snapshot.
    """

    def __init__(self, database: Database, connection: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._connection = connection

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> pa.Table:
        with self._database.errors(sql):
            return query(self._connection, sql, parameters, LOOKING)

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None
    ) -> pa.RecordBatchReader:
        with self._database.errors(sql):
            statement = only_statement(self._connection, sql, LOOKING)
            relation = self._connection.sql(statement, params=dict(parameters or {}))
            reader = relation.to_arrow_reader(BATCH_ROWS)
            schema = normal_schema(reader.schema)
            return pa.RecordBatchReader.from_batches(schema, _batches(reader.cast(schema), sql))


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Mapping[str, Scalar] | None,
    kinds: Sequence[duckdb.StatementType] = READING,
) -> pa.Table:
    """Run one statement of the given kinds and return its rows."""
    known = _known.get((sql, kinds))
    if known is None:
        known = _Known(only_statement(connection, sql, kinds))
        if len(_known) >= KNOWN_MAX:
            _known.clear()
        _known[sql, kinds] = known
    rows = None
    if known.small:
        rows = small_rows(connection.execute(known.statement, dict(parameters or {})))
    if rows is None:
        rows = rows_of(connection, known.statement, parameters or {})
    known.small = is_small(rows)
    return rows


def rows_of(
    connection: duckdb.DuckDBPyConnection,
    sql: str | duckdb.Statement,
    parameters: Mapping[str, Scalar | Sequence[str]],
) -> pa.Table:
    """Return the rows of a statement that is known to be one."""
    return normalised(connection.sql(sql, params=dict(parameters)).to_arrow_table())


def _batches(reader: pa.RecordBatchReader, sql: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except OSError as error:  # as which Arrow passes on what DuckDB says in the middle of a stream
        if "INTERRUPT" in str(error):
            raise Retryable("the statement took too long, and was ended") from error
        raise refused(sql, str(error)) from error


def only_statement(
    connection: duckdb.DuckDBPyConnection, sql: str, kinds: Sequence[duckdb.StatementType]
) -> duckdb.Statement:
    """Return the one statement in `sql`.

    Raises:
        ConfigError: There are several or none, or it is of another kind.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise translated(error, sql) from error
    if len(statements) != 1:
        raise refused(sql, f"It has to be one statement; there are {len(statements)}.")
    if statements[0].type not in kinds:
        allowed = " or ".join(kind.name.lower() for kind in kinds)
        raise refused(sql, f"Only {allowed} is possible here.")
    return statements[0]
