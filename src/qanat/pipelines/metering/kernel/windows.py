"""The quick path: whole windows of plain lines, in steps that each keep the processor's units busy on their own.

1. The places of all bytes that aren't digits, 64 bytes at a time.
2. From them the lines: both numbers of each as a word of eight digits, moved into columns.

The columns of digits become numbers in `swar.convert_words`, four at a time. A window in which anything is unusual (a bad
line, mixed line ends) is left to `strict.py`; numbers of more than eight digits take longer in step 2.
"""

# Addresses, indexes and counts are int64 throughout; numba infers that.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import DIGITS_MAX
from qanat.pipelines.metering.kernel.strict import CARRIAGE_RETURN, LINE_FEED, SPACE
from qanat.pipelines.metering.kernel.swar import (
    count_bits,
    get_byte,
    get_field,
    get_index,
    get_word,
    lowest_bit,
    no_digits_of_64,
    number_at,
    put_field,
    put_index,
    put_word,
)

# What the columns hold.
NUMBERS = 0
WORDS = 1

# What `_split` found, in one integer: all numbers' lengths - 1, or-ed, in the lower half (so that up to 7 each number fits
# into a word); anything in the upper half means that not every line is plain.
_WORD_LENGTHS = 7
_STRUCTURE_SHIFT = 32

_LF_STRIDE = 2
_CRLF_STRIDE = 3


@compiled
def take_plain_lines(state, positions, keys, amounts):
    """Take the whole lines of one window, if all are plain; otherwise none.

    Returns how many pairs are in the columns, and whether these are `NUMBERS` or `WORDS`.
    """
    cursor = get_field(state, layout.CURSOR)
    text = get_field(state, layout.TEXT) + cursor
    length = min(layout.WINDOW_BYTES, get_field(state, layout.LIMIT) - cursor)
    count = _find_positions(text, length, positions)
    stride = _LF_STRIDE
    if count > 1 and get_byte(text, get_index(positions, 1)) == CARRIAGE_RETURN:
        stride = _CRLF_STRIDE
    lines = count // stride
    if lines == 0:
        return 0, NUMBERS
    # Two calls with constants: the compiler makes a loop of its own for each.
    if stride == _LF_STRIDE:
        found = _split(text, positions, lines, keys, amounts, _LF_STRIDE)
    else:
        found = _split(text, positions, lines, keys, amounts, _CRLF_STRIDE)
    kind = WORDS
    if found & ~_WORD_LENGTHS != 0:
        kind = NUMBERS
        if found >> _STRUCTURE_SHIFT != 0:
            return 0, kind
        if not _split_long(text, positions, lines, keys, amounts, stride):
            return 0, kind
    used = get_index(positions, stride * lines - 1) + 1
    put_field(state, layout.CURSOR, cursor + used)
    put_field(state, layout.LINES, get_field(state, layout.LINES) + lines)
    return lines, kind


@compiled
def _find_positions(text, length, positions):
    """Store the index of each byte that isn't a digit; return how many there are."""
    count = 0
    for block in range(0, length, 64):
        mask = no_digits_of_64(text + block)
        found = count_bits(mask)
        # More than there may be, but always eight: a loop of exactly `found` is mispredicted at its end.
        for lane in range(8):
            put_index(positions, count + lane, block + lowest_bit(mask))
            mask &= mask - uint64(1)
        if found > 8:
            for lane in range(8, 16):
                put_index(positions, count + lane, block + lowest_bit(mask))
                mask &= mask - uint64(1)
            for lane in range(16, found):
                put_index(positions, count + lane, block + lowest_bit(mask))
                mask &= mask - uint64(1)
        count += found
    while count > 0 and get_index(positions, count - 1) >= length:
        count -= 1
    return count


@compiled
def _split(text, positions, lines, keys, amounts, stride):
    """Move the numbers of all lines into columns as words of eight digits; tell what kind of lines these are.

    The words are right if all lengths are at most eight and the structure is sound.
    """
    lengths = 0
    structure = 0
    start = 0
    for line in range(lines):
        space = get_index(positions, stride * line)
        end = get_index(positions, stride * line + 1)
        consumer = space - start
        amount = end - space - 1
        lengths |= (consumer - 1) | (amount - 1)
        structure |= get_byte(text, space) ^ SPACE
        first, second = get_word(text + start, 0), get_word(text + space + 1, 0)
        put_word(keys, line, first << uint64((64 - 8 * consumer) & 63))
        put_word(amounts, line, second << uint64((64 - 8 * amount) & 63))
        if stride == _CRLF_STRIDE:
            structure |= get_byte(text, end) ^ CARRIAGE_RETURN
            feed = get_index(positions, stride * line + 2)
            structure |= feed ^ (end + 1)
            end = feed
        structure |= get_byte(text, end) ^ LINE_FEED
        start = end + 1
    return lengths | (structure << _STRUCTURE_SHIFT)


@compiled
def _split_long(text, positions, lines, keys, amounts, stride):
    """Move the numbers of lines of sound structure into columns, however long; False if one is too long."""
    start = 0
    for line in range(lines):
        space = get_index(positions, stride * line)
        end = get_index(positions, stride * line + 1)
        consumer = space - start
        amount = end - space - 1
        if consumer > DIGITS_MAX or amount > DIGITS_MAX:
            return False
        put_word(keys, line, number_at(text + start, consumer))
        put_word(amounts, line, number_at(text + space + 1, amount))
        start = end + stride - 1
    return True
