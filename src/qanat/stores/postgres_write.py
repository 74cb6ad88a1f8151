"""Writing rows that are in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qanat.interfaces import Scalar
from qanat.stores import postgres_modes, postgres_sums
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_encode import encode
from qanat.stores.postgres_load import Incoming, copy, load, temporary
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_packed import Packable, packable, packed_ddl
from qanat.stores.postgres_results import batch_of
from qanat.stores.postgres_sums import PackedSums
from qanat.stores.postgres_types import (
    as_declared,
    check_constants,
    quoted,
    with_constants,
)
from qanat.tables import Add, Append, InsertNew, Latest, Replace, Table, Upsert, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

# Fewer sums are added sooner by one statement, and others may add beside it.
PACKED_ROWS_MIN = 2_000


@dataclass(frozen=True, slots=True)
class _Packed:
    """Rows that are in the database as arrays: most are written into two tables, one after the other."""

    rows: "pa.Table"
    packable: Packable
    relation: str


class Writer:
    """Writes within one transaction."""

    def __init__(self, connection: Connection, locks: LockNames) -> None:
        self._connection = connection
        self._locks = locks
        self._packed: _Packed | None = None

    def write(
        self, table: Table, rows: "pa.Table", mode: WriteMode, constants: Mapping[str, Scalar]
    ) -> "pa.Table":
        """Write `rows` by `mode`; return those that took effect, with the constants as columns."""
        check_constants(table, rows, constants)
        postgres_modes.check_key(table, mode)
        declared = as_declared(table, rows)
        if isinstance(mode, Replace):
            postgres_modes.clear(self._connection, table, mode)
        if not rows.num_rows:
            return with_constants(table, declared, constants)
        if isinstance(mode, Append | Replace):
            columns = (*declared.column_names, *constants)
            copy(self._connection, quoted(table.name), columns, encode(table, declared, constants))
            return with_constants(table, declared, constants)
        if isinstance(mode, Add):
            self._add(table, rows, declared, mode, constants)
            return with_constants(table, declared, constants)
        return self._choose(table, declared, mode, constants)

    def _choose(
        self,
        table: Table,
        rows: "pa.Table",
        mode: Upsert | InsertNew | Latest,
        constants: Mapping[str, Scalar],
    ) -> "pa.Table":
        incoming = self._load(table, rows, constants)
        cursor = postgres_modes.apply(self._connection, incoming, mode)
        if cursor is not None:
            effective = with_constants(table, rows, constants).schema
            return _table(cursor.fetchall(), effective)
        return with_constants(table, last_of_each(rows, mode.key), constants)

    def _add(
        self,
        table: Table,
        rows: "pa.Table",
        declared: "pa.Table",
        mode: Add,
        constants: Mapping[str, Scalar],
    ) -> None:
        packed = self._pack(table, rows, declared, mode, constants)
        if packed is None:
            postgres_sums.lock_shared(self._connection, self._locks, table)
            postgres_modes.apply(self._connection, self._load(table, declared, constants), mode)
            return
        postgres_sums.lock_alone(self._connection, self._locks, table)
        given = packed.packable
        sums = PackedSums(
            table, mode, packed.relation, given.key, tuple(given.values), len(given.keys), constants
        )
        postgres_sums.add(self._connection, sums, given)

    def _pack(
        self,
        table: Table,
        rows: "pa.Table",
        declared: "pa.Table",
        mode: Add,
        constants: Mapping[str, Scalar],
    ) -> _Packed | None:
        """Bring many sums into the database as arrays, unless the last ones were the same; None if they can't be."""
        if rows.num_rows < PACKED_ROWS_MIN:
            return None
        packed = self._packed
        if packed is None or packed.rows is not rows:
            free = [name for name in mode.key if name not in constants]
            found = packable(table, declared, free)
            packed = None if found is None else _Packed(rows, found, "")
        if packed is None or not postgres_sums.can_pack(
            table, mode, packed.packable.columns, constants
        ):
            return None
        if not packed.relation:
            columns = packed.packable.columns
            relation = temporary(self._connection, packed_ddl(columns), "write")
            copy(self._connection, relation, columns, packed.packable.encode())
            packed = self._packed = _Packed(rows, packed.packable, relation)
        return packed

    def _load(self, table: Table, rows: "pa.Table", constants: Mapping[str, Scalar]) -> Incoming:
        relation = load(self._connection, table, rows)
        return Incoming(table, relation, tuple(rows.column_names), constants)


def last_of_each(rows: "pa.Table", key: Sequence[str]) -> "pa.Table":
    """Return the last row of each key, among the columns of `key` that `rows` has."""
    import numpy as np
    import pyarrow as pa

    columns = [name for name in key if name in rows.column_names]
    if not columns:
        return rows.slice(max(rows.num_rows - 1, 0))
    places = rows.select(columns).append_column("", pa.array(np.arange(rows.num_rows)))
    last = places.group_by(columns).aggregate([("", "max")]).column("_max")
    return rows if len(last) == rows.num_rows else rows.take(last)


def _table(rows: "list[tuple[object, ...]]", schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_batches([batch_of(rows, schema)], schema=schema)
