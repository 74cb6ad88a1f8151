"""Between Arrow tables and rows as dictionaries, by the types of a declared table."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

import pyarrow as pa

from qanat.tables import Table, arrow_schema

Row: TypeAlias = dict[str, object]
"""One row by column name. INT128 is a Python integer, a timestamp a `datetime` in UTC."""


def schema_of(table: Table, names: Sequence[str] = ()) -> pa.Schema:
    """Return the Arrow schema of the columns `names` of `table` (default: all of them).

    Every field may be null: the store judges that, with a message of its own.
    """
    declared = arrow_schema(table)
    return pa.schema([declared.field(name).with_nullable(True) for name in names or table.names])


def arrow_table(
    table: Table, rows: Iterable[Mapping[str, object]], names: Sequence[str] = ()
) -> pa.Table:
    """Return `rows` as an Arrow table with the columns `names` of `table`; an absent value is
    null.
    """
    kept = list(rows)
    schema = schema_of(table, names)
    arrays = [
        pa.array([_decimal(row.get(field.name), field.type) for row in kept], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def dictionaries(table: Table, rows: pa.Table) -> list[Row]:
    """Return the rows of an Arrow table whose columns are columns of `table`, cast to the declared
    types.
    """
    schema = schema_of(table, rows.column_names)
    columns = [
        [_integer(value) for value in column.to_pylist()] for column in rows.cast(schema).columns
    ]
    return [dict(zip(schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _decimal(value: object, kind: pa.DataType) -> object:
    return Decimal(value) if isinstance(value, int) and pa.types.is_decimal(kind) else value


def _integer(value: object) -> object:
    return int(value) if isinstance(value, Decimal) else value
