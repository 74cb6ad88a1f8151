"""Adding to large tables, which have no index: in place when few rows are touched, else written anew."""

from dataclasses import dataclass, replace

import pyarrow as pa

from qanat.interfaces import Scalar
from qanat.stores import duckdb_declared, duckdb_modes
from qanat.stores.duckdb_arrow import conformed, narrowed
from qanat.stores.duckdb_combine import combined
from qanat.stores.duckdb_slices import Addition, Slices
from qanat.stores.duckdb_sql import bound, quoted
from qanat.stores.duckdb_writing import Writing
from qanat.tables import Add, Table

# Of 10 million rows 1 million take 1.5 s in place and 2.2 s anew; 100,000 take 0.3 s in place.
IN_PLACE_SHARE_MAX = 0.1
# What a row that is deleted and inserted takes of DuckDB's memory until the commit (measured: 1 million fit into 160 MiB).
IN_PLACE_ROW_BYTES = 160
# In place all added rows are in memory at once.
IN_PLACE_ROWS_MAX = 1_000_000


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


def add(writing: Writing, table: Table, mode: Add, addition: Addition) -> None:
    """Add rows to a large table, in memory that doesn't grow with their number."""
    if not addition.rows:
        return
    region = _region(writing, table, mode, addition)
    limit = writing.database.memory_bytes
    few = min(
        region.rows * IN_PLACE_SHARE_MAX,
        IN_PLACE_ROWS_MAX,
        limit // IN_PLACE_ROW_BYTES if limit else IN_PLACE_ROWS_MAX,
    )
    if addition.rows <= few or set(region.fixed) == set(mode.key):
        _in_place(writing, table, mode, addition, region)
    else:
        _anew(writing, table, mode, addition, region)
    writing.touched.add(table.name)


def _region(writing: Writing, table: Table, mode: Add, addition: Addition) -> _Region:
    fixed = {name: value for name, value in addition.constants.items() if name in mode.key}
    rows = writing.run(f"select count(*) from {quoted(table.name)} where {bound(fixed)}", fixed)
    there = duckdb_declared.columns_of(writing.connection, table.name)
    others = {name: kind for name, kind in there.items() if name not in table.names}
    return _Region(fixed, rows, others)


def _in_place(
    writing: Writing, table: Table, mode: Add, addition: Addition, region: _Region
) -> None:
    with addition.readable(writing.connection):
        rows = writing.fetch(addition.query)
    rows = conformed(table, rows, addition.constants)
    rows = combined(table, rows, mode).cast(rows.schema)
    with writing.rows(narrowed(rows)):
        duckdb_modes.add_in_place(writing, table, mode, region.fixed, tuple(region.others))
    writing.stale_rows += rows.num_rows


def _anew(writing: Writing, table: Table, mode: Add, addition: Addition, region: _Region) -> None:
    """Write the region anew, in the order of its keys, slice by slice.

    What is there is read through another connection, which still sees it while it is replaced here; unless this transaction
    changed it, when it is copied first.
    """
    free = replace(mode, key=tuple(name for name in mode.key if name not in region.fixed))
    columns = (*(name for name in table.names if name not in region.fixed), *region.others)
    before = f"select * from {quoted(table.name)} where {bound(region.fixed)}"
    slices = Slices(table, free, addition, columns, region.rows)
    if not writing.touched.isdisjoint((table.name, "*")):
        writing.run(f"create temp table qanat_before as {before}", region.fixed)
        _empty(writing, table, region)
        slices.begin(writing.connection, "select * from qanat_before", {})
        with addition.readable(writing.connection):
            for rows in slices.combined(writing.database):
                writing.insert(table.name, rows, region.fixed)
        writing.run("drop table qanat_before")
    else:
        with writing.database.transaction(writes=False) as reader, addition.readable(reader):
            slices.begin(reader, before, region.fixed)
            _empty(writing, table, region)
            batches = _batches(slices, writing)
            writing.insert_stream(table.name, batches, region.fixed)
    writing.stale_rows += region.rows
