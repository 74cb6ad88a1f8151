"""SQL for the in-memory store: its rows in a private in-memory DuckDB, for as long as one reader or
statement needs them.
"""

import itertools
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.tables import ColumnType, Table
from qanat.testing.memory_arrow import Row, arrow_table, dictionaries

if TYPE_CHECKING:
    import duckdb

_SQL_TYPES: dict[ColumnType, str] = {
    ColumnType.INT64: "bigint",
    ColumnType.INT128: "hugeint",
    ColumnType.FLOAT64: "double",
    ColumnType.TEXT: "varchar",
    ColumnType.BYTES: "blob",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIMESTAMP: "timestamptz",
}
# Small enough that a result of some hundred thousand rows comes in several batches, as a test of a
# reader wants it.
_BATCH_ROWS = 50_000


class Engine:
    """The DuckDB of one in-memory database, begun when it is first needed: to begin one takes 20
    ms, a part of it 2.
    """

    def __init__(self) -> None:
        self._root: duckdb.DuckDBPyConnection | None = None
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def part(self) -> "tuple[duckdb.DuckDBPyConnection, str]":
        """Return a connection to a new, empty database, and that one's name."""
        import duckdb

        with self._lock:
            if self._root is None:
                self._root = duckdb.connect(":memory:", config={"threads": 1})
            connection, name = self._root.cursor(), f"part_{next(self._numbers)}"
        connection.execute(f"attach ':memory:' as {name}")
        connection.execute(f"use {name}")
        connection.execute("set TimeZone = 'UTC'")
        # A name in a statement means a table, never a variable of the caller that happens to be
        # called so.
        connection.execute("set python_enable_replacements = false")
        return connection, name


class MemorySql:
    """The given tables, each loaded when a statement names it. One thread uses it; close it."""

    def __init__(self, engine: Engine, tables: Iterable[tuple[Table, list[Row]]]) -> None:
        self._connection, self._name = engine.part()
        self._waiting = {table.name: (table, rows) for table, rows in tables}

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None) -> pa.Table:
        """Run one reading statement; ConfigError when it is anything else."""
        import duckdb

        try:
            return self._read(sql, parameters).to_arrow_table()
        except duckdb.Error as error:
            raise _invalid(sql, error) from error

    def stream(self, sql: str, parameters: Mapping[str, Scalar] | None) -> pa.RecordBatchReader:
        """Like `query`, in batches."""
        import duckdb

        try:
            return self._read(sql, parameters).to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise _invalid(sql, error) from error

    def execute(self, sql: str, parameters: Mapping[str, Scalar] | None) -> int:
        """Run one statement that writes; return the rows it touched (0 where it doesn't count
        any).
        """
        import duckdb

        self._load_named(sql)
        try:
            counted = self._connection.execute(sql, dict(parameters or {})).fetchone()
        except duckdb.Error as error:
            raise _invalid(sql, error) from error
        return int(counted[0]) if counted else 0

    def rows(self, table: Table) -> list[Row]:
        """Return what `table` holds now."""
        every = f"select {', '.join(map(_quoted, table.names))} from {_quoted(table.name)}"
        return dictionaries(table, self._connection.sql(every).to_arrow_table())

    def close(self) -> None:
        """Drop everything; twice is harmless."""
        if self._name:
            self._connection.execute("use memory")
            self._connection.execute(f"detach {self._name}")
            self._connection.close()
            self._name = ""

    def _load_named(self, sql: str) -> None:
        """Load the tables whose names occur in `sql`, wherever in it."""
        for name in [name for name in self._waiting if name in sql]:
            self._load(*self._waiting.pop(name))

    def _load(self, table: Table, rows: list[Row]) -> None:
        columns = (f"{_quoted(column.name)} {_SQL_TYPES[column.type]}" for column in table.columns)
        self._connection.execute(f"create table {_quoted(table.name)} ({', '.join(columns)})")
        if rows:
            self._connection.register("given", arrow_table(table, rows))
            self._connection.execute(f"insert into {_quoted(table.name)} select * from given")
            self._connection.unregister("given")

    def _read(self, sql: str, parameters: Mapping[str, Scalar] | None) -> "duckdb.DuckDBPyRelation":
        import duckdb

        kinds = [statement.type for statement in self._connection.extract_statements(sql)]
        if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
            raise _invalid(sql, f"it consists of {len(kinds)} statements, or writes")
        self._load_named(sql)
        return self._connection.sql(sql, params=dict(parameters or {}))


def _invalid(sql: str, reason: object) -> ConfigError:
    return ConfigError("the statement", sql, "one valid statement", hint=str(reason))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
