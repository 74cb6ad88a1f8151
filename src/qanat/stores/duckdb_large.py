"""Adding to large tables, which have no index: in place when few rows are touched, else written anew."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from qanat.interfaces import Scalar
from qanat.stores import duckdb_declared, duckdb_modes
from qanat.stores.duckdb_arrow import conformed, narrowed, retyped
from qanat.stores.duckdb_combine import combined
from qanat.stores.duckdb_slices import Merge, Side, combined_slices, schema_of
from qanat.stores.duckdb_sql import bound, column_list, quoted
from qanat.stores.duckdb_staging import BATCH_ROWS
from qanat.stores.duckdb_writing import Writing, fetched
from qanat.tables import Add, ColumnType, Table

# Of 10 million rows 1 million take 1.5 s in place and 2.2 s anew; 100,000 take 0.3 s in place.
IN_PLACE_SHARE_MAX = 0.1
# What a row that is deleted and inserted takes of DuckDB's memory until the commit (measured: 1 million fit into 160 MiB).
IN_PLACE_ROW_BYTES = 160
# In place all added rows are in memory at once.
IN_PLACE_ROWS_MAX = 1_000_000

_BEFORE = "qanat_before"


@dataclass(frozen=True, slots=True)
class _Region:
    """The part of a table in which the added rows belong.

    Attributes:
        fixed: The columns of the key that have one value in it.
        rows: How many rows it has now.
        others: Columns in the store that aren't declared any more, with their SQL types.
    """

    fixed: dict[str, Scalar]
    rows: int
    others: dict[str, str]


def add(writing: Writing, table: Table, mode: Add, added: Side) -> None:
    """Add rows to a large table, in memory that doesn't grow with their number."""
    if not added.rows:
        return
    if added.given is not None and _is_by_time(table, mode) and added.rows <= IN_PLACE_ROWS_MAX:
        _by_time(writing, table, mode, added)
        writing.touched.add(table.name)
        return
    region = _region(writing, table, mode, added.constants)
    if added.rows <= _in_place_max(writing, region) or len(region.fixed) == len(mode.key):
        _in_place(writing, table, mode, added, region)
    else:
        _anew(writing, table, mode, added, region)
    writing.touched.add(table.name)


def _is_by_time(table: Table, mode: Add) -> bool:
    return table.column(mode.key[0]).type is ColumnType.TIMESTAMP


def _by_time(writing: Writing, table: Table, mode: Add, added: Side) -> None:
    """Add in place, in a table whose key begins with a time: only the span of the added rows is looked at.

    What arrives lies close together in time, and so do the rows of one time in the table, so that it costs as much in a large
    table as in a small one.
    """
    rows = conformed(table, added.given, added.constants)
    rows = retyped(combined(table, rows, mode), rows.schema)
    duckdb_modes.add_by_time(writing, table, rows, mode)


def _region(writing: Writing, table: Table, mode: Add, constants: Mapping[str, Scalar]) -> _Region:
    fixed = {name: value for name, value in constants.items() if name in mode.key}
    rows = writing.run(f"select count(*) from {quoted(table.name)} where {bound(fixed)}", fixed)
    there = duckdb_declared.columns_of(writing.connection, table.name)
    return _Region(fixed, rows, {one: there[one] for one in there if one not in table.names})


def _in_place_max(writing: Writing, region: _Region) -> float:
    memory = writing.database.memory_bytes
    fits = memory // IN_PLACE_ROW_BYTES if memory else IN_PLACE_ROWS_MAX
    return min(region.rows * IN_PLACE_SHARE_MAX, IN_PLACE_ROWS_MAX, fits)


def _in_place(writing: Writing, table: Table, mode: Add, added: Side, region: _Region) -> None:
    rows = writing.fetch(added.query, added.parameters) if added.given is None else added.given
    rows = conformed(table, rows, added.constants)
    rows = retyped(combined(table, rows, mode), rows.schema)
    with writing.rows(narrowed(rows)):
        duckdb_modes.add_in_place(writing, table, mode, region.fixed, tuple(region.others))
    writing.stale_rows += rows.num_rows


def _anew(writing: Writing, table: Table, mode: Add, added: Side, region: _Region) -> None:
    """Write the region anew, in the order of its keys, slice by slice.

    What is there is read through another connection, which still sees it while it is replaced here; unless this transaction
    changed it, when it is copied first.
    """
    before = f"select * from {quoted(table.name)} where {bound(region.fixed)}"
    if region.rows and not writing.touched.isdisjoint((table.name, "*")):
        writing.run(f"create temp table {_BEFORE} as {before}", region.fixed)
        merge = _merge(writing, table, mode, added, region, f"from {_BEFORE}", {})
        _empty(writing, table, region)
        with added.readable(writing.connection):
            for rows in combined_slices(writing.fetch, merge):
                writing.insert(table.name, rows, region.fixed)
        writing.run(f"drop table {_BEFORE}")
    else:
        merge = _merge(writing, table, mode, added, region, before, region.fixed)
        with writing.database.transaction(writes=False) as reader, added.readable(reader):
            _empty(writing, table, region)
            with closing(
                _ahead(combined_slices(fetched(writing.database, reader), merge))
            ) as slices:
                writing.insert_stream(table.name, _batches(slices), region.fixed)
    writing.stale_rows += region.rows


def _merge(
    writing: Writing,
    table: Table,
    mode: Add,
    added: Side,
    region: _Region,
    before: str,
    parameters: Mapping[str, Scalar],
) -> Merge:
    others = pa.schema([])
    if region.others:
        nothing = f"select {column_list(region.others)} from {quoted(table.name)} limit 0"
        others = writing.fetch(nothing).schema
    types = schema_of(table, region.fixed, others)
    free = {name: value for name, value in added.constants.items() if name not in region.fixed}
    key = tuple(name for name in mode.key if name not in region.fixed)
    return Merge(
        table,
        replace(mode, key=key),
        Side(before, tuple(types.names), region.rows, parameters, {}),
        replace(added, constants=free),
        types,
    )


def _empty(writing: Writing, table: Table, region: _Region) -> None:
    """Remove the region's rows: whole row groups, which takes neither time nor memory."""
    if not region.rows:
        return
    if region.fixed:
        writing.run(f"delete from {quoted(table.name)} where {bound(region.fixed)}", region.fixed)
    else:
        writing.run(f"drop table {quoted(table.name)}")
        with writing.database.errors():
            duckdb_declared.create(writing.connection, table, tuple(region.others.items()))


def _ahead(slices: Iterator[pa.Table]) -> Generator[pa.Table, None, None]:
    """Prepare the next slice in a thread while DuckDB writes the one before: an eighth less time on two cores."""
    with ThreadPoolExecutor(1, "qanat-merge") as pool:
        pending = pool.submit(next, slices, None)
        while (rows := pending.result()) is not None:
            pending = pool.submit(next, slices, None)
            yield rows


def _batches(slices: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    for rows in slices:
        yield from narrowed(rows).combine_chunks().to_batches(BATCH_ROWS)
