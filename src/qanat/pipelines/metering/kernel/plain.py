"""The quickest path: windows of plain lines, ended by LF, with numbers of up to eight digits.

It works in steps that each keep the processor's units busy on their own: the places of all spaces
and line feeds, 64 bytes at a time; then both numbers of each line as a word of eight digits, moved
into columns (which `swar.convert_words` makes numbers of, four at a time). That all lines are plain
follows from three facts: the window has no other bytes than digits, spaces and line feeds; the i-th
space lies in the i-th line; and digits stand on both of its sides.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.swar import (
    count_bits,
    get_index,
    get_word,
    line_feeds_of_64,
    lowest_bit,
    no_digits_of_64,
    put_index,
    put_word,
    spaces_of_64,
)

# All bits of a length - 1 that stand for more than eight digits, or for none.
_NO_WORD = ~7
# Places are stored so many at a time, whether there are as many or not: a loop of exactly as many
# is mispredicted at its end.
_LANES = 6


@compiled
def take_plain_window(text: int, spaces: int, feeds: int, keys: int, amounts: int) -> int:
    """Move the numbers of a whole window's lines into columns; return how many, 0 if one isn't plain.

    The last line's feed is then the last one of `feeds`.
    """
    space_count, feed_count, others = _find(text, spaces, feeds)
    if others != uint64(0) or space_count < feed_count:
        return 0
    lengths = 0
    start = 0
    for line in range(feed_count):
        space = get_index(spaces, line)
        feed = get_index(feeds, line)
        consumer = space - start
        amount = feed - space - 1
        lengths |= (consumer - 1) | (amount - 1)
        first, second = get_word(text + start, 0), get_word(text + space + 1, 0)
        put_word(keys, line, first << uint64((64 - 8 * consumer) & 63))
        put_word(amounts, line, second << uint64((64 - 8 * amount) & 63))
        start = feed + 1
    return 0 if lengths & _NO_WORD != 0 else feed_count


@compiled
def _find(text: int, spaces: int, feeds: int) -> tuple[int, int, uint64]:
    """Store the places of spaces and of line feeds; return how many, and whether others aren't digits."""
    space_count, feed_count = 0, 0
    others = uint64(0)
    for block in range(0, layout.WINDOW_BYTES, 64):
        space_mask = spaces_of_64(text + block)
        feed_mask = line_feeds_of_64(text + block)
        others |= no_digits_of_64(text + block) ^ (space_mask | feed_mask)
        space_count += _store(spaces, space_count, space_mask, block)
        feed_count += _store(feeds, feed_count, feed_mask, block)
    return space_count, feed_count, others


@compiled
def _store(places: int, count: int, mask: uint64, block: int) -> int:
    found = count_bits(mask)
    for lane in range(_LANES):
        put_index(places, count + lane, block + lowest_bit(mask))
        mask &= mask - uint64(1)
    if found > _LANES:
        for lane in range(_LANES, 2 * _LANES):
            put_index(places, count + lane, block + lowest_bit(mask))
            mask &= mask - uint64(1)
        for lane in range(2 * _LANES, found):
            put_index(places, count + lane, block + lowest_bit(mask))
            mask &= mask - uint64(1)
    return found
