"""Results of PostgreSQL as Arrow."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from qanat.errors import ConfigError

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_DECIMAL128_DIGITS, _DECIMAL256_DIGITS = 38, 76

Rows = Sequence[tuple[Any, ...]]


def schema_of(cursor: "psycopg.Cursor[Any] | psycopg.ServerCursor[Any]", rows: Rows) -> "pa.Schema":
    """Return the Arrow schema of a result, whose first rows are `rows`.

    A `numeric` without a declared scale gets the one that these rows need.

    Raises:
        ConfigError: A column has a type that has no counterpart.
    """
    import pyarrow as pa

    fields = []
    for place, column in enumerate(cursor.description or ()):
        if column.type_display.partition("(")[0] == "numeric":
            kind = _decimal(column, [row[place] for row in rows])
        else:
            kind = _kind(column.name, column.type_display)
        fields.append(pa.field(column.name, kind))
    return pa.schema(fields)


def batch_of(rows: Rows, schema: "pa.Schema") -> "pa.RecordBatch":
    """Return rows as a batch of the given schema.

    Raises:
        ConfigError: A number doesn't fit the scale of its column.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = []
    for field, values in zip(schema, columns, strict=True):
        try:
            arrays.append(pa.array(_plain(field.type, values), field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise ConfigError(
                f"the column {field.name}", str(error), f"representable as {field.type}",
                hint="Cast it in the statement, for instance to numeric(38, 6), double precision or text.",
            ) from error  # fmt: skip
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain(kind: "pa.DataType", values: Sequence[Any]) -> Sequence[Any]:
    """What Arrow doesn't know as text: UUIDs, addresses, JSON."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return [
            value if value is None or isinstance(value, str) else _as_text(value)
            for value in values
        ]
    return values


def _as_text(value: object) -> str:
    if isinstance(value, dict | list):
        import json

        return json.dumps(value)
    return str(value)


def _decimal(column: "psycopg.Column", values: Sequence[Decimal | None]) -> "pa.DataType":
    import pyarrow as pa

    if column.precision is not None and column.precision <= _DECIMAL128_DIGITS:
        return pa.decimal128(column.precision, column.scale or 0)
    # (sign, digits, exponent); the exponent of NaN is a letter, which Arrow will refuse.
    known = [value.as_tuple() for value in values if value is not None]
    scale = max((-int(one.exponent) for one in known if isinstance(one.exponent, int)), default=0)
    scale = max(scale, 0)
    whole = max(
        (len(one.digits) + int(one.exponent) for one in known if isinstance(one.exponent, int)),
        default=1,
    )
    if whole + scale <= _DECIMAL128_DIGITS:
        return pa.decimal128(_DECIMAL128_DIGITS, scale)
    return pa.decimal256(_DECIMAL256_DIGITS, scale)


def _kind(name: str, shown: str) -> "pa.DataType":
    """The Arrow type for a type as PostgreSQL shows it, such as `bigint` or `text[]`."""
    import pyarrow as pa

    if shown.endswith("[]"):
        return pa.list_(_kind(name, shown.removesuffix("[]")))
    kinds = {
        "bool": pa.bool_(),
        "int2": pa.int64(),
        "int4": pa.int64(),
        "int8": pa.int64(),
        "oid": pa.int64(),
        "float4": pa.float64(),
        "float8": pa.float64(),
        "numeric": pa.decimal128(_DECIMAL128_DIGITS, 0),
        "bytea": pa.binary(),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", tz="UTC"),
    }
    text = {
        "text",
        "varchar",
        "bpchar",
        "char",
        "name",
        "uuid",
        "json",
        "jsonb",
        "inet",
        "cidr",
        "unknown",
    }
    base = shown.partition("(")[0]
    if base in kinds:
        return kinds[base]
    if base in text:
        return pa.string()
    raise ConfigError(
        f"the column {name}", shown, f"of one of the types {', '.join(sorted({*kinds, *text}))}",
        hint="Cast it in the statement, for instance to text.",
    )  # fmt: skip
