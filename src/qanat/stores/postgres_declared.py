"""The declared tables in PostgreSQL: made, widened, checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qanat.errors import Fatal
from qanat.interfaces import Change
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_types import TYPES, column_ddl, names_of, quoted
from qanat.tables import Column, ColumnType, Table

# A file with a tenth of all consumers changes a tenth of each page's rows. With 15 % of a page free the new rows fit beside
# the old ones, no index changes, and the merge takes half the time (measured: 5.6 s instead of 10 to 14 s).
_FILL_PERCENT = 85


@dataclass(frozen=True, slots=True)
class _Found:
    """A table as it is in the database: each column's type and whether it may be null, the sets of unique columns, and by
    which columns in which order there is an index.
    """

    columns: dict[str, tuple[str, bool]]
    key: frozenset[str]
    unique: frozenset[frozenset[str]]
    indexes: frozenset[tuple[str, ...]]


def migrate(connection: Connection, schema: str, tables: Sequence[Table]) -> list[Change]:
    """Bring the declared tables up to date, all of them or, on an error, none."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [LockNames(schema).migration()])
        return [change for table in tables for change in _bring_up_to_date(connection, table)]


def _bring_up_to_date(connection: Connection, table: Table) -> Iterator[Change]:
    found = _find(connection, table)
    if found is None:
        connection.execute(_create(table).encode())
        for columns in table.unique:
            _add_unique(connection, table, columns)
        for columns in table.indexes:
            _add_index(connection, table, columns)
        yield Change(table.name, "created")
        return
    if found.key != set(table.key):
        raise Fatal(
            f"{table.name} has the key {_list(found.key)} in the database and {_list(table.key)} as declared.",
            hint="Declare it as it is, or give the new table another name.",
        )
    for column in table.columns:
        yield from _column(connection, table, column, found)
    for columns in table.unique:
        if frozenset(columns) not in found.unique:
            _add_unique(connection, table, columns)
            yield Change(table.name, f"made {_list(columns)} unique")
    for columns in table.indexes:
        if columns not in found.indexes:
            _add_index(connection, table, columns)
            yield Change(table.name, f"made an index on {_list(columns)}")


def _find(connection: Connection, table: Table) -> _Found | None:
    """Look the table up in the catalogue of the connection's schema."""
    relation = connection.execute("select to_regclass(%s)::oid", [quoted(table.name)]).fetchone()
    if relation is None or relation[0] is None:
        return None
    columns = connection.execute(
        "select attname, format_type(atttypid, atttypmod), not attnotnull from pg_attribute"
        " where attrelid = %s and attnum > 0 and not attisdropped",
        [relation[0]],
    ).fetchall()
    indexes = connection.execute(
        "select i.indisprimary, i.indisunique,"
        " array_agg(a.attname::text order by array_position(i.indkey, a.attnum))"
        " from pg_index i join pg_attribute a"
        " on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
        " where i.indrelid = %s and i.indpred is null group by i.indexrelid, 1, 2",
        [relation[0]],
    ).fetchall()
    keys = [frozenset(names) for primary, _, names in indexes if primary]
    return _Found(
        {name: (kind, nullable) for name, kind, nullable in columns},
        keys[0] if keys else frozenset(),
        frozenset(frozenset(names) for _, unique, names in indexes if unique),
        frozenset(tuple(names) for _, _, names in indexes),
    )


def _create(table: Table) -> str:
    parts = [column_ddl(column) for column in table.columns]
    if table.key:
        parts.append(f"primary key ({names_of(_index_order(table))})")
    filling = f" with (fillfactor = {_FILL_PERCENT})" if table.large else ""
    return f"create table {quoted(table.name)} ({', '.join(parts)}){filling}"


def _index_order(table: Table) -> list[str]:
    """The columns of the key in the order of its index: for a large table time comes first.

    Rows of a new hour are then appended to the index instead of being scattered over all of it.
    """

    def is_late(name: str) -> bool:
        return table.column(name).type is not ColumnType.TIMESTAMP

    return sorted(table.key, key=is_late) if table.large else list(table.key)


def _column(
    connection: Connection, table: Table, column: Column, found: _Found
) -> Iterator[Change]:
    name = quoted(table.name)
    if column.name not in found.columns:
        if (
            not column.nullable
            and connection.execute(f"select from {name} limit 1".encode()).fetchall()
        ):
            raise Fatal(
                f"{table.name} has rows, so the new column {column.name} has to be nullable.",
                hint="Declare it nullable, or give the table another name.",
            )
        connection.execute(f"alter table {name} add column {column_ddl(column)}".encode())
        yield Change(table.name, f"added column {column.name}")
        return
    kind, nullable = found.columns[column.name]
    if kind != TYPES[column.type]:
        raise Fatal(
            f"{table.name}.{column.name} is {kind} in the database and {TYPES[column.type]} as declared.",
            hint="Declare it as it is, or give the new column another name.",
        )
    if column.nullable and not nullable and column.name not in table.key:
        connection.execute(
            f"alter table {name} alter column {quoted(column.name)} drop not null".encode()
        )
        yield Change(table.name, f"column {column.name} may be null")


def _add_unique(connection: Connection, table: Table, columns: Sequence[str]) -> None:
    connection.execute(
        f"create unique index on {quoted(table.name)} ({names_of(columns)})".encode()
    )


def _add_index(connection: Connection, table: Table, columns: Sequence[str]) -> None:
    connection.execute(f"create index on {quoted(table.name)} ({names_of(columns)})".encode())


def _list(columns: Sequence[str] | frozenset[str]) -> str:
    return f"({', '.join(sorted(columns))})"
