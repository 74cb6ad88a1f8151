"""The quickest path: windows of plain lines, ended by LF, with numbers of up to eight digits.

It works in steps that each keep the processor's units busy on their own: the places of all spaces
and line feeds, 64 bytes at a time; then the eight bytes that each number begins with, moved into
columns; then the columns to numbers, four at a time. That all lines are plain follows from three
facts: the window has no other bytes than digits, spaces and line feeds; the i-th space lies in the
i-th line; and one to eight digits stand on both of its sides.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.lanes import convert_between
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

# So many places of each kind are stored for 64 bytes, whether there are as many or not: a loop of
# exactly as many is mispredicted at its end. The second is for lines of less than 11.6 bytes.
_FEW_LANES = 6
_MANY_LANES = 8
_FEW_LINES_MAX = 352


@compiled
def take_plain_window(
    text: int, spaces: int, feeds: int, keys: int, amounts: int, lines_before: int
) -> int:
    """Turn a whole window's lines into columns of numbers; return how many, 0 if one isn't plain.

    `lines_before` is the result of the window before. The last line ends at the last one of `feeds`,
    before which there is room for one more place.
    """
    # Two calls with constants: the compiler makes a loop of its own for each.
    if lines_before <= _FEW_LINES_MAX:
        lines = _find(text, spaces, feeds, _FEW_LANES)
    else:
        lines = _find(text, spaces, feeds, _MANY_LANES)
    put_index(feeds, -1, -1)
    for line in range(lines):
        put_word(keys, line, get_word(text + 1 + get_index(feeds, line - 1), 0))
        put_word(amounts, line, get_word(text + 1 + get_index(spaces, line), 0))
    fine = convert_between(keys, feeds - 4, spaces, lines)
    return lines if convert_between(amounts, spaces, feeds, lines) and fine else 0


@compiled
def _find(text: int, spaces: int, feeds: int, lanes: int) -> int:
    """Store the places of spaces and of line feeds; return how many lines end, 0 if one isn't plain."""
    space_count, feed_count = 0, 0
    others = uint64(0)
    for block in range(0, layout.WINDOW_BYTES, 64):
        space_mask = spaces_of_64(text + block)
        feed_mask = line_feeds_of_64(text + block)
        others |= no_digits_of_64(text + block) ^ (space_mask | feed_mask)
        spaces_here, feeds_here = count_bits(space_mask), count_bits(feed_mask)
        for lane in range(lanes):
            put_index(spaces, space_count + lane, block + lowest_bit(space_mask))
            put_index(feeds, feed_count + lane, block + lowest_bit(feed_mask))
            space_mask &= space_mask - uint64(1)
            feed_mask &= feed_mask - uint64(1)
        if max(spaces_here, feeds_here) > lanes:
            for lane in range(lanes, spaces_here):
                put_index(spaces, space_count + lane, block + lowest_bit(space_mask))
                space_mask &= space_mask - uint64(1)
            for lane in range(lanes, feeds_here):
                put_index(feeds, feed_count + lane, block + lowest_bit(feed_mask))
                feed_mask &= feed_mask - uint64(1)
        space_count += spaces_here
        feed_count += feeds_here
    return feed_count if others == uint64(0) and space_count >= feed_count else 0
