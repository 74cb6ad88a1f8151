"""One line at a time, strictly: unusual lines, and lines that are longer than a window."""

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.amounts import amount_at, digits_at
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.faults import count_noted, fault, note
from qanat.pipelines.metering.kernel.layout import CARRIAGE_RETURN, LINE_FEED
from qanat.pipelines.metering.kernel.swar import (
    get_byte,
    get_field,
    get_index,
    line_feeds_of_64,
    lowest_bit,
    number_at,
    put_field,
    put_word,
)


@compiled
def skip_to_line(state: int) -> None:
    """Drop the rest of a line that began before the block."""
    text = get_field(state, layout.TEXT)
    limit = text + get_field(state, layout.LIMIT)
    feed = _find_line_feed(text + get_field(state, layout.CURSOR), limit)
    if feed < limit:
        put_field(state, layout.SKIPPING, 0)
    put_field(state, layout.CURSOR, min(feed + 1, limit) - text)


@compiled
def take_line(
    state: int, text: int, start: int, positions: int, count: int, keys: int, amounts: int
) -> tuple[int, int]:
    """Take the line at `text` + `start` if it ends among the positions.

    Returns how many positions it has, 0 if it doesn't end, and 1 if it is good.
    """
    place = 0
    while place < count and get_byte(text, get_index(positions, place)) != LINE_FEED:
        place += 1
    if place >= count:
        return 0, 0
    feed = get_index(positions, place)
    good = _take(state, text + start, text + feed, keys, amounts)
    return place + 1, good


@compiled
def take_rest(state: int, keys: int, amounts: int) -> int:
    """Take the line at CURSOR that doesn't end within a window; return 1 if it is good.

    Whole, it is bad because it is so long; or it is the file's last one; otherwise only its start
    is there, and nothing is taken unless it is too long to be kept.
    """
    text = get_field(state, layout.TEXT)
    begin = text + get_field(state, layout.CURSOR)
    limit = text + get_field(state, layout.LIMIT)
    feed = _find_line_feed(begin, limit)
    good = 0
    if feed < limit:
        good = _take(state, begin, feed, keys, amounts)
        put_field(state, layout.CURSOR, feed + 1 - text)
    elif get_field(state, layout.FINAL) == 1:
        good = _take_content(state, begin, limit, keys, amounts)
        put_field(state, layout.CURSOR, limit - text)
    elif limit - begin > layout.CARRY_BYTES_MAX:
        _open_long_line(state, begin, limit)
    return good


@compiled
def continue_long_line(state: int) -> None:
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
        count_noted(state)
        put_field(state, layout.LONG_OPEN, 0)
    put_field(state, layout.LONG_LENGTH, length)
    put_field(state, layout.LONG_LAST, last)
    put_field(state, layout.CURSOR, min(feed + 1, limit) - text)


@compiled
def _take(state: int, begin: int, feed: int, keys: int, amounts: int) -> int:
    """Take the line [begin, feed), which a line feed ends; return 1 if it is good."""
    end = feed
    if feed > begin and get_byte(feed, -1) == CARRIAGE_RETURN:
        end -= 1
    return _take_content(state, begin, end, keys, amounts)


@compiled
def _take_content(state: int, begin: int, end: int, keys: int, amounts: int) -> int:
    """Take the line [begin, end), without what ends it; return 1 if it is good."""
    lines = get_field(state, layout.LINES)
    put_field(state, layout.LINES, lines + 1)
    if fault(state, begin, end) != 0:
        note(state, begin, end - begin, lines)
        count_noted(state)
        return 0
    consumer = digits_at(begin, end)
    put_word(keys, 0, number_at(begin, consumer))
    put_word(amounts, 0, amount_at(state, begin + consumer + 1, end))
    return 1


@compiled
def _open_long_line(state: int, begin: int, limit: int) -> None:
    """Begin a line of which everything that is there is only the start; it is certainly bad."""
    lines = get_field(state, layout.LINES)
    note(state, begin, limit - begin, lines)
    put_field(state, layout.LINES, lines + 1)
    put_field(state, layout.LONG_OPEN, 1)
    put_field(state, layout.LONG_LENGTH, limit - begin)
    put_field(state, layout.LONG_LAST, get_byte(limit, -1))
    put_field(state, layout.CURSOR, get_field(state, layout.LIMIT))


@compiled
def _find_line_feed(begin: int, end: int) -> int:
    """Return the address of the first line feed in [begin, end), or `end`."""
    for place in range(begin, end, 64):
        mask = line_feeds_of_64(place)
        if mask != 0:
            return min(place + lowest_bit(mask), end)
    return end
