"""A transaction of the in-memory store: works on a copy of the state, which takes the state's place
on commit.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

import pyarrow as pa

from qanat.errors import ConfigError, Fatal, Fenced
from qanat.interfaces import Scalar
from qanat.records import Item, Move, Partition, Progress, Staged
from qanat.tables import Table, WriteMode
from qanat.testing.memory_arrow import Row, arrow_table, dictionaries
from qanat.testing.memory_database import MemoryDatabase
from qanat.testing.memory_modes import apply
from qanat.testing.memory_sql import MemorySql

UNMOVED = Progress(None, 0, None)
"""Progress before the first batch."""


class MemoryTransaction:
    """One commit in the making. Only one is open at a time, so it waits for no lock and loses no
    race.
    """

    def __init__(self, database: MemoryDatabase, stage: str, commit_id: UUID) -> None:
        self._database = database
        self._state = database.state.copy()
        self._stage = stage
        self._commit_id = commit_id
        self._fenced = False
        self._over = False
        self._queued: list[Callable[[], None]] = []

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        for partition, move in moves.items():
            before = self._state.progress.get((stage, partition), UNMOVED)
            if before.version != move.expected:
                self._fenced = True
                raise Fenced(
                    f"{stage}, partition {partition}: version {before.version} is stored, "
                    f"{move.expected} was expected"
                )
            after = Progress(move.to, before.version + 1, move.incarnation)
            self._state.progress[stage, partition] = after

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        known = self._state.ledger.intersection(item_ids)
        self._state.ledger.update(item_ids)
        return frozenset(known)

    def withdraw(self, item_ids: Sequence[str]) -> frozenset[str]:
        known = self._state.ledger.intersection(item_ids)
        self._state.ledger.difference_update(item_ids)
        return frozenset(known)

    def write(
        self,
        table: Table,
        rows: pa.Table,
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> pa.Table:
        given = given_rows(table, rows)
        names = [*rows.column_names, *(constants or {})]
        return arrow_table(table, self._apply(table, given, mode, constants), names)

    def merge(
        self,
        table: Table,
        parts: Sequence[Staged],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> int:
        given = self._staged_rows(parts)
        self._apply(table, given, mode, constants)
        return len(given)

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> pa.Table:
        engine = self._sql()
        try:
            return engine.query(sql, parameters)
        finally:
            engine.close()

    def execute(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> int:
        engine = self._sql()
        try:
            touched = engine.execute(sql, parameters)
            for name, table in list(self._state.tables.items()):
                if name in sql:
                    self._keep(table, engine.rows(table))
        finally:
            engine.close()
        return touched

    def lock(self, name: str, *, shared: bool = False) -> None:
        """Nothing to wait for: this transaction is the only one."""

    def progress(self, stage: str) -> Mapping[Partition, Progress]:
        stored = self._state.progress.items()
        return {partition: at for (name, partition), at in stored if name == stage}

    def drop(self, table: Table) -> None:
        self._state.rows.pop(table.name, None)
        self._state.tables.pop(table.name, None)

    def swap(self, live: Table, rebuilt: Table) -> None:
        for table in (live, rebuilt):
            if table.name not in self._state.rows:
                raise Fatal(f"there is no table {table.name}", hint="Call migrate() with it first.")
        rows = self._state.rows[rebuilt.name]
        if set(live.names) != set(rebuilt.names):
            raise Fatal(f"{rebuilt.name} has other columns than {live.name}")
        self._keep(self._state.tables[live.name], rows)
        del self._state.rows[rebuilt.name], self._state.tables[rebuilt.name]

    def enqueue(self, queue: str, items: Sequence[Item]) -> None:
        self._queued.append(partial(self._database.queue(queue).add, tuple(items)))

    def finish(self, queue: str, item_ids: Sequence[str]) -> None:
        self._queued.append(partial(self._database.queue(queue).remove, tuple(item_ids)))

    def commit(self) -> None:
        if self._over:
            raise Fatal("this transaction is over; begin another one")
        if self._fenced:
            raise Fenced
        self._over = True
        self._state.commits.add((self._stage, self._commit_id))
        with self._database.guard:
            self._database.state = self._state
            for change in self._queued:
                change()

    def _staged_rows(self, parts: Sequence[Staged]) -> list[Row]:
        return [row for part in parts for row in self._database.part(part)]

    def _sql(self) -> MemorySql:
        return self._database.sql(self._state)

    def _apply(
        self,
        table: Table,
        given: Sequence[Row],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None,
    ) -> list[Row]:
        kept = self._state.rows.get(table.name)
        if kept is None:
            raise Fatal(f"there is no table {table.name}", hint="Call migrate() with it first.")
        declared = self._state.tables[table.name]
        whole = [{**dict.fromkeys(declared.names), **row, **(constants or {})} for row in given]
        after, effective = apply(kept, whole, mode)
        self._keep(declared, after)
        return effective

    def _keep(self, table: Table, rows: list[Row]) -> None:
        """Let `rows` be what the table holds, unless that breaks its declaration."""
        for column in table.columns:
            if not column.nullable and any(row[column.name] is None for row in rows):
                raise Fatal(f"{table.name}.{column.name} can't be null")
        for names in filter(None, (table.key, *table.unique)):
            if len({tuple(row[name] for name in names) for row in rows}) < len(rows):
                raise Fatal(f"{table.name} has two rows with the same {', '.join(names)}")
        self._state.rows[table.name] = rows


def given_rows(table: Table, rows: pa.Table) -> list[Row]:
    """Return the rows of an Arrow table as dictionaries.

    Raises:
        ConfigError: A column isn't one of `table`, or its values aren't of the declared type.
    """
    strange = [name for name in rows.column_names if name not in table.names]
    if strange:
        raise ConfigError(
            f"a column of {table.name}", strange[0], f"one of {', '.join(table.names)}"
        )
    try:
        return dictionaries(table, rows)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        types = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        raise ConfigError(f"rows for {table.name}", str(error), types) from error
