"""Between Arrow tables and DuckDB: declared types, constants, and 128-bit integers at full speed.

What the usual file needs does without `pyarrow.compute`, which any `cast` or `take` imports: 40 ms.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
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
    known = frozenset(table.names)
    for name in names:
        if name not in known:
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
    return retyped(rows, normal_schema(rows.schema))


def retyped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `rows` in the types of `schema`, column by column; those that have theirs aren't touched."""
    columns = [
        column if column.type == field.type else _as_type(column, field.type)
        for column, field in zip(rows.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kind == _UTC and _is_moment(column.type) and column.type.unit == kind.unit:
        # The numbers are those of UTC, whatever zone they are to be shown in.
        return pa.chunked_array([chunk.view(kind) for chunk in column.chunks], kind)
    return column.cast(kind)


def normal_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema that `normalised` gives."""
    for index, field in enumerate(schema):
        if _is_moment(field.type):
            schema = schema.set(index, field.with_type(_UTC))
    return schema


def _is_moment(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


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


def int64_array(values: Words) -> pa.Array:
    """Return numbers as an Arrow array, sharing their memory; `pa.array` would import `numpy.ma`, 10 ms."""
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, buffer])


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
        chunks.append(int64_array(low))
    return pa.chunked_array(chunks, pa.int64())


def _cast(table: Table, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        name = f"{table.name}.{field.name}"
        raise ConfigError(name, str(column.type), f"{field.type}: {error}") from error
