"""Staged parts: a table for each, made and filled in one transaction, listed in `qanat_staged`.

They are ordinary, logged tables: a part whose ledger id is entered must outlive a crash of the server, which empties
unlogged ones. Packed sums keep the log small (16 bytes a sum), and with `wal_level = minimal`, as the local server has it,
what is copied into a new table isn't logged at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from qanat.errors import Fatal
from qanat.records import Staged
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_encode import encode
from qanat.stores.postgres_load import POSITION, copy, numbered, relation_of
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_packed import packable, packed_ddl
from qanat.stores.postgres_types import TYPES, as_declared, quoted
from qanat.tables import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

# Each table dropped holds a lock until the end of its transaction, and the server has room for about 6,400.
_DROPS_MAX = 500


@dataclass(frozen=True, slots=True)
class Part:
    """One staged part as it lies in the database.

    Attributes:
        relation: Its table's name in SQL.
        packed: A table of arrays, the key's first.
        magnitude: No packed value is greater.
    """

    relation: str
    columns: tuple[str, ...]
    rows: int
    packed: bool
    magnitude: int

    def unpacked(self, table: Table, columns: Sequence[str], place: int) -> str:
        """Return a select of its rows for `table`, numbered after those of the parts in places before.

        A column that this part doesn't have is null.
        """
        values = [f"{self._value(table.column(name))} as {quoted(name)}" for name in columns]
        # The keys of a packed part are unique, so the order of its rows decides nothing.
        number = f"{place << 40}" if self.packed else f"{place << 40} + p.{POSITION}"
        return f"select {', '.join(values)}, {number} as {POSITION} from {self.relation} p"

    def _value(self, column: Column) -> str:
        if column.name not in self.columns:
            return f"cast(null as {TYPES[column.type]})"
        value = f"p.{quoted(column.name)}"
        return f"unnest({value})" if self.packed else value


def stage(
    connection: Connection, locks: LockNames, table: Table, rows: "pa.Table", part: Staged
) -> None:
    """Keep `rows` as `part`, in place of what is kept as that."""
    rows = as_declared(table, rows)
    packed = packable(table, rows, table.key)
    shape, columns_ddl = relation_of(table, rows)
    columns = list(packed.columns) if packed else list(rows.column_names)
    with connection.transaction():
        lock = locks.part(part.table, part.attempt, part.part)
        connection.execute("select pg_advisory_xact_lock(%s)", [lock])
        _drop(connection, part.attempt, part)
        found = connection.execute(
            "insert into qanat_staged (attempt, shape, part, columns, rows, packed, magnitude)"
            " values (%s, %s, %s, %s, %s, %s, %s) returning number",
            [
                part.attempt,
                part.table,
                part.part,
                columns,
                part.rows,
                packed is not None,
                packed.magnitude() if packed else 0,
            ],
        ).fetchone()
        relation = _relation(found[0] if found else 0)
        ddl = packed_ddl(columns) if packed else columns_ddl
        # It is read once, whole: nothing that vacuuming could do for it.
        connection.execute(
            f"create table {relation} ({ddl}) with (autovacuum_enabled = off)".encode()
        )
        if packed:
            copy(connection, relation, columns, packed.encode())
        else:
            copy(connection, relation, shape.names, encode(shape, numbered(rows)))


def staged(connection: Connection, table: Table, attempt: UUID) -> list[Staged]:
    """List the parts of the shape of `table` that are staged under `attempt`."""
    found = connection.execute(
        "select part, rows from qanat_staged where attempt = %s and shape = %s order by part",
        [attempt, table.name],
    )
    return [Staged(table.name, attempt, part, rows) for part, rows in found]


def discard(connection: Connection, attempt: UUID) -> None:
    """Drop all parts of `attempt`."""
    dropped = _DROPS_MAX
    while dropped == _DROPS_MAX:
        with connection.transaction():
            dropped = _drop(connection, attempt, None)


def find(connection: Connection, parts: Sequence[Staged]) -> list[Part]:
    """Return where the given parts lie, in their order.

    Raises:
        Fatal: One isn't staged any more, or with another number of rows.
    """
    found = []
    for part in parts:
        row = connection.execute(
            "select number, columns, rows, packed, magnitude from qanat_staged"
            " where attempt = %s and shape = %s and part = %s",
            [part.attempt, part.table, part.part],
        ).fetchone()
        if row is None or row[2] != part.rows:
            there = "isn't staged" if row is None else f"is staged with {row[2]} rows"
            raise Fatal(
                f"part {part.part} of {part.table} {there} under {part.attempt}; "
                f"it was to have {part.rows}.",
                hint="Stage it again: merging without it would lose its rows.",
            )
        found.append(Part(_relation(row[0]), tuple(row[1]), row[2], row[3], int(row[4])))
    return found


def _relation(number: int) -> str:
    return f"qanat_part_{number}"


def _drop(connection: Connection, attempt: UUID, part: Staged | None) -> int:
    """Drop one part of an attempt, or some of all; return how many were dropped."""
    one = "true" if part is None else "shape = %(shape)s and part = %(part)s"
    numbers = connection.execute(
        "delete from qanat_staged where (attempt, shape, part) in"
        f" (select attempt, shape, part from qanat_staged where attempt = %(attempt)s and {one}"
        f" order by shape, part limit {_DROPS_MAX} for update) returning number".encode(),
        {
            "attempt": attempt,
            "shape": part.table if part else None,
            "part": part.part if part else None,
        },
    ).fetchall()
    if numbers:
        names = ", ".join(_relation(number) for (number,) in numbers)
        connection.execute(f"drop table {names}".encode())
    return len(numbers)
