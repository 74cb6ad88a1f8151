"""What the compiled part is told, and what it answers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Shape(NamedTuple):
    """What lines look like: the numbers. Shares are thresholds for random numbers."""

    consumers: np.uint64
    first_consumer: np.uint64
    cell_bits: np.uint64  # 2^cell_bits cells, if there are any
    amount_min: np.uint64
    amount_count: np.uint64
    bad_share: np.uint64  # of 2^32
    crlf_share: np.uint64  # of 2^16
    padded_share: np.uint64  # of 2^16
    line_bytes_max: int
    signed_share: np.uint64  # of 2^16: amounts that are negative
    decimals: np.uint64
    unit: np.uint64  # 10^decimals: what the digit before the decimal point stands for
    few_digits: bool  # every number is below 10^8 and digits alone, none padded


class Tables(NamedTuple):
    """What lines look like: the arrays.

    Taken out of the tuple before a loop, never within: numba counts references whenever it takes an
    array out of a tuple, by atomic operations, which made the kernel three times as slow.
    """

    ids: NDArray[np.uint64]  # one per consumer; empty: first_consumer, first_consumer + 1, …
    cells: NDArray[np.uint64]  # the alias table; empty: uniform
    buckets: NDArray[np.uint64]  # what it draws: runs of consumers; as in distribution.py
    pieces: NDArray[np.uint16]
    piece_starts: NDArray[np.int64]
    kind_starts: NDArray[np.int64]


class Span(NamedTuple):
    """Which lines are wanted: `line` up to at most `line_end` (indexes) of a file, in at most
    `room_bytes`.
    """

    key: np.uint64
    line: int
    line_end: int
    room_bytes: int
    taking_back: bool


class Filled(NamedTuple):
    """What one call of `fill_block` did."""

    size_bytes: int
    lines: int
    bad: int
    complete: bool  # the file has no room for a next line
    sum_low: int
    sum_high: int
