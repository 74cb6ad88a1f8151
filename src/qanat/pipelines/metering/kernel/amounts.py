"""Amounts as a grammar may allow them: with a minus sign, with decimals. One at a time; this defines them."""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import DIGITS_MAX, MINUS, POINT
from qanat.pipelines.metering.kernel.swar import (
    get_byte,
    get_field,
    get_word,
    lowest_bit,
    no_digits_of_64,
    number_at,
)
from qanat.pipelines.metering.lines import BadReason

_MISSING = int(BadReason.AMOUNT_MISSING)
_NOT_DIGITS = int(BadReason.AMOUNT_NOT_DIGITS)
_TOO_LONG = int(BadReason.AMOUNT_TOO_LONG)
_FOLLOWED = int(BadReason.AMOUNT_FOLLOWED)
_NEGATIVE = int(BadReason.AMOUNT_NEGATIVE)
_TOO_GREAT = int(BadReason.AMOUNT_TOO_GREAT)
_POINT_ALONE = int(BadReason.POINT_ALONE)
_DECIMALS_TOO_MANY = int(BadReason.DECIMALS_TOO_MANY)


@compiled
def digits_at(begin: int, end: int) -> int:
    """How many digits stand at `begin`; 64 stands for more."""
    return min(lowest_bit(no_digits_of_64(begin)), end - begin)


@compiled
def amount_fault(begin: int, end: int, signed: int, decimals: int) -> int:
    """Return the `BadReason` of the amount [begin, end), or 0 for a good one."""
    if begin < end and get_byte(begin, 0) == MINUS:
        if signed == 0:
            return _NEGATIVE
        begin += 1
    if begin == end:
        return _MISSING
    digits = digits_at(begin, end)
    if digits > DIGITS_MAX:
        return _TOO_LONG
    if digits > DIGITS_MAX - decimals:
        return _TOO_GREAT
    point = begin + digits
    pointed = decimals > 0 and point < end and get_byte(point, 0) == POINT
    if digits == 0:
        return _POINT_ALONE if pointed else _NOT_DIGITS
    if point == end:
        return 0
    return _fraction_fault(point + 1, end, decimals) if pointed else _FOLLOWED


@compiled
def _fraction_fault(begin: int, end: int, decimals: int) -> int:
    digits = digits_at(begin, end)
    if digits == 0:
        return _POINT_ALONE
    if digits > decimals:
        return _DECIMALS_TOO_MANY
    return 0 if begin + digits == end else _FOLLOWED


@compiled
def amount_at(state: int, begin: int, end: int) -> uint64:
    """Return the good amount [begin, end), in units of the last decimal."""
    decimals = get_field(state, layout.DECIMALS)
    index = decimals
    if get_byte(begin, 0) == MINUS:
        index += layout.FACTORS_NEGATIVE
        begin += 1
    digits = digits_at(begin, end)
    value = number_at(begin, digits)
    point = begin + digits
    if point < end:
        fraction = end - point - 1
        value = value * get_word(state, layout.FACTORS + fraction)
        value = value + number_at(point + 1, fraction)
        index -= fraction
    return value * get_word(state, layout.FACTORS + index)
