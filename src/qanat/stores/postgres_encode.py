"""Rows as the bytes that COPY reads: binary where every value has one width, and CSV, which Arrow writes, for anything else."""

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from qanat.interfaces import Scalar
from qanat.stores.postgres_binary import WIDE, Encoded, Wide, binary, constant_wire
from qanat.stores.postgres_numbers import fits_64_bits
from qanat.stores.postgres_types import with_constants
from qanat.tables import ColumnType, Table

if TYPE_CHECKING:
    import pyarrow as pa

_CSV_ROWS = 16_384  # at a time; a few megabytes


def encode(
    table: Table, rows: "pa.Table", constants: Mapping[str, Scalar] | None = None
) -> Encoded:
    """Encode rows of the declared types, and after their columns those of `constants`."""
    fixed = constants or {}
    columns = [wide(table.column(name).type, rows.column(name)) for name in rows.column_names]
    wires = [constant_wire(table.column(name).type, value) for name, value in fixed.items()]
    found = [column for column in columns if column is not None]
    known = [wire for wire in wires if wire is not None]
    if len(found) == len(columns) and len(known) == len(wires):
        return binary(found, known, rows.num_rows)
    return Encoded("(format csv)", _csv(with_constants(table, rows, fixed)))


def wide(kind: ColumnType, column: "pa.ChunkedArray") -> Wide | None:
    """Return a column of the declared type if all its values have one width; None when one is null or too large, too."""
    if kind not in WIDE or column.null_count:
        return None
    if kind in {ColumnType.INT64, ColumnType.INT128}:
        numbers = fits_64_bits(kind, column)
        return None if numbers is None else Wide(kind, numbers)
    if kind is ColumnType.TIMESTAMP:
        column = column.cast("int64")
    return Wide(kind, column.combine_chunks().to_numpy(zero_copy_only=False))


def _csv(rows: "pa.Table") -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for start in range(0, rows.num_rows, _CSV_ROWS):
        block = rows.slice(start, _CSV_ROWS)
        sink = io.BytesIO()
        readable = pa.table([_text(column) for column in block.columns], names=block.column_names)
        csv.write_csv(readable, sink, options)
        yield sink.getvalue()


def _text(column: "pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """What Arrow's writer can't write, or only with a database of time zones, in a form that it can."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us"))  # the connection's time zone is UTC
    if pa.types.is_binary(column.type):
        return _hexadecimal(column.combine_chunks())
    return column


def _hexadecimal(column: "pa.Array") -> "pa.Array":
    r"""Bytes as `\x…`, all at once: each byte becomes two digits, each offset the double."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset :][: len(column) + 1].astype(np.int64)
    raw = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    doubled = np.stack([digits[raw >> 4], digits[raw & 15]], axis=1).tobytes()
    text = pa.LargeStringArray.from_buffers(
        len(column), pa.py_buffer((places * 2).tobytes()), pa.py_buffer(doubled)
    )
    prefix, nothing = pa.scalar("\\x", pa.large_string()), pa.scalar("", pa.large_string())
    joined = pc.binary_join_element_wise(prefix, text, nothing)
    return pc.if_else(pc.is_valid(column), joined, pa.scalar(None, pa.large_string()))
