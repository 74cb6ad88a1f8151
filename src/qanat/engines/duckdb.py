"""SQL by DuckDB in this process: in memory, in UTC, without files or network."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from qanat.engines.results import conformed
from qanat.errors import Fatal, QanatError, Retryable, TooLarge
from qanat.interfaces import Scalar, Statement
from qanat.tables import Column, Table, arrow_schema

NAME = "duckdb"

# A batch of a stream is small: a second thread costs more to wake than it saves.
THREADS = 1


class DuckdbEngine:
    """A database in memory, for one thread: each stage has its own.

    The relations of the last call stay bound until the next one: to bind a table costs as much as a small statement, and a stage
    runs one statement per write over the same batch.
    """

    def __init__(self, threads: int = THREADS, memory_bytes: int = 0) -> None:
        """Open it.

        Args:
            threads: How many it may use, of the process.
            memory_bytes: What it may use; 0 for DuckDB's own default.
        """
        config: dict[str, str | bool | int | float | list[str]] = {"threads": threads}
        if memory_bytes:
            config["memory_limit"] = f"{memory_bytes}B"
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("set global TimeZone = 'UTC'")
        # A name in a statement means a relation that was given, never a variable of the caller, or a file.
        self._connection.execute("set python_enable_replacements = false")
        self._connection.execute("set global enable_external_access = false")
        self._connection.execute("set global lock_configuration = true")
        self._bound: dict[str, pa.Table] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check(
        self, statement: Statement, inputs: Mapping[str, Sequence[Column]]
    ) -> Sequence[Column]:
        empty = {
            name: arrow_schema(Table(name, tuple(columns))).empty_table()
            for name, columns in inputs.items()
        }
        text = statement.text_for(NAME)
        try:
            self._bind(empty)
            self._connection.execute(f"prepare checked as {text}")
            self._connection.execute("deallocate checked")
        except duckdb.Error as error:
            raise _translated(error) from error
        return statement.columns

    def run(
        self,
        statement: Statement,
        relations: Mapping[str, pa.Table],
        parameters: Mapping[str, Scalar] | None = None,
    ) -> pa.Table:
        text = statement.text_for(NAME)
        try:
            self._bind(relations)
            if parameters:
                found = self._connection.sql(text, params=dict(parameters))
            else:
                found = self._connection.sql(text)
            rows = found.to_arrow_table()
        except duckdb.Error as error:
            raise _translated(error) from error
        return conformed(rows, statement.columns, "DuckDB")

    def close(self) -> None:
        self._bound.clear()
        self._connection.close()

    def _bind(self, relations: Mapping[str, pa.Table]) -> None:
        for name in [name for name in self._bound if name not in relations]:
            self._connection.unregister(name)
            del self._bound[name]
        for name, table in relations.items():
            if self._bound.get(name) is not table:
                self._connection.register(name, table)
                self._bound[name] = table


def _translated(error: duckdb.Error) -> QanatError:
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "Give the engine more memory, or make the batch smaller."
        return TooLarge(f"the batch doesn't fit into DuckDB's memory: {text}", hint=hint)
    if isinstance(error, duckdb.InterruptException):
        return Retryable(f"the statement was interrupted: {text}")
    return Fatal(f"DuckDB can't run the statement: {text}")
