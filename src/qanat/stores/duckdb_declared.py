"""Declared tables in a DuckDB store: made, widened, or refused."""

from collections.abc import Iterator, Sequence

import duckdb

from qanat.errors import Fatal
from qanat.interfaces import Change
from qanat.stores.duckdb_arrow import SQL_TYPES
from qanat.stores.duckdb_sql import column_list, quoted
from qanat.tables import Column, Table

# Listing the whole catalogue (duckdb_columns) makes DuckDB load all that it could ever hold: 60 ms at the first call.
_COLUMNS = """
    -- one row per column of a table, in order
    select name, type, pk
    from pragma_table_info($table)
    order by cid
"""


def migrate(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> Iterator[Change]:
    """Make or widen the declared tables, inside the caller's transaction.

    Raises:
        Fatal: A column or a key is other than declared.
    """
    for table in tables:
        found = _info(connection, table.name)
        if not found:
            create(connection, table)
            yield Change(table.name, "created")
            continue
        there = {name: kind for name, kind, _ in found}
        _check(table, there, {name for name, _, is_key in found if is_key})
        for column in table.columns:
            if column.name not in there:
                _add(connection, table, column)
                yield Change(table.name, f"added column {column.name}")
        for names in _missing_indexes(connection, table):
            _add_index(connection, table, names)
            yield Change(table.name, f"made an index on ({', '.join(names)})")


def create(
    connection: duckdb.DuckDBPyConnection, table: Table, others: Sequence[tuple[str, str]] = ()
) -> None:
    """Make a table.

    Args:
        connection: Where to.
        table: As declared. A large one gets neither index nor constraint on its key.
        others: Names and SQL types of columns that an earlier declaration had.
    """
    lines = [_definition(table, column) for column in table.columns]
    lines += [f"{quoted(name)} {kind}" for name, kind in others]
    if not table.large:
        lines += [f"primary key ({column_list(table.key)})"] if table.key else []
        lines += [f"unique ({column_list(names)})" for names in table.unique]
    connection.execute(f"create table {quoted(table.name)} ({', '.join(lines)})")
    for names in indexes_of(table):
        _add_index(connection, table, names)


def swap(connection: duckdb.DuckDBPyConnection, live: Table, rebuilt: Table) -> int:
    """Let a rebuilt table take the place of a live one; return how many rows the live one had.

    By renaming: DuckDB's catalogue is transactional, so that older snapshots still see the old table. Neither may have indexes
    that it needs to keep: see `duckdb_indexes`.

    Raises:
        Fatal: One isn't there, or their columns differ.
    """
    before, after = (columns_of(connection, table.name) for table in (live, rebuilt))
    if (
        not before
        or before != {name: after.get(name) for name in before}
        or len(after) != len(before)
    ):
        raise Fatal(
            f"{rebuilt.name} can't take the place of {live.name}: it isn't there, or has other columns"
        )
    count = connection.execute(f"select count(*) from {quoted(live.name)}").fetchall()[0][0]
    connection.execute(f"drop table {quoted(live.name)}")
    connection.execute(f"alter table {quoted(rebuilt.name)} rename to {quoted(live.name)}")
    return int(count)


def add_indexes(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the declared indexes that a table doesn't have."""
    for names in list(_missing_indexes(connection, table)):
        _add_index(connection, table, names)


def columns_of(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Return the SQL type of each column that a table has, in order; empty without such a table."""
    return {column: kind for column, kind, _ in _info(connection, name)}


def _info(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str, bool]]:
    try:
        return connection.execute(_COLUMNS, {"table": quoted(name)}).fetchall()
    except duckdb.CatalogException:
        return []


def _definition(table: Table, column: Column) -> str:
    required = not column.nullable or column.name in table.key
    return f"{quoted(column.name)} {SQL_TYPES[column.type]}{' not null' if required else ''}"


def _check(table: Table, there: dict[str, str], key: set[str]) -> None:
    for column in table.columns:
        kind = there.get(column.name)
        if kind is not None and kind != SQL_TYPES[column.type]:
            raise Fatal(
                f"{table.name}.{column.name} is {kind} in the store and declared {column.type}"
                f" ({SQL_TYPES[column.type]})",
                hint="Declare it as it is, or give the new one another name.",
            )
    expected = set() if table.large else set(table.key)
    if key != expected:
        raise Fatal(
            f"{table.name} has the primary key ({', '.join(sorted(key))}) in the store,"
            f" and ({', '.join(sorted(expected))}) by its declaration",
            hint="A key can't be changed in place: copy the rows into a table of another name.",
        )


def indexes_of(table: Table) -> Sequence[tuple[str, ...]]:
    """Return the indexes that are made: of a large table the first alone."""
    return table.indexes[:1] if table.large else table.indexes


def _missing_indexes(
    connection: duckdb.DuckDBPyConnection, table: Table
) -> Iterator[tuple[str, ...]]:
    if not table.indexes:
        return  # listing them makes DuckDB load its catalogue
    find = "select index_name from duckdb_indexes() where table_name = $table"
    there = {name for (name,) in connection.execute(find, {"table": table.name}).fetchall()}
    for names in indexes_of(table):
        if _index_name(table, names) not in there:
            yield names


def _add_index(connection: duckdb.DuckDBPyConnection, table: Table, names: tuple[str, ...]) -> None:
    index, columns = quoted(_index_name(table, names)), column_list(names)
    connection.execute(f"create index {index} on {quoted(table.name)} ({columns})")


def _index_name(table: Table, names: tuple[str, ...]) -> str:
    return f"{table.name}_by_{'_'.join(names)}"


def _add(connection: duckdb.DuckDBPyConnection, table: Table, column: Column) -> None:
    kind = SQL_TYPES[column.type]
    alter = f"alter table {quoted(table.name)}"
    if not column.nullable and connection.execute(f"from {quoted(table.name)} limit 1").fetchall():
        raise Fatal(
            f"{table.name} has rows, so that the new column {column.name} has to be nullable"
        )
    connection.execute(f"{alter} add column {quoted(column.name)} {kind}")
    if not column.nullable:
        connection.execute(f"{alter} alter column {quoted(column.name)} set not null")
