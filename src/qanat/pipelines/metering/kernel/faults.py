"""What is wrong with a line, and where it is noted."""

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import DIGITS_MAX, RAW_BYTES_MAX, SPACE
from qanat.pipelines.metering.kernel.swar import (
    get_byte,
    get_field,
    get_index,
    get_word,
    lowest_bit,
    no_digits_of_64,
    put_byte,
    put_field,
    put_index,
    put_word,
)
from qanat.pipelines.metering.lines import BadReason

_EMPTY = int(BadReason.EMPTY)
_CONSUMER_MISSING = int(BadReason.CONSUMER_MISSING)
_CONSUMER_NOT_DIGITS = int(BadReason.CONSUMER_NOT_DIGITS)
_CONSUMER_TOO_LONG = int(BadReason.CONSUMER_TOO_LONG)
_SPACE_MISSING = int(BadReason.SPACE_MISSING)
_AMOUNT_MISSING = int(BadReason.AMOUNT_MISSING)
_AMOUNT_NOT_DIGITS = int(BadReason.AMOUNT_NOT_DIGITS)
_AMOUNT_TOO_LONG = int(BadReason.AMOUNT_TOO_LONG)
_AMOUNT_FOLLOWED = int(BadReason.AMOUNT_FOLLOWED)


@compiled
def fault(begin: int, end: int) -> int:
    """Return the `BadReason` of the line [begin, end), or 0 for a good one.

    Of a line longer than `CARRY_BYTES_MAX` the start tells.
    """
    consumer = digits_at(begin, end)
    found = _consumer_fault(begin, end, consumer)
    return found if found != 0 else _amount_fault(begin + consumer + 1, end)


@compiled
def digits_at(begin: int, end: int) -> int:
    """How many digits stand at `begin`; 64 stands for more."""
    return min(lowest_bit(no_digits_of_64(begin)), end - begin)


@compiled
def note(state: int, begin: int, length: int, line: int) -> None:
    """Fill the next entry of the bad lines' columns, without counting it yet."""
    index = get_field(state, layout.BAD_COUNT)
    offset = begin - get_field(state, layout.TEXT) + get_field(state, layout.FILE_OFFSET)
    put_field(get_field(state, layout.BAD_LINE), index, line)
    put_field(get_field(state, layout.BAD_OFFSET), index, offset)
    put_field(get_field(state, layout.BAD_LENGTH), index, length)
    put_byte(get_field(state, layout.BAD_REASON), index, fault(begin, begin + length))
    ends = get_field(state, layout.BAD_RAW_END)
    raw = get_field(state, layout.BAD_RAW) + get_index(ends, index)
    kept = min(length, RAW_BYTES_MAX)
    for word in range((kept + 7) // 8):
        put_word(raw, word, get_word(begin, word))
    put_index(ends, index + 1, get_index(ends, index) + kept)


@compiled
def count_noted(state: int) -> None:
    """Count the entry that `note` filled."""
    put_field(state, layout.BAD_COUNT, get_field(state, layout.BAD_COUNT) + 1)
    put_field(state, layout.BAD_LINES, get_field(state, layout.BAD_LINES) + 1)


@compiled
def _consumer_fault(begin: int, end: int, digits: int) -> int:
    if begin == end:
        return _EMPTY
    if digits > DIGITS_MAX:
        return _CONSUMER_TOO_LONG
    if begin + digits == end:
        return _SPACE_MISSING
    if get_byte(begin, digits) != SPACE:
        return _CONSUMER_NOT_DIGITS
    return _CONSUMER_MISSING if digits == 0 else 0


@compiled
def _amount_fault(begin: int, end: int) -> int:
    digits = digits_at(begin, end)
    if begin == end:
        return _AMOUNT_MISSING
    if digits > DIGITS_MAX:
        return _AMOUNT_TOO_LONG
    if digits == 0:
        return _AMOUNT_NOT_DIGITS
    return 0 if begin + digits == end else _AMOUNT_FOLLOWED
