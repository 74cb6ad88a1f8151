"""Sums of sorted groups, exact: in 64 bits while they certainly fit, else in 128."""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from qanat.errors import Fatal
from qanat.stores.duckdb_arrow import int64_array, words
from qanat.tables import Column, ColumnType

Integers: TypeAlias = NDArray[np.int64]

_DECIMAL = pa.decimal128(38, 0)
_LOW_32 = np.uint64(0xFFFF_FFFF)
_BITS_32 = np.uint64(32)
# 10**38 / 2**64, rounded towards zero: a high word within these bounds belongs to a number of at most 38 digits, or to one so
# near the limit that Arrow's own check decides.
_HIGH_MAX = 10**38 // 2**64


def summed(
    column: pa.ChunkedArray, declared: Column, order: Integers | None, starts: Integers
) -> pa.Array:
    """Return the sum of each group; null counts as 0, and a group of nulls is null.

    The result is int64 where all sums fit, else decimal128 (INT128), or float64.

    Args:
        column: int64, decimal128(38, 0) or float64.
        declared: What the sums have to fit into.
        order: Positions in the column, group by group; None when it lies in order.
        starts: Where in the order each group begins, ascending, the first one 0.

    Raises:
        Fatal: A sum is too great for the declared type.
    """
    mask = None
    if column.null_count:
        import pyarrow.compute as pc

        is_null = pc.is_null(column).to_numpy()
        mask = np.logical_and.reduceat(is_null if order is None else is_null[order], starts)
        column = column.fill_null(0)
    if declared.type == ColumnType.FLOAT64:
        values = column.to_numpy()
        ordered = values if order is None else values[order]
        return pa.array(np.add.reduceat(ordered, starts), mask=mask)
    result = _integer_sums(column, order, starts)
    if declared.type == ColumnType.INT64 and not pa.types.is_int64(result.type):
        raise Fatal(f"a sum in {declared.name} doesn't fit into 64 bits", hint="Declare INT128.")
    if mask is None:
        return result
    return pc.if_else(pa.array(mask), None, result)


def _integer_sums(column: pa.ChunkedArray, order: Integers | None, starts: Integers) -> pa.Array:
    sizes = np.diff(starts, append=len(column))
    largest = int(sizes.max(initial=0))
    if pa.types.is_int64(column.type):
        narrow = column.to_numpy()
        reach = max(int(narrow.max(initial=0)), -int(narrow.min(initial=0)))
        if reach * largest < 2**63:
            ordered = narrow if order is None else narrow[order]
            return int64_array(np.add.reduceat(ordered, starts))
        pairs = np.stack((narrow, narrow >> 63), axis=1)
    else:
        pairs = np.concatenate([words(chunk) for chunk in column.chunks])
    return _wide_sums(pairs if order is None else pairs[order], starts, largest)


def _wide_sums(pairs: Integers, starts: Integers, largest: int) -> pa.Array:
    """Add 128-bit numbers as three columns: two of 32 bits that can't overflow, and the high word.

    Args:
        pairs: Low and high words, group by group.
        starts: Where each group begins.
        largest: The size of the largest group.
    """
    low = pairs[:, 0].view(np.uint64) if pairs.flags.c_contiguous else None
    low = np.ascontiguousarray(pairs[:, 0]).view(np.uint64) if low is None else low
    high = pairs[:, 1]
    reach = max(int(high.max(initial=0)), -int(high.min(initial=0)))
    if (reach + 1) * largest >= 2**63:
        return _sums_one_by_one(pairs, starts)
    lowest = np.add.reduceat(low & _LOW_32, starts)
    middle = np.add.reduceat(low >> _BITS_32, starts) + (lowest >> _BITS_32)
    low_word = (lowest & _LOW_32) | (middle << _BITS_32)
    high_word = np.add.reduceat(high, starts) + (middle >> _BITS_32).view(np.int64)
    low_signed = low_word.view(np.int64)
    if np.array_equal(high_word, low_signed >> 63):
        return int64_array(low_signed)
    if len(high_word) and max(int(high_word.max()), -int(high_word.min())) > _HIGH_MAX:
        return _sums_one_by_one(pairs, starts)
    return _decimals(np.stack((low_signed, high_word), axis=1))


def _sums_one_by_one(pairs: Integers, starts: Integers) -> pa.Array:
    """Add in Python, for numbers so near 38 digits that a partial sum may pass them."""
    numbers = [(int(high) << 64) + (int(low) % 2**64) for low, high in pairs]
    ends = [*starts[1:].tolist(), len(numbers)]
    sums = [sum(numbers[begin:end]) for begin, end in zip(starts.tolist(), ends, strict=True)]
    if any(abs(value) >= 10**38 for value in sums):
        raise Fatal("a sum has more than 38 digits")
    flat = [word for value in sums for word in (_signed(value % 2**64), value >> 64)]
    return _decimals(np.array(flat, np.int64).reshape(-1, 2))


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def _decimals(pairs: Integers) -> pa.Array:
    buffer = pa.py_buffer(np.ascontiguousarray(pairs))
    return pa.Array.from_buffers(_DECIMAL, len(pairs), [None, buffer])
