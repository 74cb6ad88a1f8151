"""What is wrong with a line, and where it is noted."""

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.amounts import amount_fault, digits_at
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import DIGITS_MAX, RAW_BYTES_MAX, SPACE
from qanat.pipelines.metering.kernel.swar import (
    get_byte,
    get_field,
    get_index,
    get_word,
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


@compiled
def fault(state: int, begin: int, end: int) -> int:
    """Return the `BadReason` of the line [begin, end), or 0 for a good one.

    Of a line longer than `CARRY_BYTES_MAX` the start tells.
    """
    consumer = digits_at(begin, end)
    found = _consumer_fault(begin, end, consumer)
    if found != 0:
        return found
    signed, decimals = get_field(state, layout.SIGNED), get_field(state, layout.DECIMALS)
    return amount_fault(begin + consumer + 1, end, signed, decimals)


@compiled
def note(state: int, begin: int, length: int, line: int) -> None:
    """Fill the next entry of the bad lines' columns, without counting it yet."""
    index = get_field(state, layout.BAD_COUNT)
    offset = begin - get_field(state, layout.TEXT) + get_field(state, layout.FILE_OFFSET)
    put_field(get_field(state, layout.BAD_LINE), index, line)
    put_field(get_field(state, layout.BAD_OFFSET), index, offset)
    put_field(get_field(state, layout.BAD_LENGTH), index, length)
    put_byte(get_field(state, layout.BAD_REASON), index, fault(state, begin, begin + length))
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
