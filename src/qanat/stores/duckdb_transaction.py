"""A transaction of a DuckDB store: rows, dead letters, ledger, queue and progress in one commit."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

import pyarrow as pa

from qanat.errors import CommitUnknown, Fatal, Fenced
from qanat.interfaces import Scalar
from qanat.records import Item, Move, Partition, Progress, Staged
from qanat.stores import duckdb_declared, duckdb_large, duckdb_modes, duckdb_queue, duckdb_staging
from qanat.stores.duckdb_arrow import check_names, conformed
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_errors import Invalidated
from qanat.stores.duckdb_queue import Leases
from qanat.stores.duckdb_reading import WRITING, only_statement, query
from qanat.stores.duckdb_slices import Side
from qanat.stores.duckdb_sql import quoted
from qanat.stores.duckdb_writer import Writer
from qanat.stores.duckdb_writing import Writing, insert
from qanat.tables import Add, Append, Table, WriteMode

# Only the commit whose reply was lost a moment ago is ever asked for. Every so many commits the older ones go.
COMMITS_KEPT = 1000

# A query with none of these words changes nothing.
_CHANGES = re.compile(r"\b(insert|update|delete|merge|truncate)\b", re.IGNORECASE)

_PROGRESS = "select part, position, version, incarnation from qanat_progress where stage = $stage"
_MOVE = """
    -- moves one row if the stored version is the expected one
    update qanat_progress
    set position = $position, version = version + 1, incarnation = $incarnation
    where stage = $stage and part = $part and version = $expected
"""
_FIRST_MOVE = """
    insert into qanat_progress values ($stage, $part, $position, 1, $incarnation)
    on conflict do nothing
"""
_ENTER = """
    -- the ids that are new
    insert into qanat_ledger
    select unnest($ids)
    on conflict do nothing
    returning id
"""
_WITHDRAW = "delete from qanat_ledger where id in (select unnest($ids)) returning id"
_LAST_COMMIT = "select coalesce(max(number), 0) from qanat_commits"
_COMMITTED = "insert into qanat_commits values ($number, $stage, $id)"
_FORGET = "delete from qanat_commits where number <= $number"


class DuckdbTransaction:
    """A `Transaction`; see there. The only one that writes tables, so it waits for no lock and loses no race."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        leases: Leases,
        who: tuple[str, UUID],
    ) -> None:
        self._writing = Writing(database, writer)
        self._database = database
        self._connection = writer.connection
        self._leases = leases
        self._stage, self._commit_id = who
        self._finished: list[tuple[str, Sequence[str]]] = []
        self._fenced: Fenced | None = None
        self._over = False
        self.swapped: list[Table] = []
        self.committed = False

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        for partition, move in moves.items():
            names = {
                "stage": stage,
                "part": partition,
                "position": move.to,
                "incarnation": move.incarnation,
            }
            moved = self._writing.run(_MOVE, {**names, "expected": move.expected})
            if not moved and move.expected == 0:
                moved = self._writing.run(_FIRST_MOVE, names)
            if not moved:
                self._fenced = Fenced(
                    f"{stage}, partition {partition}, isn't at version {move.expected} any more"
                )
                raise self._fenced

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        ids = sorted(set(item_ids))
        new = self._writing.fetch(_ENTER, {"ids": ids}) if ids else None
        return frozenset(ids).difference(new.column("id").to_pylist() if new is not None else ())

    def withdraw(self, item_ids: Sequence[str]) -> frozenset[str]:
        ids = sorted(set(item_ids))
        gone = self._writing.fetch(_WITHDRAW, {"ids": ids}) if ids else None
        return frozenset(gone.column("id").to_pylist() if gone is not None else ())

    def write(
        self,
        table: Table,
        rows: pa.Table,
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> pa.Table:
        whole = conformed(table, rows, constants)
        if isinstance(mode, Add) and table.large:
            side = Side.of(whole.select(rows.column_names), constants or {})
            duckdb_large.add(self._writing, table, mode, side)
            return whole
        self._writing.touched.add(table.name)
        return duckdb_modes.write(self._writing, table, whole, mode)

    def merge(
        self,
        table: Table,
        parts: Sequence[Staged],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> int:
        if not parts:
            return 0
        constants = constants or {}
        names = duckdb_staging.columns(self._writing, parts[0])
        staged = duckdb_staging.relation(self._writing, parts, names)
        count = sum(part.rows for part in parts)
        if isinstance(mode, Add) and table.large:
            check_names(table, (*names, *constants))
            side = Side(staged, tuple(names), count, {}, constants)
            duckdb_large.add(self._writing, table, mode, side)
        elif isinstance(mode, Append):
            check_names(table, (*names, *constants))
            self._writing.touched.add(table.name)
            self._writing.run(insert(table.name, names, constants, f"({staged})"), constants)
        else:
            # With such a mode a table that isn't large has as many rows as memory holds.
            self.write(table, self._writing.fetch(staged), mode, constants)
        return count

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> pa.Table:
        if _CHANGES.search(sql):  # as `with gone as (delete … returning …) select …` does
            self._writing.touched.add("*")
        with self._database.errors(sql):
            return query(self._connection, sql, parameters)

    def execute(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> int:
        statement = only_statement(self._connection, sql, WRITING)
        self._writing.touched.add("*")
        with self._database.errors(sql):
            found = self._connection.sql(statement, params=dict(parameters or {})).to_arrow_table()
        # Without `returning` DuckDB gives the number of rows as its only row.
        told = found.column_names == ["Count"] and found.num_rows == 1
        return int(found.column(0)[0].as_py()) if told else int(found.num_rows)

    def lock(self, name: str, *, shared: bool = False) -> None:
        """Nothing to wait for: this transaction is the only one that writes."""

    def progress(self, stage: str) -> Mapping[Partition, Progress]:
        rows = self._writing.fetch(_PROGRESS, {"stage": stage}).to_pylist()
        return {str(row.pop("part")): Progress(**row) for row in rows}

    def drop(self, table: Table) -> None:
        self._writing.run(f"drop table if exists {quoted(table.name)}")
        self._writing.touched.add(table.name)

    def swap(self, live: Table, rebuilt: Table) -> None:
        with self._database.errors():
            stale = duckdb_declared.swap(self._connection, live, rebuilt)
        self._writing.stale_rows += stale
        self._writing.touched.update((live.name, rebuilt.name))
        self.swapped.append(live)

    def enqueue(self, queue: str, items: Sequence[Item]) -> None:
        duckdb_queue.enqueue(self._writing, queue, items)

    def finish(self, queue: str, item_ids: Sequence[str]) -> None:
        duckdb_queue.finish(self._writing, queue, item_ids)
        self._finished.append((queue, tuple(item_ids)))

    def commit(self) -> None:
        if self._fenced is not None:
            raise self._fenced
        if self._over:
            raise Fatal("this transaction is over; begin another one")
        self._over = True
        number = 1 + (self._writing.writer.last_commit or self._writing.run(_LAST_COMMIT))
        commit_id = str(self._commit_id)
        self._writing.run(_COMMITTED, {"number": number, "stage": self._stage, "id": commit_id})
        if number % COMMITS_KEPT == 0:
            self._writing.run(_FORGET, {"number": number - COMMITS_KEPT})
        try:
            with self._database.errors():
                self._connection.execute("commit")
        except Invalidated as error:
            # Written to the log or not: the reopened database knows.
            raise CommitUnknown(str(error)) from error
        self._writing.writer.last_commit = number
        self.committed = True
        for queue, ids in self._finished:
            self._leases.forget(queue, ids)
        self._database.dropped(self._writing.stale_rows)
