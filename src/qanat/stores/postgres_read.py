"""Reading: user's SQL with `$name` parameters, results as Arrow."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.stores.postgres_connect import Connection, meaning
from qanat.stores.postgres_pool import Pool
from qanat.stores.postgres_results import batch_of, schema_of

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    Cursor: TypeAlias = psycopg.ServerCursor[tuple[Any, ...]]

# A batch of a stream: a few megabytes of ordinary rows.
_BATCH_ROWS = 50_000
# What may contain a dollar sign or a per cent sign that isn't ours: literals, quoted names, comments, dollar-quoted texts.
_TOKENS = re.compile(
    r"""
    [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
    | \$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$
    | (?<![\w$])\$(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)


def bound(sql: str) -> bytes:
    """Return `sql` with `$name` in the driver's form, and its own per cent signs doubled."""
    pieces, end = [], 0
    for token in _TOKENS.finditer(sql):
        pieces.append(sql[end : token.start()].replace("%", "%%"))
        name = token["name"]
        pieces.append(f"%({name})s" if name else token[0].replace("%", "%%"))
        end = token.end()
    pieces.append(sql[end:].replace("%", "%%"))
    return "".join(pieces).encode()


def query(connection: Connection, sql: str, parameters: Mapping[str, Scalar] | None) -> "pa.Table":
    """Run one statement in whatever transaction the connection is, and return all its rows."""
    import pyarrow as pa

    with statement(connection, sql), connection.cursor(binary=True) as cursor:
        cursor.execute(bound(sql), dict(parameters or {}))
        if cursor.description is None:
            raise not_valid(sql, "It returns no rows.")
        rows = cursor.fetchall()
        schema = schema_of(cursor, rows)
        return pa.Table.from_batches([batch_of(rows, schema)], schema=schema)


def execute(connection: Connection, sql: str, parameters: Mapping[str, Scalar] | None) -> int:
    """Run one statement and return how many rows it touched."""
    with statement(connection, sql), connection.cursor(binary=True) as cursor:
        cursor.execute(bound(sql), dict(parameters or {}))
        return max(cursor.rowcount, 0)


def not_valid(sql: str, reason: str) -> ConfigError:
    """Return the error for a statement that can't be run."""
    return ConfigError("the statement", sql, "one valid statement", hint=reason)


@contextmanager
def statement(connection: Connection, sql: str) -> Iterator[None]:
    """Turn errors of the user's statement into ConfigError, and others into what they mean."""
    import psycopg

    wrong = (psycopg.ProgrammingError, psycopg.NotSupportedError, psycopg.DataError)
    try:
        yield
    except (*wrong, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise not_valid(sql, str(error)) from error
    except psycopg.Error as error:
        raise meaning(error, lost=connection.closed) from error


class PostgresReader:
    """One moment of the database, in a transaction that only reads. One thread uses it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count()
        self._open: dict[str, Cursor] = {}

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> "pa.Table":
        import pyarrow as pa

        cursor = self._declare(sql, parameters)
        try:
            with self._surviving(sql):
                rows = cursor.fetchall()
            schema = schema_of(cursor, rows)
        finally:
            self._open.pop(cursor.name).close()
        return pa.Table.from_batches([batch_of(rows, schema)], schema=schema)

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None
    ) -> "pa.RecordBatchReader":
        import pyarrow as pa

        cursor = self._declare(sql, parameters)
        with self._surviving(sql):
            first = cursor.fetchmany(_BATCH_ROWS)
        # A number without a declared scale gets that of the first batch; a later one that doesn't fit is an error.
        schema = schema_of(cursor, first)
        return pa.RecordBatchReader.from_batches(schema, self._batches(sql, cursor, first, schema))

    def close(self) -> None:
        """End the streams that weren't read to their ends."""
        for cursor in list(self._open.values()):
            cursor.close()
        self._open.clear()

    def _batches(
        self, sql: str, cursor: "Cursor", rows: Sequence[tuple[Any, ...]], schema: "pa.Schema"
    ) -> "Iterator[pa.RecordBatch]":
        while rows:
            yield batch_of(rows, schema)
            with self._surviving(sql):
                rows = cursor.fetchmany(_BATCH_ROWS)
        self._open.pop(cursor.name, cursor).close()

    def _declare(self, sql: str, parameters: Mapping[str, Scalar] | None) -> "Cursor":
        """Declare a cursor, which only a statement that reads can have."""
        import psycopg

        cursor = psycopg.ServerCursor(self._connection, f"qanat_{next(self._numbers)}")
        cursor.format = psycopg.pq.Format.BINARY
        try:
            with self._surviving(sql):
                cursor.execute(bound(sql), dict(parameters or {}), binary=True)
        except ConfigError:
            cursor.close()
            raise
        self._open[cursor.name] = cursor
        return cursor

    @contextmanager
    def _surviving(self, sql: str) -> Iterator[None]:
        """Do something in a savepoint: an error in it leaves the reader's moment usable."""
        with statement(self._connection, sql), self._connection.transaction():
            yield


@contextmanager
def snapshot(pool: Pool, limit_s: float = 0.0) -> Iterator[PostgresReader]:
    """Open a reader on the moment of the call; a statement that takes longer than `limit_s` is ended (0: never)."""
    connection = pool.take("select 1")  # a snapshot is that of the first statement
    reader = PostgresReader(connection)
    try:
        if limit_s:
            connection.execute(f"set local statement_timeout = {max(1, int(limit_s * 1000))}")
        yield reader
    finally:
        if not connection.closed:
            reader.close()
        pool.put_back(connection)
