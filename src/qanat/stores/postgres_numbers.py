"""Whole numbers between Arrow, numpy and PostgreSQL's wire."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qanat.tables import ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

Int64s = npt.NDArray[np.int64]

_BASE = 10_000
# Five digits to the base of 10,000 hold any 64-bit number; the server drops the leading zeros.
_DIGITS = 5
_NEGATIVE = 0x4000
_CHECKED_ROWS = 65_536  # at a time, within a processor's cache
_NUMERIC = np.dtype(
    [
        ("digits", ">u2"),
        ("weight", ">i2"),
        ("sign", ">u2"),
        ("scale", ">u2"),
        ("digit", ">u2", (_DIGITS,)),
    ]
)


def fits_64_bits(kind: ColumnType, column: "pa.ChunkedArray") -> Int64s | None:
    """Return a column of INT64 or INT128 as 64-bit numbers, or None when a value is null or too large."""
    if column.null_count:
        return None
    if kind is ColumnType.INT64:
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.int64)
    blocks = [_words(chunk) for chunk in column.chunks if len(chunk)]
    if any(block is None for block in blocks):
        return None
    found = [block for block in blocks if block is not None]
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _words(chunk: "pa.Array") -> Int64s | None:
    """The low words of decimals, provided that the high ones only repeat the sign."""
    data = chunk.buffers()[1]
    words = np.frombuffer(data, "<i8", 2 * len(chunk), 16 * chunk.offset).reshape(-1, 2)
    for start in range(0, len(chunk), _CHECKED_ROWS):
        part = words[start : start + _CHECKED_ROWS]
        if not np.array_equal(part[:, 1], part[:, 0] >> 63):
            return None
    return words[:, 0]  # Arrow's own memory


def numeric_wire(numbers: Int64s) -> npt.NDArray[np.generic]:
    """Return numbers as the server reads a `numeric`: digits to the base of 10,000, the highest first."""
    wire = np.zeros(len(numbers), dtype=_NUMERIC)
    wire["digits"] = _DIGITS
    wire["weight"] = _DIGITS - 1
    wire["sign"] = np.where(numbers < 0, _NEGATIVE, 0)
    left = np.abs(numbers).view(np.uint64)  # of the smallest number, too, this is the magnitude
    for place in reversed(range(_DIGITS)):
        left, digit = np.divmod(left, np.uint64(_BASE))
        wire["digit"][:, place] = digit
    return wire


def magnitude(numbers: Int64s) -> int:
    """Return the greatest absolute value; 0 when there is none."""
    if not len(numbers):
        return 0
    return max(abs(int(numbers.min())), abs(int(numbers.max())))
