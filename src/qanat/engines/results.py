"""What an engine is given to check a statement, and what it returned, in the types that the statement was checked to have."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from qanat.errors import Fatal
from qanat.tables import Column, Table, arrow_schema


def empty_relations(inputs: Mapping[str, Sequence[Column]]) -> dict[str, pa.Table]:
    """Return a relation without rows for each input."""
    return {
        name: arrow_schema(Table(name, tuple(columns))).empty_table()
        for name, columns in inputs.items()
    }


def conformed(rows: pa.Table, columns: Sequence[Column], engine: str) -> pa.Table:
    """Return `rows` in the Arrow types of `columns`.

    Raises:
        Fatal: The engine returned other columns, or a value doesn't fit.
    """
    schema = arrow_schema(Table("result", tuple(columns)))
    if rows.schema.names != schema.names:
        raise Fatal(f"{engine} returned the columns {rows.schema.names}, not {schema.names}")
    arrays = []
    for field, array in zip(schema, rows.columns, strict=True):
        try:
            arrays.append(array if array.type == field.type else array.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Fatal(f"{engine} returned {field.name} as {array.type}: {error}") from error
        if not field.nullable and array.null_count:
            raise Fatal(f"{engine} returned null for {field.name}, which can't be null")
    return pa.Table.from_arrays(arrays, schema=schema)
