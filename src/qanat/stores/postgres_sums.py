"""Adding many sums to a large table: packed rows, one pass over the index, in the table's place where possible.

Three steps, in one transaction that has the table's sums to itself: add to the rows that are there; find which keys those were
(a row that this transaction wrote carries its number); insert the others. The rows of a large table leave 15 % of each page free
(see `postgres_declared`), so that a changed row stays in its page and no index changes: half the time.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qanat.errors import Retryable
from qanat.interfaces import Scalar
from qanat.stores.postgres_binary import Wide, binary, constant_wire
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_load import constant_parameters, constant_sql, copy
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_numbers import Int64s
from qanat.stores.postgres_packed import Packable, keys_of
from qanat.stores.postgres_types import names_of, quoted
from qanat.tables import Add, ColumnType, Table

if TYPE_CHECKING:
    import psycopg

# A million sums are sorted in 60 MB. The server's default of 4 MB would send them to its disk.
_WORK_MEMORY = "128MB"
# Asked for at a time: some 200,000 keys.
_ARRAYS_MAX = 2_000
# This transaction wrote the row: it was there before, or an earlier statement of ours has made it.
_OURS = "t.xmin = pg_current_xact_id()::xid"


@dataclass(frozen=True, slots=True)
class PackedSums:
    """Packed sums in a relation, to be added to `table` by `mode`.

    Attributes:
        relation: Its name in SQL; columns `key` and `values`, each an array.
        values: The sums' columns in the relation.
        rows: How many keys there are.
        constants: Columns with one value: the rest of the key, sums, others.
    """

    table: Table
    mode: Add
    relation: str
    key: str
    values: tuple[str, ...]
    rows: int
    constants: Mapping[str, Scalar]

    @property
    def parameters(self) -> dict[str, Any]:
        """What to bind to every statement."""
        return constant_parameters(self.table, self.constants)

    def _value(self, name: str) -> str:
        """The given value of column `name` for the row `t`."""
        if name in self.constants:
            return constant_sql(self.table, name)
        # The keys ascend: the place of one among them is found by bisection.
        return f"s.{quoted(name)}[width_bucket(t.{quoted(self.key)}, s.{quoted(self.key)})]"

    @property
    def matching(self) -> str:
        """The condition that a row `t` of the table has the key of one in the arrays `s`."""
        tests = [f"t.{quoted(self.key)} = any(s.{quoted(self.key)})"]
        # Not a plain `=`, which could be hashed: the whole table would be, and every row be compared with every array.
        tests += [f"t.{quoted(n)} = any(array[s.{quoted(n)}])" for n in self._fixed]
        return " and ".join(tests)

    @property
    def _fixed(self) -> tuple[str, ...]:
        """The columns of the key that have one value."""
        return tuple(n for n in self.mode.key if n != self.key)

    @property
    def _source(self) -> str:
        """The arrays `s`, each with the rest of the key.

        The fence (`offset 0`) hides the rest's values from the planner. It would otherwise begin with the table's rows of a
        period, of which it knows none as long as nothing was analysed, and compare every one with every array: minutes.
        """
        if not self._fixed:
            return f"{self.relation} s"
        rest = "".join(f", {constant_sql(self.table, n)} as {quoted(n)}" for n in self._fixed)
        return f"(select a.*{rest} from {self.relation} a offset 0) s"

    def update(self, connection: Connection) -> int:
        """Add to the rows that are there; return how many those were."""
        sums = ", ".join(f"{quoted(n)} = t.{quoted(n)} + {self._value(n)}" for n in self.mode.sums)
        return self._run(
            connection,
            f"update {quoted(self.table.name)} t set {sums} from {self._source}"
            f" where {self.matching}",
        ).rowcount

    def drop_zeros(self, connection: Connection) -> None:
        """Remove the rows of these keys of which nothing is left."""
        self._run(
            connection,
            f"delete from {quoted(self.table.name)} t using {self._source}"
            f" where {self.matching} and t.{quoted(str(self.mode.drop_when_zero))} = 0",
        )

    def written(self, connection: Connection) -> Iterator[Int64s]:
        """Yield the keys, among these, of the rows that this transaction wrote; a few arrays' at a time."""
        import psycopg

        statement = (
            f"select (select array_send(array_agg(t.{quoted(self.key)}))"
            f" from {quoted(self.table.name)} t where {self.matching} and {_OURS})"
            f" from {self._source}"
        )
        with (
            planned(connection),
            psycopg.ServerCursor(connection, "qanat_written") as cursor,
        ):
            cursor.execute(statement.encode(), self.parameters, binary=True)
            while found := cursor.fetchmany(_ARRAYS_MAX):
                yield keys_of([row[0] for row in found if row[0] is not None])

    def insert_others(self, connection: Connection) -> None:
        """Insert the rows that this transaction hasn't written, from the relation itself."""
        columns = (self.key, *self.values)
        unpacked = ", ".join(f"unnest(s.{quoted(n)}) as {quoted(n)}" for n in columns)
        values = [f"r.{quoted(n)}" for n in columns]
        values += [constant_sql(self.table, n) for n in self.constants]
        zero = self.mode.drop_when_zero
        something = f" and {self._given(zero)} <> 0" if zero is not None else ""
        self._run(
            connection,
            f"with written as materialized ({self._written})"
            f" insert into {quoted(self.table.name)} ({names_of((*columns, *self.constants))})"
            f" select {', '.join(values)} from (select {unpacked} from {self.relation} s) r"
            f" where not exists (select from written w where w.key = r.{quoted(self.key)}){something}",
        )

    @property
    def _written(self) -> str:
        return (
            f"select t.{quoted(self.key)} as key from {self._source}, {quoted(self.table.name)} t"
            f" where {self.matching} and {_OURS}"
        )

    def _given(self, name: str) -> str:
        """The given value of column `name` for the unpacked row `r`."""
        return constant_sql(self.table, name) if name in self.constants else f"r.{quoted(name)}"

    def _run(self, connection: Connection, statement: str) -> "psycopg.Cursor[tuple[Any, ...]]":
        with planned(connection):
            return connection.execute(statement.encode(), self.parameters, binary=True)


