"""One line at a time, strictly: what the quick path can't take, and why a line is bad."""

# Addresses, indexes and counts are int64 throughout; numba infers that.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import DIGITS_MAX, RAW_BYTES_MAX
from qanat.pipelines.metering.kernel.swar import (
    get_byte,
    get_field,
    get_word,
    line_feeds_of_64,
    lowest_bit,
    no_digits_of_64,
    number_at,
    put_byte,
    put_field,
    put_word,
)
from qanat.pipelines.metering.lines import BadReason

LINE_FEED = 10
CARRIAGE_RETURN = 13
SPACE = 32

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
def skip_to_line(state):
    """Drop the rest of a line that began before the span."""
    text = get_field(state, layout.TEXT)
    limit = text + get_field(state, layout.LIMIT)
    feed = _find_line_feed(text + get_field(state, layout.CURSOR), limit)
    if feed < limit:
        put_field(state, layout.SKIPPING, 0)
    put_field(state, layout.CURSOR, min(feed + 1, limit) - text)


@compiled
def take_lines(state, keys, amounts):
    """Take the lines of one window from CURSOR on, as far as they are whole and bad ones have room.

    Good lines become pairs in `keys` and `amounts`; returns how many. CURSOR and the counts move on.
    """
    text = get_field(state, layout.TEXT)
    place = text + get_field(state, layout.CURSOR)
    limit = text + get_field(state, layout.LIMIT)
    window = min(place + layout.WINDOW_BYTES, limit)
    final = get_field(state, layout.FINAL) == 1
    lines = get_field(state, layout.LINES)
    good = 0
    while place < window and get_field(state, layout.BAD_COUNT) < layout.BAD_CAPACITY:
        feed = _find_line_feed(place, limit)
        if feed == limit and not final:
            break
        stop = feed
        if feed < limit and feed > place and get_byte(feed, -1) == CARRIAGE_RETURN:
            stop -= 1
        reason = _take_line(place, stop, keys + 8 * good, amounts + 8 * good)
        if reason == 0:
            good += 1
        else:
            _note(state, place, stop - place, lines, reason)
            _count_noted(state)
        lines += 1
        place = min(feed + 1, limit)
    put_field(state, layout.LINES, lines)
    put_field(state, layout.CURSOR, place - text)
    return good


@compiled
def open_long_line(state):
    """Begin a line of which everything from CURSOR to LIMIT is only the start; it is certainly bad."""
    text = get_field(state, layout.TEXT)
    limit = get_field(state, layout.LIMIT)
    begin = text + get_field(state, layout.CURSOR)
    end = text + limit
    lines = get_field(state, layout.LINES)
    # It is bad, so that nothing is stored where the pair would go.
    _note(state, begin, end - begin, lines, _take_line(begin, end, begin, begin))
    put_field(state, layout.LINES, lines + 1)
    put_field(state, layout.LONG_OPEN, 1)
    put_field(state, layout.LONG_LENGTH, end - begin)
    put_field(state, layout.LONG_LAST, get_byte(end, -1))
    put_field(state, layout.CURSOR, limit)


@compiled
def continue_long_line(state):
    """Go on in a long line, to its end if that is in the buffer or the file ends."""
    text = get_field(state, layout.TEXT)
    begin = text + get_field(state, layout.CURSOR)
    limit = text + get_field(state, layout.LIMIT)
    feed = _find_line_feed(begin, limit)
    length = get_field(state, layout.LONG_LENGTH) + (feed - begin)
    last = get_field(state, layout.LONG_LAST)
    if feed > begin:
        last = get_byte(feed, -1)
    ended = feed < limit
    if ended and last == CARRIAGE_RETURN:
        length -= 1
    if ended or get_field(state, layout.FINAL) == 1:
        lengths = get_field(state, layout.BAD_LENGTH)
        put_field(lengths, get_field(state, layout.BAD_COUNT), length)
        _count_noted(state)
        put_field(state, layout.LONG_OPEN, 0)
    put_field(state, layout.LONG_LENGTH, length)
    put_field(state, layout.LONG_LAST, last)
    put_field(state, layout.CURSOR, min(feed + 1, limit) - text)


@compiled
def _find_line_feed(begin, end):
    """Return the address of the first line feed in [begin, end), or `end`."""
    for place in range(begin, end, 64):
        mask = line_feeds_of_64(place)
        if mask != 0:
            return min(place + lowest_bit(mask), end)
    return end


@compiled
def _digits_at(begin, end):
    """How many digits stand at `begin`; 64 stands for more."""
    mask = no_digits_of_64(begin)
    digits = 64 if mask == 0 else lowest_bit(mask)
    return min(digits, end - begin)


@compiled
def _take_line(begin, end, key_place, amount_place):
    """Store the pair of the line [begin, end) and return 0, or return what is wrong with it.

    Of a line longer than `CARRY_BYTES_MAX` the start tells.
    """
    consumer = _digits_at(begin, end)
    reason = _consumer_fault(begin, end, consumer)
    if reason != 0:
        return reason
    second = begin + consumer + 1
    amount = _digits_at(second, end)
    reason = _amount_fault(second, end, amount)
    if reason == 0:
        put_word(key_place, 0, number_at(begin, consumer))
        put_word(amount_place, 0, number_at(second, amount))
    return reason


@compiled
def _consumer_fault(begin, end, digits):
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
def _amount_fault(begin, end, digits):
    if begin == end:
        return _AMOUNT_MISSING
    if digits > DIGITS_MAX:
        return _AMOUNT_TOO_LONG
    if digits == 0:
        return _AMOUNT_NOT_DIGITS
    return 0 if begin + digits == end else _AMOUNT_FOLLOWED


@compiled
def _note(state, begin, length, line, reason):
    """Fill the next entry of the bad lines' columns, without counting it yet."""
    index = get_field(state, layout.BAD_COUNT)
    offset = begin - get_field(state, layout.TEXT) + get_field(state, layout.FILE_OFFSET)
    put_field(get_field(state, layout.BAD_LINE), index, line)
    put_field(get_field(state, layout.BAD_OFFSET), index, offset)
    put_field(get_field(state, layout.BAD_LENGTH), index, length)
    put_byte(get_field(state, layout.BAD_REASON), index, reason)
    raw = get_field(state, layout.BAD_RAW) + RAW_BYTES_MAX * index
    for word in range((min(length, RAW_BYTES_MAX) + 7) // 8):
        put_word(raw, word, get_word(begin, word))


@compiled
def _count_noted(state):
    put_field(state, layout.BAD_COUNT, get_field(state, layout.BAD_COUNT) + 1)
    put_field(state, layout.BAD_LINES, get_field(state, layout.BAD_LINES) + 1)
