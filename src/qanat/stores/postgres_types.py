"""What PostgreSQL calls the declared types, and rows in exactly those types."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.tables import Column, ColumnType, Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

TYPES: dict[ColumnType, str] = {
    ColumnType.INT64: "bigint",
    ColumnType.INT128: "numeric(38,0)",
    ColumnType.FLOAT64: "double precision",
    ColumnType.TEXT: "text",
    ColumnType.BYTES: "bytea",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIMESTAMP: "timestamp with time zone",
}
"""Each type by the name under which the server's catalogue shows it."""


def column_ddl(column: Column) -> str:
    """Return a column as `create table` wants it."""
    # By code point, as DuckDB and Python sort, and not by the language of whoever made the database.
    collation = ' collate "C"' if column.type is ColumnType.TEXT else ""
    nullable = "" if column.nullable else " not null"
    return f"{quoted(column.name)} {TYPES[column.type]}{collation}{nullable}"


def quoted(name: str) -> str:
    """Return `name` as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def names_of(columns: Sequence[str], prefix: str = "") -> str:
    """Return identifiers as a list in SQL, each after `prefix`."""
    return ", ".join(prefix + quoted(column) for column in columns)


def as_declared(table: Table, rows: "pa.Table") -> "pa.Table":
    """Return `rows` with the declared types; nothing is copied that has them already.

    Raises:
        ConfigError: A column isn't one of `table`, or a value doesn't fit the declared type.
    """
    import pyarrow as pa

    valid = f"one of {', '.join(table.names)}"
    for name in rows.column_names:
        if name not in table.names:
            raise ConfigError(f"a column of {table.name}", name, valid)
    declared = arrow_schema(table)
    fields = [declared.field(name).with_nullable(True) for name in rows.column_names]
    try:
        return rows.cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        types = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        raise ConfigError(f"the rows for {table.name}", str(error), types) from error


def with_constants(table: Table, rows: "pa.Table", constants: Mapping[str, Scalar]) -> "pa.Table":
    """Return `rows` and a column for each constant."""
    import pyarrow as pa

    for name, value in constants.items():
        kind = arrow_schema(table).field(name).type
        scalar = pa.scalar(arrow_value(table.column(name).type, value), kind)
        rows = rows.append_column(name, pa.repeat(scalar, rows.num_rows))
    return rows


def arrow_value(kind: ColumnType, value: Scalar) -> Scalar | Decimal:
    """Return `value` as Arrow takes it for a column of this type."""
    if kind is ColumnType.INT128 and isinstance(value, int):
        return Decimal(value)
    return value


def check_constants(table: Table, rows: "pa.Table", constants: Mapping[str, Scalar]) -> None:
    """Refuse constants that aren't columns, or that are given as rows as well.

    Raises:
        ConfigError: One is.
    """
    for name in constants:
        if name not in table.names or name in rows.column_names:
            free = [column for column in table.names if column not in rows.column_names]
            raise ConfigError(f"a constant for {table.name}", name, f"one of {', '.join(free)}")
