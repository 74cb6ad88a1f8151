"""SQL by DuckDB in this process: in memory, in UTC, without files or network."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from qanat.duckdb_rows import Relation, small_rows
from qanat.engines.results import conformed, empty_relations
from qanat.errors import Fatal, QanatError, Retryable, TooLarge
from qanat.interfaces import Scalar, Statement
from qanat.tables import Column

NAME = "duckdb"

# A batch of a stream is small: a second thread costs more to wake than it saves.
THREADS = 1
# Statements that are kept prepared; a stage has a few.
PREPARED_MAX = 64

# Results over so few rows come by numpy: 0.6 ms, instead of 1.4 as Arrow.
FEW_ROWS = 1_000


class DuckdbEngine:
    """A database in memory, for one thread: each stage has its own. Statements stay prepared, rows don't stay."""

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
        self._relations: dict[str, Relation] = {}
        self._prepared: dict[str, str] = {}
        self._plain: dict[str, bool] = {}

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
        try:
            self._bind(empty_relations(inputs))
            self._name_of(statement.text_for(NAME))
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
        bound = {name: (parameters or {})[name] for name in statement.parameters}
        try:
            self._bind(relations)
            if bound:
                found = self._connection.sql(text, params=bound)
                rows = found.to_arrow_table()
            else:
                rows = self._executed(self._name_of(text), relations)
        except duckdb.Error as error:
            raise _translated(error) from error
        finally:
            for relation in self._relations.values():
                relation.clear()
        return conformed(rows, statement.columns, "DuckDB")

    def close(self) -> None:
        self._relations.clear()
        self._prepared.clear()
        self._connection.close()

    def _executed(self, name: str, relations: Mapping[str, pa.Table]) -> pa.Table:
        """Return the rows of a prepared statement: of a few by numpy, as Arrow takes a second plan."""
        few = all(table.num_rows <= FEW_ROWS for table in relations.values())
        if few and self._plain.get(name, True):
            rows = small_rows(self._connection.execute(f"execute {name}"))
            self._plain[name] = rows is not None
            if rows is not None:
                return rows
        return self._connection.sql(f"execute {name}").to_arrow_table()

    def _bind(self, relations: Mapping[str, pa.Table]) -> None:
        for name in [name for name in self._relations if name not in relations]:
            self._forget()
            self._connection.unregister(name)
            del self._relations[name]
        for name, table in relations.items():
            if name not in self._relations or self._relations[name].schema != table.schema:
                self._forget()
                self._relations[name] = Relation(table.schema)
                self._connection.register(name, self._relations[name])
            self._relations[name].rows = table

    def _name_of(self, text: str) -> str:
        """Return the name of a prepared statement."""
        if text not in self._prepared:
            if len(self._prepared) >= PREPARED_MAX:
                self._forget()
            name = f"statement_{len(self._prepared)}"
            self._connection.execute(f"prepare {name} as {text}")
            self._prepared[text] = name
        return self._prepared[text]

    def _forget(self) -> None:
        """Give up what was prepared: it was for relations of other types."""
        for name in self._prepared.values():
            self._connection.execute(f"deallocate {name}")
        self._prepared.clear()
        self._plain.clear()


def _translated(error: duckdb.Error) -> QanatError:
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "Give the engine more memory, or make the batch smaller."
        return TooLarge(f"the batch doesn't fit into DuckDB's memory: {text}", hint=hint)
    if isinstance(error, duckdb.InterruptException):
        return Retryable(f"the statement was interrupted: {text}")
    return Fatal(f"DuckDB can't run the statement: {text}")
