"""What each write mode is in SQL, for rows in a relation. Every statement takes its keys in sorted order.

Two transactions that touch the same keys in the same order wait for each other, but never in a circle.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qanat.errors import ConfigError
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_load import Incoming
from qanat.stores.postgres_types import TYPES, names_of, quoted
from qanat.tables import Add, Append, InsertNew, Latest, Replace, Table, Upsert, WriteMode

if TYPE_CHECKING:
    import psycopg


def apply(
    connection: Connection, incoming: Incoming, mode: WriteMode
) -> "psycopg.Cursor[tuple[Any, ...]] | None":
    """Write `incoming` by `mode`.

    Returns:
        A cursor over the rows that were new (`InsertNew`) or newer (`Latest`); None for a mode in which that goes without asking.
    """
    check_key(incoming.table, mode)
    if isinstance(mode, Append):
        run(connection, incoming, _plain_insert(incoming))
        return None
    if isinstance(mode, Replace):
        clear(connection, incoming.table, mode)
        run(connection, incoming, _plain_insert(incoming))
        return None
    if isinstance(mode, Add):
        _add(connection, incoming, mode)
        return None
    if isinstance(mode, Upsert):
        run(connection, incoming, _upsert(incoming, mode))
        return None
    choosy = _latest(incoming, mode) if isinstance(mode, Latest) else _insert_new(incoming, mode)
    return run(connection, incoming, choosy)


def check_key(table: Table, mode: WriteMode) -> None:
    """Refuse a mode whose key isn't kept unique by the table.

    Raises:
        ConfigError: It isn't.
    """
    if isinstance(mode, Append | Replace):
        return
    keys = [set(key) for key in (table.key, *table.unique) if key]
    if set(mode.key) not in keys:
        valid = " or ".join(", ".join(sorted(key)) for key in keys) or "absent: it has no key"
        raise ConfigError(f"the key for writing {table.name}", ", ".join(mode.key), valid)


def run(
    connection: Connection, incoming: Incoming, statement: str
) -> "psycopg.Cursor[tuple[Any, ...]]":
    """Execute a statement that refers to `incoming`."""
    return connection.execute(statement.encode(), incoming.parameters, binary=True)


def clear(connection: Connection, table: Table, mode: Replace) -> None:
    """Remove the rows whose columns equal the mode's."""
    places = {f"where_{place}": value for place, value in enumerate(mode.where.values())}
    tests = [
        f"{quoted(name)} = cast(%({place})s as {TYPES[table.column(name).type]})"
        for place, name in zip(places, mode.where, strict=True)
    ]
    where = f" where {' and '.join(tests)}" if tests else ""
    connection.execute(f"delete from {quoted(table.name)}{where}".encode(), places)


def _target(incoming: Incoming, names: Sequence[str] = ()) -> str:
    return f"insert into {quoted(incoming.table.name)} as t ({names_of(names or incoming.names)})"


def _plain_insert(incoming: Incoming) -> str:
    names = names_of(incoming.names)
    return f"{_target(incoming)} select {names} from {incoming.sql} q order by qanat_row"


def _one_per_key(incoming: Incoming, key: Sequence[str], order: str) -> str:
    """One row of `incoming` per key: the first by `order`. The keys come sorted."""
    keys, names = names_of(key), names_of(incoming.names)
    return f"select distinct on ({keys}) {names} from {incoming.sql} q order by {keys}, {order}"


def _replacing(incoming: Incoming, key: Sequence[str]) -> str:
    """Take over every column; one that isn't given becomes what it is by default, null."""
    others = [name for name in incoming.table.names if name not in key] or list(key)
    return "do update set " + ", ".join(f"{quoted(n)} = excluded.{quoted(n)}" for n in others)


def _upsert(incoming: Incoming, mode: Upsert) -> str:
    return (
        f"{_target(incoming)} {_one_per_key(incoming, mode.key, 'qanat_row desc')}"
        f" on conflict ({names_of(mode.key)}) {_replacing(incoming, mode.key)}"
    )


def _insert_new(incoming: Incoming, mode: InsertNew) -> str:
    return (
        f"{_target(incoming)} {_one_per_key(incoming, mode.key, 'qanat_row')}"
        f" on conflict ({names_of(mode.key)}) do nothing"
        f" returning {names_of(incoming.names, 't.')}"
    )


def _latest(incoming: Incoming, mode: Latest) -> str:
    version = quoted(mode.version)
    return (
        f"{_target(incoming)} {_one_per_key(incoming, mode.key, f'{version} desc, qanat_row')}"
        f" on conflict ({names_of(mode.key)}) {_replacing(incoming, mode.key)}"
        f" where t.{version} < excluded.{version}"
        f" returning {names_of(incoming.names, 't.')}"
    )


def _add(connection: Connection, incoming: Incoming, mode: Add) -> None:
    sums = ", ".join(f"{quoted(n)} = t.{quoted(n)} + excluded.{quoted(n)}" for n in mode.sums)
    action = f"do update set {sums}" if sums else "do nothing"
    run(
        connection,
        incoming,
        f"{_target(incoming)} {_summed(incoming, mode)} on conflict ({names_of(mode.key)}) {action}",
    )
    if mode.drop_when_zero is not None:
        same = " and ".join(f"t.{quoted(n)} = q.{quoted(n)}" for n in mode.key)
        run(
            connection,
            incoming,
            f"delete from {quoted(incoming.table.name)} t using {incoming.sql} q"
            f" where {same} and t.{quoted(mode.drop_when_zero)} = 0",
        )


def _summed(incoming: Incoming, mode: Add) -> str:
    """One row of `incoming` per key, with its sums and the other columns of the row that came first."""
    keys = names_of(mode.key)
    values = []
    for name in incoming.names:
        column, kind = quoted(name), TYPES[incoming.table.column(name).type]
        if name in mode.key:
            values.append(column)
        elif name in mode.sums:
            values.append(f"cast(sum({column}) as {kind})")
        else:
            values.append(f"(array_agg({column} order by qanat_row))[1]")
    return f"select {', '.join(values)} from {incoming.sql} q group by {keys} order by {keys}"
