"""What is in a table and what is added to it, cut at the same keys and combined slice by slice."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import duckdb
import pyarrow as pa

from qanat.interfaces import Scalar
from qanat.service.pulse import current
from qanat.stores.duckdb_arrow import constant_column, narrowed
from qanat.stores.duckdb_combine import combined
from qanat.stores.duckdb_sql import column_list, quoted
from qanat.tables import Add, ColumnType, Table, arrow_schema

# Rows in one slice, both sides together: 30 MB with what numpy needs beside them. Half as many cost a quarter more processor
# time, because row groups are read again and again; twice as many save nothing.
SLICE_ROWS = 400_000
# Keys that are looked at to find where to cut: enough for slices within a few per cent of their size.
SAMPLE_ROWS = 20_000

_GIVEN = "qanat_given"
_LOW, _HIGH = "qanat_low", "qanat_high"

Read: TypeAlias = Callable[[str, Mapping[str, Scalar]], pa.Table]
"""Runs a query with parameters."""


@dataclass(frozen=True, slots=True)
class Side:
    """Rows that take part in a merge.

    Attributes:
        query: Selects them.
        names: The columns of `query`.
        rows: How many there are.
        parameters: Those of `query`.
        constants: Columns with one value that `query` doesn't have.
        given: The rows themselves, if they aren't in the database; `query` finds them where they are `readable`.
    """

    query: str
    names: tuple[str, ...]
    rows: int
    parameters: Mapping[str, Scalar]
    constants: Mapping[str, Scalar]
    given: pa.Table | None = None

    @classmethod
    def of(cls, rows: pa.Table, constants: Mapping[str, Scalar]) -> "Side":
        """Return the side of rows in memory."""
        names = tuple(rows.column_names)
        query = f"select {column_list(names)} from {_GIVEN}"
        return cls(query, names, rows.num_rows, {}, constants, rows)

    @contextmanager
    def readable(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Let `query` find its rows in statements of the block."""
        if self.given is not None:
            connection.register(_GIVEN, self.given)
        yield
        if self.given is not None:
            connection.unregister(_GIVEN)


@dataclass(frozen=True, slots=True)
class Merge:
    """What is added to what.

    Attributes:
        table: Names the types.
        mode: Says what adds up, by those columns of the key in which rows differ.
        before: The rows that are there already.
        added: The rows that are added to them.
        types: The columns of the combined rows.
    """

    table: Table
    mode: Add
    before: Side
    added: Side
    types: pa.Schema


def combined_slices(read: Read, merge: Merge) -> Iterator[pa.Table]:
    """Give the combined rows in slices of ascending keys; 128-bit sums are int64 where all of a slice fit."""
    name, cuts = _cuts(read, merge)
    for low, high in zip((None, *cuts), (*cuts, None), strict=True):
        before, added = (
            _slice(read, merge, side, name, low, high) for side in (merge.before, merge.added)
        )
        current().beat()
        yield combined(
            merge.table, _joined(before, added, merge.types), merge.mode, before.num_rows
        )


def _cuts(read: Read, merge: Merge) -> tuple[str, tuple[Scalar, ...]]:
    """Return the column to cut by, and the values at which a new slice begins, ascending."""
    total = merge.before.rows + merge.added.rows
    count = -(-total // SLICE_ROWS)
    if count == 1:
        return merge.mode.key[0], ()
    import pyarrow.compute as pc

    sample = pa.concat_tables(
        read(
            f"select {column_list(merge.mode.key)} from ({side.query})"
            f" using sample {max(1, SAMPLE_ROWS * side.rows // total)} rows",
            side.parameters,
        )
        for side in (merge.before, merge.added)
    )
    name = max(merge.mode.key, key=lambda one: pc.count_distinct(sample.column(one)).as_py())
    column = sample.column(name)
    ordered = column.take(pc.sort_indices(column))
    places = [len(ordered) * number // count for number in range(1, count)]
    return name, tuple(dict.fromkeys(ordered.take(pa.array(places)).to_pylist()))


def _slice(read: Read, merge: Merge, side: Side, name: str, low: Scalar, high: Scalar) -> pa.Table:
    """Return the rows of one side in one range of keys, with all columns."""
    if not side.rows:
        return pa.Table.from_arrays([[]] * len(merge.types), schema=merge.types)
    bounds = {_LOW: low, _HIGH: high}
    tests = {_LOW: f"{quoted(name)} >= ${_LOW}", _HIGH: f"{quoted(name)} < ${_HIGH}"}
    cut = {one: value for one, value in bounds.items() if value is not None}
    if not cut and side.given is not None:
        return _with_constants(narrowed(side.given), side, merge.types)
    where = " and ".join(tests[one] for one in cut) or "true"
    wide = [
        one
        for one in merge.mode.sums
        if merge.table.column(one).type == ColumnType.INT128 and one in side.names
    ]
    # Half the cost of a 128-bit integer is its way through Arrow; hardly any needs it.
    narrow = ", ".join(f"try_cast({quoted(one)} as bigint) as {quoted(one)}" for one in wide)
    rest = column_list(one for one in side.names if one not in wide)
    query = f"from ({side.query}) where {where}"
    parameters = {**side.parameters, **cut}
    rows = read(f"select {', '.join(filter(None, (rest, narrow)))} {query}", parameters)
    if any(rows.column(one).null_count for one in wide):
        rows = read(f"select {column_list(side.names)} {query}", parameters)
    return _with_constants(rows, side, merge.types)


def _with_constants(rows: pa.Table, side: Side, types: pa.Schema) -> pa.Table:
    for name, value in side.constants.items():
        column = constant_column(value, types.field(name).type, rows.num_rows)
        rows = rows.append_column(name, column)
    return rows


def _joined(before: pa.Table, added: pa.Table, types: pa.Schema) -> pa.Table:
    """Return both tables, one after the other; columns that one lacks are null in it."""
    arrays = []
    for field in types:
        columns = [
            rows.column(field.name)
            if field.name in rows.column_names
            else pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
            for rows in (before, added)
        ]
        if columns[0].type != columns[1].type and before.num_rows and added.num_rows:
            columns = [column.cast(field.type) for column in columns]
        elif not before.num_rows:
            columns = columns[1:]
        elif not added.num_rows:
            columns = columns[:1]
        arrays.append(pa.chunked_array([chunk for column in columns for chunk in column.chunks]))
    return pa.Table.from_arrays(arrays, names=types.names)


def schema_of(table: Table, fixed: Mapping[str, Scalar], others: pa.Schema) -> pa.Schema:
    """Return the columns of `table` that aren't fixed, and those that the store has besides."""
    declared = [
        field.with_nullable(True) for field in arrow_schema(table) if field.name not in fixed
    ]
    return pa.schema([*declared, *others])
