"""The quick path: plain lines of a window, in steps that each keep the processor's units busy on
their own.

1. The places of all bytes that aren't digits, 64 bytes at a time.
2. From them the lines: both numbers of each as a word of eight digits, moved into columns.

The columns of digits become numbers in `swar.convert_words`, four at a time. Lines with numbers of
more than eight digits take longer in step 2; what isn't plain is left to `strict.py`.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.amounts import amount_at, amount_fault
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import CARRIAGE_RETURN, DIGITS_MAX, LINE_FEED, SPACE
from qanat.pipelines.metering.kernel.swar import (
    count_bits,
    get_byte,
    get_field,
    get_index,
    get_word,
    lowest_bit,
    no_digits_of_64,
    number_at,
    put_index,
    put_word,
)

# Bytes of a line that aren't digits.
LF_STRIDE = 2
CRLF_STRIDE = 3

# The most bytes of a good line that aren't digits: the space, a sign, a point and CR LF.
_MARKS_MAX = 5

# All bits of a length - 1 that stand for more than eight digits, or for none.
_NO_WORD = ~7


@compiled
def find_positions(text: int, length: int, positions: int) -> int:
    """Store the index of each byte that isn't a digit; return how many there are."""
    count = 0
    for block in range(0, length, 64):
        mask = no_digits_of_64(text + block)
        found = count_bits(mask)
        # More than there may be, but always eight: a loop of exactly `found` is mispredicted at
        # its end.
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
def split_words(
    text: int, start: int, positions: int, count: int, keys: int, amounts: int, stride: int
) -> int:
    """Move the numbers of lines into columns as words of eight digits; return how many lines.

    The first line begins at `text` + `start`. Ends before a line that isn't plain, or that has a
    number of more than eight digits.
    """
    lines = 0
    while lines < count:
        space = get_index(positions, stride * lines)
        end = get_index(positions, stride * lines + 1)
        consumer = space - start
        amount = end - space - 1
        first, second = get_word(text + start, 0), get_word(text + space + 1, 0)
        put_word(keys, lines, first << uint64((64 - 8 * consumer) & 63))
        put_word(amounts, lines, second << uint64((64 - 8 * amount) & 63))
        wrong = ((consumer - 1) | (amount - 1)) & _NO_WORD
        wrong |= _structure(text, positions, lines, space, end, stride)
        if wrong != 0:
            break
        start = end + stride - 1
        lines += 1
    return lines


@compiled
def split_numbers(
    text: int, start: int, positions: int, count: int, keys: int, amounts: int, stride: int
) -> int:
    """Like `split_words`, for numbers of any length: the columns hold numbers."""
    lines = 0
    while lines < count:
        space = get_index(positions, stride * lines)
        end = get_index(positions, stride * lines + 1)
        consumer = space - start
        amount = end - space - 1
        wrong = _structure(text, positions, lines, space, end, stride)
        if wrong != 0 or not (0 < consumer <= DIGITS_MAX and 0 < amount <= DIGITS_MAX):
            break
        put_word(keys, lines, number_at(text + start, consumer))
        put_word(amounts, lines, number_at(text + space + 1, amount))
        start = end + stride - 1
        lines += 1
    return lines


@compiled
def split_scaled(
    state: int, text: int, start: int, positions: int, count: int, keys: int, amounts: int
) -> tuple[int, int]:
    """Move the numbers of lines into columns where amounts may have a sign or decimals, with both line ends.

    Returns how many positions the lines have, and how many lines. Ends before a bad one.
    """
    signed, decimals = get_field(state, layout.SIGNED), get_field(state, layout.DECIMALS)
    used, lines = 0, 0
    while used + 1 < count:
        space = get_index(positions, used)
        last = used + 1
        stop = min(count, used + _MARKS_MAX)
        while last < stop and get_byte(text, get_index(positions, last)) != LINE_FEED:
            last += 1
        consumer = space - start
        if last == stop or get_byte(text, space) != SPACE or not 0 < consumer <= DIGITS_MAX:
            break
        feed = get_index(positions, last)
        begin, end = text + space + 1, text + feed
        if get_byte(end, -1) == CARRIAGE_RETURN:
            end -= 1
        if amount_fault(begin, end, signed, decimals) != 0:
            break
        put_word(keys, lines, number_at(text + start, consumer))
        put_word(amounts, lines, amount_at(state, begin, end))
        start = feed + 1
        used = last + 1
        lines += 1
    return used, lines


@compiled
def _structure(text: int, positions: int, line: int, space: int, end: int, stride: int) -> int:
    """Return 0 if the bytes that aren't digits are a space and the line's end."""
    wrong = get_byte(text, space) ^ SPACE
    if stride == CRLF_STRIDE:
        feed = get_index(positions, stride * line + 2)
        wrong |= (get_byte(text, end) ^ CARRIAGE_RETURN) | (feed ^ (end + 1))
        return wrong | (get_byte(text, feed) ^ LINE_FEED)
    return wrong | (get_byte(text, end) ^ LINE_FEED)