def add(connection: Connection, sums: PackedSums, given: Packable | None) -> None:
    """Add packed sums to their table. Nobody else may be adding many sums to it meanwhile.

    `given` are the same rows in memory, if that is where they come from: new ones are copied from there, in 60 % of the time.

    Raises:
        Retryable: Somebody inserted one of the keys in this very moment.
    """
    import psycopg

    updated = sums.update(connection)
    if updated < sums.rows:
        try:
            _insert(connection, sums, given, written=updated > 0)
        except psycopg.errors.UniqueViolation as error:
            raise Retryable(
                f"another transaction has just made a row of {sums.table.name}"
            ) from error
    if sums.mode.drop_when_zero is not None and updated:
        sums.drop_zeros(connection)


def _insert(
    connection: Connection, sums: PackedSums, given: Packable | None, *, written: bool
) -> None:
    constants = {name: value for name, value in sums.constants.items() if value is not None}
    fixed = {n: constant_wire(sums.table.column(n).type, v) for n, v in constants.items()}
    if given is None or any(wire is None for wire in fixed.values()):
        sums.insert_others(connection)
        return
    new = np.ones(len(given.keys), dtype=np.bool_)
    if written:
        for keys in sums.written(connection):
            new[np.searchsorted(given.keys, keys)] = False
    zero = sums.mode.drop_when_zero
    if zero is not None:
        values = given.values.get(zero)
        new &= (values != 0) if values is not None else sums.constants[zero] != 0
    numbers = {given.key: given.keys, **given.values}
    columns = [Wide(sums.table.column(name).type, found) for name, found in numbers.items()]
    wires = [wire for wire in fixed.values() if wire is not None]
    encoded = binary(columns, wires, len(given.keys), new)
    copy(connection, quoted(sums.table.name), (*numbers, *fixed), encoded)


def can_pack(
    table: Table, mode: Add, columns: Sequence[str], constants: Mapping[str, Scalar]
) -> bool:
    """Tell whether packed `columns`, the key's first, can be added to `table` by `mode`."""
    key, *values = columns
    whole = {ColumnType.INT64, ColumnType.INT128}
    return (
        bool(mode.sums)
        and {*mode.key} - {*constants} == {key}
        and {*values} <= {*mode.sums} <= {*values, *constants} <= {*table.names}
        and all(table.column(name).type in whole for name in columns)
        and all(constants.get(name, 0) is not None for name in (*mode.key, *mode.sums))
    )


def lock_alone(connection: Connection, locks: LockNames, table: Table) -> None:
    """Wait until nobody adds to `table`, and keep it so until the end of the transaction.

    Two that add many sums would wait for each other at the first common key anyhow, and in a circle if their plans differ.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [locks.table(table.name)])


def lock_shared(connection: Connection, locks: LockNames, table: Table) -> None:
    """Wait until nobody adds many sums to `table`. Those who add few, with sorted keys, can do so beside each other."""
    connection.execute("select pg_advisory_xact_lock_shared(%s)", [locks.table(table.name)])


@contextmanager
def planned(connection: Connection) -> Iterator[None]:
    """Plan what follows as one scan of the index per row of arrays, whatever the statistics say (there may be none yet).

    An array can only be looked up by a nested loop, so forbidding that leaves it the only one, and hashing for the rest.
    """
    avoided = ("enable_seqscan", "enable_bitmapscan", "enable_mergejoin", "enable_nestloop")
    with settings(connection, {**dict.fromkeys(avoided, "off"), "work_mem": _WORK_MEMORY}):
        yield


@contextmanager
def roomy(connection: Connection) -> Iterator[None]:
    """Let what follows sort and hash in memory."""
    with settings(connection, {"work_mem": _WORK_MEMORY}):
        yield


@contextmanager
def settings(connection: Connection, values: Mapping[str, str]) -> Iterator[None]:
    """Change settings of the server for a few statements of the transaction."""
    connection.execute(
        "select set_config(name, value, true) from unnest(%s::text[], %s::text[]) as s(name, value)",
        [list(values), list(values.values())],
    )
    yield
    connection.execute("; ".join(f"set local {name} to default" for name in values).encode())
