"""Sorting and merging what tables held: records of consumer + 1 and low word, 16 bytes each."""

from numpy import uint64

from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import SLOT_BYTES, SORT_FANOUT, WRAPPED_DOWN
from qanat.pipelines.metering.kernel.swar import (
    get_field,
    get_word,
    overflows,
    put_field,
    put_word,
)

# Below so many records an insertion sort is faster than another distribution.
_INSERTION_MAX = 32
_ONE = uint64(1)
_DOWN = uint64(WRAPPED_DOWN)


@compiled
def merge(
    left: int, left_count: int, right: int, right_count: int, target: int, wrapped: int
) -> tuple[int, int]:
    """Merge two sorted runs of records, adding those of one consumer.

    Returns the number of records at `target`, and of consumers at `wrapped` whose low word wrapped
    around, with the direction.
    """
    left_end = left + SLOT_BYTES * left_count
    right_end = right + SLOT_BYTES * right_count
    place, wraps = target, 0
    while left < left_end and right < right_end:
        left_key, right_key = get_word(left, 0), get_word(right, 0)
        low = uint64(0)
        if left_key <= right_key:
            low = get_word(left, 1)
            left += SLOT_BYTES
        if right_key <= left_key:
            added = get_word(right, 1)
            right += SLOT_BYTES
            if left_key == right_key and overflows(low, added):
                put_word(wrapped, wraps, (right_key - _ONE) | (added & _DOWN))
                wraps += 1
            low += added
        put_word(place, 0, min(left_key, right_key))
        put_word(place, 1, low)
        place += SLOT_BYTES
    place = _copy(left, left_end, place)
    place = _copy(right, right_end, place)
    return (place - target) // SLOT_BYTES, wraps


@compiled
def sort(begin: int, count: int, scratch: int) -> None:
    """Sort records by consumer, in place: by the first byte that is used, each group by the next.

    `scratch` has room for SORT_WORDS words.
    """
    end = begin + SLOT_BYTES * count
    used = uint64(0)
    for place in range(begin, end, SLOT_BYTES):
        used |= get_word(place, 0)
    shift = 56
    while shift > 0 and used >> uint64(shift) == uint64(0):
        shift -= 8
    _sort_from(begin, end, shift, scratch)


@compiled
def _copy(begin: int, end: int, target: int) -> int:
    for index in range((end - begin) // 8):
        put_word(target, index, get_word(begin, index))
    return target + (end - begin)


@compiled
def _sort_from(begin: int, end: int, shift: int, scratch: int) -> None:
    if end - begin <= _INSERTION_MAX * SLOT_BYTES:
        _insertion_sort(begin, end)
        return
    _distribute(begin, end, shift, scratch)
    if shift > 0:
        start = begin
        for digit in range(SORT_FANOUT):
            stop = get_field(scratch, SORT_FANOUT + digit)
            _sort_from(start, stop, shift - 8, scratch + 16 * SORT_FANOUT)
            start = stop


@compiled
def _digit(record: int, shift: int) -> int:
    return int((get_word(record, 0) >> uint64(shift)) & uint64(SORT_FANOUT - 1))


@compiled
def _distribute(begin: int, end: int, shift: int, scratch: int) -> None:
    """Group records by one byte of the key; leaves the groups' ends in the second half of `scratch`."""
    stops = scratch + 8 * SORT_FANOUT
    for digit in range(SORT_FANOUT):
        put_field(stops, digit, 0)
    for place in range(begin, end, SLOT_BYTES):
        digit = _digit(place, shift)
        put_field(stops, digit, get_field(stops, digit) + SLOT_BYTES)
    place = begin
    for digit in range(SORT_FANOUT):
        put_field(scratch, digit, place)
        place += get_field(stops, digit)
        put_field(stops, digit, place)
    for digit in range(SORT_FANOUT):
        stop = get_field(stops, digit)
        place = get_field(scratch, digit)
        while place < stop:
            _settle(place, digit, shift, scratch)
            place += SLOT_BYTES
        put_field(scratch, digit, place)


@compiled
def _settle(place: int, digit: int, shift: int, scratch: int) -> None:
    """Swap what lies at `place` into its group until what lies there belongs there."""
    actual = _digit(place, shift)
    while actual != digit:
        target = get_field(scratch, actual)
        put_field(scratch, actual, target + SLOT_BYTES)
        key, low = get_word(place, 0), get_word(place, 1)
        put_word(place, 0, get_word(target, 0))
        put_word(place, 1, get_word(target, 1))
        put_word(target, 0, key)
        put_word(target, 1, low)
        actual = _digit(place, shift)


@compiled
def _insertion_sort(begin: int, end: int) -> None:
    for place in range(begin + SLOT_BYTES, end, SLOT_BYTES):
        key, low = get_word(place, 0), get_word(place, 1)
        hole = place
        while hole > begin and get_word(hole, -2) > key:
            put_word(hole, 0, get_word(hole, -2))
            put_word(hole, 1, get_word(hole, -1))
            hole -= SLOT_BYTES
        put_word(hole, 0, key)
        put_word(hole, 1, low)
