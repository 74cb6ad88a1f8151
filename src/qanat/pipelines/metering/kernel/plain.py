"""The quickest path: plain lines, ended by LF, with numbers of up to sixteen digits, from the start of a window on.

It works in steps that each keep the processor's units busy on their own: the places of all spaces and line feeds, 64 bytes
at a time; then the last eight digits of both numbers of each line as words, moved into columns; then, if any number is
longer, the digits before these; then words become numbers, four at a time. That lines are plain follows from three facts:
there are no other bytes than digits, spaces and line feeds; the i-th space, and no other, lies in the i-th line; and there
are digits on both sides of it.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled, inlined
from qanat.pipelines.metering.kernel.swar import (
    PLACES_MAX,
    convert_wide_words,
    convert_words,
    count_bits,
    get_index,
    get_word,
    line_feeds_of_64,
    no_digits_of_64,
    put_places,
    put_word,
    spaces_of_64,
)

_WORD_DIGITS = 8
# The bit of a length - 1 that stands for more than a word's digits, and all that stand for more than two words', or for none.
_TWO_WORDS = 8
_NO_WORDS = ~15


@compiled
def take_plain(text: int, spaces: int, feeds: int, keys: int) -> int:
    """Move the numbers of the first lines of a window into columns; return how many lines, 0 if the first isn't plain.

    The last line's feed is then at that place of `feeds`, less one. The column of amounts follows that of `keys`; the one
    after both is spoilt.
    """
    amounts = keys + layout.COLUMN_BYTES
    upper = amounts + layout.COLUMN_BYTES
    space_count, feed_count = _find(text, spaces, feeds)
    lines = min(space_count, feed_count)
    key_lengths, amount_lengths = _split(text, spaces, feeds, lines, keys, amounts)
    if (key_lengths | amount_lengths) & _NO_WORDS != 0 or not _ends_well(
        spaces, feeds, lines, space_count
    ):
        lines = _count_plain(spaces, feeds, lines, space_count)
    if key_lengths & _TWO_WORDS != 0:
        start = 0
        for line in range(lines):
            put_word(upper, line, _first_digits(text, start, get_index(spaces, line)))
            start = get_index(feeds, line) + 1
        convert_wide_words(keys, upper, lines)
    else:
        convert_words(keys, lines)
    if amount_lengths & _TWO_WORDS != 0:
        for line in range(lines):
            start = get_index(spaces, line) + 1
            put_word(upper, line, _first_digits(text, start, get_index(feeds, line)))
        convert_wide_words(amounts, upper, lines)
    else:
        convert_words(amounts, lines)
    return lines


@inlined
def _split(
    text: int, spaces: int, feeds: int, lines: int, keys: int, amounts: int
) -> tuple[int, int]:
    """Move the last digits of both numbers into columns; return all lengths - 1, joined bit by bit."""
    key_lengths, amount_lengths = 0, 0
    start = 0
    for line in range(lines):
        space = get_index(spaces, line)
        feed = get_index(feeds, line)
        key_lengths |= space - start - 1
        amount_lengths |= feed - space - 2
        put_word(keys, line, _last_digits(text, start, space))
        put_word(amounts, line, _last_digits(text, space + 1, feed))
        start = feed + 1
    return key_lengths, amount_lengths


@inlined
def _ends_well(spaces: int, feeds: int, lines: int, space_count: int) -> bool:
    """Whether the next space lies behind these lines."""
    return lines == space_count or get_index(spaces, lines) > get_index(feeds, lines - 1)


@compiled
def _count_plain(spaces: int, feeds: int, lines: int, space_count: int) -> int:
    """Return how many of the first `lines` are plain."""
    start = 0
    for line in range(lines):
        space = get_index(spaces, line)
        feed = get_index(feeds, line)
        lengths = (space - start - 1) | (feed - space - 2)
        if lengths & _NO_WORDS != 0 or not _ends_well(spaces, feeds, line + 1, space_count):
            return line
        start = feed + 1
    return lines


@inlined
def _last_digits(text: int, start: int, stop: int) -> uint64:
    """The last eight digits of the number [start, stop) as a word, shorter ones with zeros in front."""
    length = min(stop - start, _WORD_DIGITS)
    return get_word(text + stop - length, 0) << uint64((64 - 8 * length) & 63)


@inlined
def _first_digits(text: int, start: int, stop: int) -> uint64:
    """Likewise the digits before the last eight; 0 if there are none."""
    length = stop - start - _WORD_DIGITS
    word = get_word(text + start, 0) << uint64((64 - 8 * length) & 63)
    return word if length > 0 else uint64(0)


@inlined
def _find(text: int, spaces: int, feeds: int) -> tuple[int, int]:
    """Store the places of spaces and of line feeds, up to 64 bytes with others; return how many."""
    space_count, feed_count = 0, 0
    for block in range(0, layout.WINDOW_BYTES, 64):
        space_mask = spaces_of_64(text + block)
        feed_mask = line_feeds_of_64(text + block)
        found_spaces, found_feeds = count_bits(space_mask), count_bits(feed_mask)
        # The shortest plain line has four bytes, so that there are sixteen at the most.
        if (
            no_digits_of_64(text + block) != space_mask | feed_mask
            or max(found_spaces, found_feeds) > PLACES_MAX
        ):
            break
        put_places(spaces, space_count, space_mask, block)
        put_places(feeds, feed_count, feed_mask, block)
        space_count += found_spaces
        feed_count += found_feeds
    return space_count, feed_count
