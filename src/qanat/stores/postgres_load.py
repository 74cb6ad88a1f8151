"""Rows on their way into a table: copied into a temporary table of the connection, then written by one statement."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qanat.interfaces import Scalar
from qanat.service.pulse import current
from qanat.stores.postgres_binary import Encoded
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_encode import encode
from qanat.stores.postgres_types import TYPES, arrow_value, names_of, quoted
from qanat.tables import ColumnType, Table

if TYPE_CHECKING:
    import pyarrow as pa

POSITION = "qanat_row"
"""The column of a loaded or staged relation that keeps the order in which its rows were given."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Rows for a table, as SQL.

    Attributes:
        item: What stands after `from`: columns of the table by name, and POSITION.
        names: The columns of `item` that are the table's, and the constants.
        constants: Columns that have one value.
        parameters: The constants' values, to be bound.
    """

    table: Table
    item: str
    columns: tuple[str, ...]
    constants: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are given a value."""
        return (*self.columns, *self.constants)

    @property
    def parameters(self) -> dict[str, Any]:
        """What to bind when `sql` is part of a statement."""
        return constant_parameters(self.table, self.constants)

    @property
    def sql(self) -> str:
        """A sub-select of all columns by name, and POSITION."""
        values = [f"s.{quoted(name)}" for name in (*self.columns, POSITION)]
        values += [f"{constant_sql(self.table, name)} as {quoted(name)}" for name in self.constants]
        return f"(select {', '.join(values)} from {self.item} s)"


def constant_sql(table: Table, name: str) -> str:
    """Return the parameter of a constant, in the type of its column."""
    place = table.names.index(name)
    return f"cast(%(constant_{place})s as {TYPES[table.column(name).type]})"


def constant_parameters(table: Table, constants: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return what `constant_sql` refers to."""
    return {
        f"constant_{table.names.index(name)}": arrow_value(table.column(name).type, value)
        for name, value in constants.items()
    }


def copy(connection: Connection, target: str, columns: Sequence[str], encoded: Encoded) -> None:
    """Copy encoded rows into `target`, a table's name in SQL."""
    statement = f"copy {target} ({names_of(columns)}) from stdin with {encoded.options}"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        for block in encoded.blocks:
            stream.write(block)
            current().beat()


def numbered(rows: "pa.Table") -> "pa.Table":
    """Return `rows` with their POSITION."""
    import pyarrow as pa

    return rows.append_column(POSITION, pa.array(np.arange(rows.num_rows, dtype=np.int64)))


def relation_of(table: Table, rows: "pa.Table") -> tuple[Table, str]:
    """Return the shape that numbered `rows` have as a relation, and its columns in SQL."""
    from qanat.tables import Column

    columns = [table.column(name) for name in rows.column_names if name != POSITION]
    shape = Table(table.name, (*columns, Column(POSITION, ColumnType.INT64)))
    return shape, ", ".join(f"{quoted(c.name)} {TYPES[c.type]}" for c in shape.columns)


def load(connection: Connection, table: Table, rows: "pa.Table") -> str:
    """Copy rows of the declared types, and their POSITION, into an empty temporary table; return its name in SQL.

    Its rows go with the transaction; the table itself stays with the connection, to spare the catalogue.
    """
    shape, columns = relation_of(table, rows := numbered(rows))
    name = temporary(connection, columns, "load")
    copy(connection, name, shape.names, encode(shape, rows))
    return name


def temporary(connection: Connection, columns: str, purpose: str) -> str:
    """Return the name in SQL of an empty temporary table with these columns, used for nothing but `purpose`."""
    digest = hashlib.sha256(f"{purpose}: {columns}".encode()).hexdigest()[:16]
    name = f"pg_temp.qanat_{digest}"
    found = connection.execute("select to_regclass(%s) is not null", [name]).fetchone()
    if found and found[0]:
        # Empty as a rule: filled only if this transaction has filled it before.
        if connection.execute(f"select from {name} limit 1".encode()).fetchall():
            connection.execute(f"truncate {name}".encode())
    else:
        connection.execute(
            f"create temporary table qanat_{digest} ({columns}) on commit delete rows".encode()
        )
    return name
