"""Between Arrow tables and DuckDB: declared types, constants, and 128-bit integers at full speed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.tables import ColumnType, Table, arrow_schema

Words = NDArray[np.int64]

# DuckDB's names of the declared types.
SQL_TYPES: dict[ColumnType, str] = {
    ColumnType.INT64: "BIGINT",
    ColumnType.INT128: "HUGEINT",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.BYTES: "BLOB",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}

_UTC = pa.timestamp("us", tz="UTC")


def conformed(
    table: Table, rows: pa.Table, constants: Mapping[str, Scalar] | None = None
) -> pa.Table:
    """Return `rows` with all columns of `table` in their order and declared types.

    A column that is neither given nor a constant is null.

    Raises:
        ConfigError: A column isn't one of `table`, has another type, or is null and mustn't be.
    """
    constants = constants or {}
    check_names(table, (*rows.column_names, *constants))
    arrays = []
    schema = arrow_schema(table)
    for field in schema:
        if field.name in constants:
            array = constant_column(constants[field.name], field.type, rows.num_rows)
        elif field.name in rows.column_names:
            array = _cast(table, field, rows.column(field.name))
        else:
            array = pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        if not field.nullable and array.null_count:
            raise ConfigError(f"{table.name}.{field.name}", None, f"a value of type {field.type}")
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def check_names(table: Table, names: Iterable[str]) -> None:
    """Refuse columns that `table` doesn't have, or that are given twice: in the rows and as a constant."""
    seen: set[str] = set()
    for name in names:
        if name not in table.names:
            raise ConfigError(f"a column of {table.name}", name, f"one of {', '.join(table.names)}")
        if name in seen:
            raise ConfigError(f"{table.name}.{name}", "given twice", "in the rows or constant")
        seen.add(name)


def constant_column(value: Scalar, kind: pa.DataType, length: int) -> pa.ChunkedArray:
    """Return a column in which every row is `value`."""
    exact = Decimal(value) if isinstance(value, int) and pa.types.is_decimal(kind) else value
    scalar = pa.scalar(exact, kind)
    return pa.chunked_array([pa.repeat(scalar, length)])


def normalised(rows: pa.Table) -> pa.Table:
    """Return a result with UTC named `UTC`, as declared tables have it; DuckDB says `Etc/UTC`."""
    return rows.cast(normal_schema(rows.schema))


def normal_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema that `normalised` gives."""
    for index, field in enumerate(schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is not None:
            schema = schema.set(index, field.with_type(_UTC))
    return schema


def narrowed(rows: pa.Table) -> pa.Table:
    """Return `rows` with 128-bit integers as int64 wherever a column's values fit.

    DuckDB turns a BIGINT into a HUGEINT in no time, a DECIMAL(38, 0) at 5 million a second: half of
    what it takes to write sums.
    """
    for index, field in enumerate(rows.schema):
        if pa.types.is_decimal128(field.type):
            narrow = _narrow(rows.column(index))
            if narrow is not None:
                rows = rows.set_column(index, field.with_type(pa.int64()), narrow)
    return rows


def words(array: pa.Array) -> Words:
    """Return the low and the high 64 bits of a decimal128 array, one row a value."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.empty((0, 2), np.int64)
    pairs = np.frombuffer(buffer, np.int64, count=2 * (array.offset + len(array)))
    return pairs.reshape(-1, 2)[array.offset :]


def _narrow(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a decimal128 column as int64; None when a value doesn't fit, or one is null."""
    if column.null_count:
        return None
    chunks = []
    for chunk in column.chunks:
        pairs = words(chunk)
        low = np.ascontiguousarray(pairs[:, 0])
        if not np.array_equal(pairs[:, 1], low >> 63):
            return None
        chunks.append(pa.array(low))
    return pa.chunked_array(chunks, pa.int64())


def _cast(table: Table, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    try:
        return pc.cast(column, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        name = f"{table.name}.{field.name}"
        raise ConfigError(name, str(column.type), f"{field.type}: {error}") from error
