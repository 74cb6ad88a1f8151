"""Which consumers there are, and how often each occurs.

Zipf's distribution is drawn in constant time. Ranks are put into buckets: of one rank each below
2048, then of about a thousandth of the rank. A draw takes a bucket by the alias method, then one of
its ranks evenly. So a rank's probability is that of the formula within the exponent times 0.0005,
and the table stays in the second-level cache for any number of consumers. (A table of all of 10
million ranks made the generator half as fast, by its cache misses.)

The same seed has to give the same bytes on every machine, but `pow` and `log` differ in their last
bit from one C library or processor to the next. So weights are made of additions, multiplications
and divisions alone, which IEEE 754 fixes to the last bit, and become integers before anything is
summed.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qanat.pipelines.metering.generate.compiled import compiled

# A bucket holds 1 / 2^10 of the ranks up to its own.
_WIDTH_BITS: Final = 10
# Weights are scaled to integers of 34 bits per rank: those of 2^28 ranks sum up below 2^63.
_WEIGHT_BITS: Final = 34
# The capacity of a cell of the table; a draw's fraction has as many bits.
_CELL_BITS: Final = 32
# The golden section of 10^18: its multiples spread evenly over all numbers.
_GOLDEN: Final = 618_033_988_749_894_848
_LN2: Final = 0.6931471805599453


def zipf_buckets(consumers: int) -> NDArray[np.uint64]:
    """Return the buckets of the ranks 1 to `consumers`.

    Returns:
        uint64, shape (buckets,): the number of ranks in the upper 32 bits, the first rank minus 1
        (the index of its consumer) in the lower.
    """
    buckets = []
    first = 1
    while first <= consumers:
        width = min(max(1, first >> _WIDTH_BITS), consumers - first + 1)
        buckets.append((width << _CELL_BITS) | (first - 1))
        first += width
    return np.array(buckets, np.uint64)


def zipf_weights(buckets: NDArray[np.uint64], exponent: float) -> NDArray[np.int64]:
    """Return integers in proportion to the sum of rank^-exponent over each bucket, each at least 1.

    Returns:
        int64, shape (buckets,).
    """
    widths = (buckets >> np.uint64(_CELL_BITS)).astype(np.float64)
    firsts = (buckets & np.uint64(0xFFFFFFFF)).astype(np.float64) + 1.0
    middles = firsts + (widths - 1.0) / 2.0
    scaled = widths * np.ldexp(_power_of_two(_log2(middles) * -exponent), _WEIGHT_BITS)
    return np.floor(scaled).astype(np.int64) + 1


def alias_table(weights: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the cells of Walker's alias method, in exact integers.

    A draw picks a cell and a fraction of 32 bits. Is the fraction below the cell's threshold, the
    bucket is that of the cell's index; otherwise it is the cell's alias.

    Args:
        weights: int64, shape (buckets,).

    Returns:
        uint64, shape (2^b,) with the smallest b > 0 that has room for all buckets: threshold in the
        upper 32 bits, alias in the lower.
    """
    count = 1 << max(1, (len(weights) - 1).bit_length())
    total = count << _CELL_BITS
    # Correctly rounded operations on single elements: the same on every machine.
    shares = np.floor(weights * (total / int(weights.sum()))).astype(np.int64).tolist()
    shares[0] += total - sum(shares)
    return np.array(_cells(shares + [0] * (count - len(shares))), np.uint64)


def spread_ids(consumers: int, digits: int) -> NDArray[np.uint64]:
    """Return `consumers` different numbers of up to `digits` decimal digits, in no order and evenly
    spread.
    """
    step = _GOLDEN // 10 ** (18 - digits)
    while step % 2 == 0 or step % 5 == 0:  # without a common divisor with 10^digits all differ
        step += 1
    ids = np.empty(consumers, np.uint64)
    _fill_multiples(ids, np.uint64(step), np.uint64(10**digits))
    return ids


def _log2(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the binary logarithm within 1e-14, by the series of the inverse hyperbolic tangent."""
    mantissas, exponents = np.frexp(values)
    low = mantissas < 0.7071067811865476
    mantissas = np.where(low, mantissas * 2, mantissas)
    t = (mantissas - 1) / (mantissas + 1)
    squares = t * t
    series = np.zeros_like(t)
    for odd in range(19, 0, -2):
        series = series * squares + 1.0 / odd
    result: NDArray[np.float64] = (exponents - low) + series * t * (2 / _LN2)
    return result


def _power_of_two(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 2 to the power of each value within 1e-14, by Taylor's series at the next integer."""
    whole = np.rint(values)
    rest = (values - whole) * _LN2
    series = np.ones_like(rest)
    for n in range(14, 0, -1):
        series = series * rest / n + 1.0
    result: NDArray[np.float64] = np.ldexp(series, whole.astype(np.int32))
    return result


def _cells(shares: list[int]) -> list[int]:
    """Fill up the cells whose share is light with parts of those whose share is heavy.

    Args:
        shares: one per cell, 2^32 on average exactly.
    """
    capacity = 1 << _CELL_BITS
    cells = list(range(len(shares)))  # threshold 0 and itself as alias: a full cell
    light = [cell for cell, share in enumerate(shares) if share < capacity]
    heavy = [cell for cell, share in enumerate(shares) if share > capacity]
    left = list(shares)
    while light:
        cell, giver = light.pop(), heavy[-1]
        cells[cell] = (left[cell] << _CELL_BITS) | giver
        left[giver] -= capacity - left[cell]
        if left[giver] <= capacity:
            heavy.pop()
            if left[giver] < capacity:
                light.append(giver)
    return cells


@compiled
def _fill_multiples(ids: NDArray[np.uint64], step: np.uint64, modulus: np.uint64) -> None:
    """Fill `ids` with the multiples of `step` modulo `modulus`."""
    value = np.uint64(0)
    for index in range(len(ids)):
        value += step
        if value >= modulus:
            value -= modulus
        ids[index] = value
