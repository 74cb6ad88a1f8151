"""Merging staged parts into a table."""

from collections.abc import Mapping, Sequence

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.records import Staged
from qanat.stores import postgres_modes, postgres_staging, postgres_sums
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_load import Incoming, temporary
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_packed import array_length, packed_ddl
from qanat.stores.postgres_staging import Part
from qanat.stores.postgres_sums import PackedSums
from qanat.stores.postgres_types import quoted
from qanat.tables import Add, Replace, Table, WriteMode


def merge(
    connection: Connection,
    locks: LockNames,
    table: Table,
    staged: Sequence[Staged],
    mode: WriteMode,
    constants: Mapping[str, Scalar],
) -> int:
    """Write all rows of `staged` into `table` by `mode`; return how many they were."""
    parts = [part for part in postgres_staging.find(connection, staged) if part.rows]
    rows = sum(part.rows for part in parts)
    if isinstance(mode, Add) and parts and _packed(table, parts, mode, constants):
        postgres_modes.check_key(table, mode)
        postgres_sums.lock_alone(connection, locks, table)
        sums = _as_one(connection, table, parts, mode, constants)
        postgres_sums.add(connection, sums, None)
    elif parts:
        if isinstance(mode, Add):
            postgres_sums.lock_shared(connection, locks, table)
        postgres_modes.apply(connection, _incoming(table, parts, constants), mode)
    elif isinstance(mode, Replace):
        postgres_modes.clear(connection, table, mode)
    return rows


def _incoming(table: Table, parts: Sequence[Part], constants: Mapping[str, Scalar]) -> Incoming:
    strange = [name for part in parts for name in part.columns if name not in table.names]
    if strange:
        raise ConfigError(
            f"a column for {table.name}", strange[0], f"one of {', '.join(table.names)}"
        )
    columns = [name for name in table.names if any(name in part.columns for part in parts)]
    selects = [part.unpacked(table, columns, place) for place, part in enumerate(parts)]
    return Incoming(table, f"({' union all '.join(selects)})", tuple(columns), constants)


def _packed(
    table: Table, parts: Sequence[Part], mode: Add, constants: Mapping[str, Scalar]
) -> bool:
    """Whether the parts are arrays of one kind, fit for the table's key, and their sums stay within 64 bits."""
    first = parts[0]
    greatest = sum(part.magnitude for part in parts)
    repeated = [abs(int(str(constants[n]))) for n in mode.sums if constants.get(n) is not None]
    return (
        all(part.packed and part.columns == first.columns for part in parts)
        and max([greatest, *(value * len(parts) for value in repeated)]) < 2**63
        and postgres_sums.can_pack(table, mode, first.columns, constants)
    )


def _as_one(
    connection: Connection,
    table: Table,
    parts: Sequence[Part],
    mode: Add,
    constants: Mapping[str, Scalar],
) -> PackedSums:
    """Return the parts as one packed relation: a single one as it is, several summed by key."""
    key, *values = parts[0].columns
    if len(parts) == 1:
        relation, rows = parts[0].relation, parts[0].rows
        return PackedSums(table, mode, relation, key, tuple(values), rows, constants)
    # A constant that is added counts for every part in which a key occurs.
    values += [name for name in mode.sums if name in constants]
    left = {name: value for name, value in constants.items() if name not in values}
    relation = temporary(connection, packed_ddl([key, *values]), "merge")
    rows = _sum_into(connection, relation, (key, *values), _incoming(table, parts, constants))
    return PackedSums(table, mode, relation, key, tuple(values), rows, left)


def _sum_into(
    connection: Connection, relation: str, columns: Sequence[str], incoming: Incoming
) -> int:
    """Sum `incoming` by the first of `columns` into a packed relation; return how many keys there are."""
    key = quoted(columns[0])
    sums = ", ".join(f"cast(sum({quoted(n)}) as bigint) as {quoted(n)}" for n in columns[1:])
    arrays = ", ".join(f"array_agg({quoted(name)} order by {key})" for name in columns)
    length = array_length(len(columns))
    with postgres_sums.roomy(connection):
        count = connection.execute(
            f"with summed as (select {key}, {sums},"
            f" (row_number() over (order by {key}) - 1) / {length} as place"
            f" from {incoming.sql} q group by {key}),"
            f" arrays as (insert into {relation} select {arrays} from summed group by place"
            f" order by place returning cardinality({key}) as length)"
            " select sum(length) from arrays".encode(),
            incoming.parameters,
        ).fetchone()
    return int(count[0]) if count else 0
