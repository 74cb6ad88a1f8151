"""A rebuilt table in the place of a live one, by writing the differences.

Renaming would be quicker where everything differs, but PostgreSQL's catalogue knows no snapshots: a reader whose moment is before
the exchange, and who looks at the table for the first time after it, would find it without the rows that were committed since.
A rebuilt table is mostly equal to the live one, so that there is little to write.
"""

from qanat.errors import Fatal
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_types import names_of, quoted
from qanat.tables import Table

_COLUMNS = """
    select attname::text, format_type(atttypid, atttypmod)
    from pg_attribute
    where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
"""


def swap(connection: Connection, live: Table, rebuilt: Table) -> None:
    """Let `live` hold the rows of `rebuilt`, and drop that.

    Raises:
        Fatal: One isn't there, or their columns differ.
    """
    before, after = (_columns(connection, table) for table in (live, rebuilt))
    if not before or before != after:
        raise Fatal(
            f"{rebuilt.name} can't take the place of {live.name}: it isn't there, or has other columns."
        )
    names = names_of(sorted(before))
    connection.execute(f"analyze {quoted(rebuilt.name)}".encode())
    if live.key:
        _exchange(connection, live, rebuilt, sorted(before))
    else:
        connection.execute(f"delete from {quoted(live.name)}".encode())
        insert = f"insert into {quoted(live.name)} ({names}) select {names} from"
        connection.execute(f"{insert} {quoted(rebuilt.name)}".encode())
    connection.execute(f"drop table {quoted(rebuilt.name)}".encode())


def _exchange(connection: Connection, live: Table, rebuilt: Table, names: list[str]) -> None:
    """Remove the rows that aren't in `rebuilt` as they are, then add those that aren't in `live`."""
    same = " and ".join(f"t.{quoted(name)} = r.{quoted(name)}" for name in live.key)
    equal = f"({names_of(names, 't.')}) is not distinct from ({names_of(names, 'r.')})"
    gone = f"select from {quoted(rebuilt.name)} r where {same} and {equal}"
    connection.execute(f"delete from {quoted(live.name)} t where not exists ({gone})".encode())
    there = f"select from {quoted(live.name)} t where {same}"
    connection.execute(
        f"insert into {quoted(live.name)} ({names_of(names)}) select {names_of(names, 'r.')}"
        f" from {quoted(rebuilt.name)} r where not exists ({there})".encode()
    )


def _columns(connection: Connection, table: Table) -> dict[str, str]:
    return dict(connection.execute(_COLUMNS, [quoted(table.name)]).fetchall())
