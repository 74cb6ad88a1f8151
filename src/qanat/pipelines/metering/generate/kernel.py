"""The compiled part: draws lines, writes them and sums what they say, in one pass and without the
GIL.

Line i of a file is a function of the file's key and i alone: its random numbers are the outputs of
splitmix64 at the counters 4i to 4i + 3. So the bytes don't depend on how they are cut into blocks,
and lines can be taken back by making them again.

Numbers are unsigned 64-bit throughout: numba turns a mixture of signed and unsigned into a float.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qanat.pipelines.metering.generate.compiled import compiled
from qanat.pipelines.metering.generate.malformed import AMOUNT, CONSUMER, NINETEEN, RANDOM
from qanat.pipelines.metering.generate.shape import Shape, Span, Tables

# Sebastiano Vigna's constants of splitmix64: the increment of its counter and the two multipliers
# of its output.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
# Four random numbers a line: what kind of line, consumer, amount, details.
_STEPS_PER_LINE: Final = np.uint64(4 * 0x9E3779B97F4A7C15 % 2**64)

_U0, _U1, _U2, _U3, _U4, _U5, _U6, _U7, _U8 = (np.uint64(n) for n in range(9))
_U10, _U16, _U20, _U24, _U27, _U30 = (np.uint64(n) for n in (10, 16, 20, 24, 27, 30))
_U31, _U32, _U40, _U48, _U56, _U63, _U64 = (np.uint64(n) for n in (31, 32, 40, 48, 56, 63, 64))
_U100, _TEN_TO_3, _TEN_TO_4, _TEN_TO_5 = (np.uint64(10**n) for n in (2, 3, 4, 5))
_TEN_TO_6, _TEN_TO_7, _TEN_TO_8, _TEN_TO_16 = (np.uint64(10**n) for n in (6, 7, 8, 16))
_MASK16, _MASK32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
# n * 109951163 >> 40 is n // 10^4 for every n below 10^8; n * 10486 >> 20 is n // 100 for every n
# below 10^4; n * 103 >> 10 is n // 10 for every n below 100.
_PER_10000: Final = np.uint64(109951163)
_PER_100, _TWO_FOURS = np.uint64(10486), np.uint64(0x0000007F0000007F)
_PER_10, _FOUR_TWOS = np.uint64(103), np.uint64(0x000F000F000F000F)
_ZEROS: Final = np.uint64(0x3030303030303030)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
# A number has 1 to 18 digits, and a width of 0 means as many as it needs: 19 widths. (19 digits are
# malformed.)
_U19: Final = np.uint64(19)
# Lines made at a time: enough to wait for many cache misses at once, few enough to stay in the
# first-level cache.
BATCH_LINES: Final = 64
# The rows of an array of drawn lines. Words and widths are there if all numbers have few digits.
_INDEX, _CONSUMER, _AMOUNT, _CONSUMER_WORD, _CONSUMER_WIDTH, _AMOUNT_WORD, _AMOUNT_WIDTH = range(7)
_NEGATIVE: Final = 7
_DRAWN_ROWS: Final = 8
_SPACE, _CR, _LF, _MINUS, _POINT = (np.uint8(ord(c)) for c in " \r\n-.")


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Return splitmix64's output for a counter: every input bit changes about half of the output
    bits.
    """
    value = (value ^ (value >> _U30)) * _FIRST
    value = (value ^ (value >> _U27)) * _SECOND
    return value ^ (value >> _U31)


@compiled
def scale(random: np.uint64, count: np.uint64) -> np.uint64:
    """Return a number below `count`: the upper 64 bits of the product, so that no value is favoured
    by more than count / 2^64.
    """
    random_high, random_low = random >> _U32, random & _MASK32
    count_high, count_low = count >> _U32, count & _MASK32
    middle = random_high * count_low + ((random_low * count_low) >> _U32)
    other = random_low * count_high + (middle & _MASK32)
    return random_high * count_high + (middle >> _U32) + (other >> _U32)


@compiled
def count_few_digits(value: np.uint64) -> np.uint64:
    """Return how many digits a number below 10^8 has. Sums comparisons: a branch would be
    mispredicted too often.
    """
    below_5 = np.uint64(value >= _U10) + np.uint64(value >= _U100) + np.uint64(value >= _TEN_TO_3)
    below_7 = np.uint64(value >= _TEN_TO_4) + np.uint64(value >= _TEN_TO_5)
    return _U1 + below_5 + below_7 + np.uint64(value >= _TEN_TO_6) + np.uint64(value >= _TEN_TO_7)


@compiled
def count_digits(value: np.uint64) -> np.uint64:
    """Return how many decimal digits `value` has."""
    digits = _U0
    while value >= _TEN_TO_8:
        value //= _TEN_TO_8
        digits += _U8
    return digits + count_few_digits(value)


@compiled
def eight_digits(value: np.uint64) -> np.uint64:
    """Return a number below 10^8 as eight characters, the first in the lowest byte.

    Halves of 4 digits, then of 2, then of 1 are parted side by side within one word.
    Multiplications and shifts stand for the divisions: several words at a time can do those.
    """
    high = (value * _PER_10000) >> _U40
    fours = high | ((value - high * _TEN_TO_4) << _U32)
    hundreds = ((fours * _PER_100) >> _U20) & _TWO_FOURS
    twos = hundreds | ((fours - hundreds * _U100) << _U16)
    tens = ((twos * _PER_10) >> _U10) & _FOUR_TWOS
    return tens | ((twos - tens * _U10) << _U8) | _ZEROS


@compiled
def put_word(buffer: NDArray[np.uint8], position: np.uint64, word: np.uint64) -> None:
    """Write the 8 bytes of `word`, the lowest first: the compiler makes one store of it."""
    buffer[position] = np.uint8(word)
    buffer[position + _U1] = np.uint8(word >> _U8)
    buffer[position + _U2] = np.uint8(word >> _U16)
    buffer[position + _U3] = np.uint8(word >> _U24)
    buffer[position + _U4] = np.uint8(word >> _U32)
    buffer[position + _U5] = np.uint8(word >> _U40)
    buffer[position + _U6] = np.uint8(word >> _U48)
    buffer[position + _U7] = np.uint8(word >> _U56)


@compiled
def put_number(
    buffer: NDArray[np.uint8], position: np.uint64, value: np.uint64, width: np.uint64
) -> np.uint64:
    """Write `value` in decimal, with leading zeros up to `width` digits; return the position after
    it.

    Up to 7 bytes after it are overwritten.
    """
    width = max(width, count_digits(value))
    if width > _U16:
        put_word(buffer, position, eight_digits(value // _TEN_TO_16) >> ((_U24 - width) * _U8))
        position += width - _U16
        value %= _TEN_TO_16
        width = _U16
    if width > _U8:
        put_word(buffer, position, eight_digits(value // _TEN_TO_8) >> ((_U16 - width) * _U8))
        position += width - _U8
        value %= _TEN_TO_8
        width = _U8
    put_word(buffer, position, eight_digits(value) >> ((_U8 - width) * _U8))
    return position + width


@compiled
def put_amount(
    buffer: NDArray[np.uint8],
    position: np.uint64,
    amount: np.uint64,
    width: np.uint64,
    negative: np.uint64,
    shape: Shape,
) -> np.uint64:
    """Write an amount with its sign and all its decimals, the rest as `put_number` does."""
    if negative:
        buffer[position] = _MINUS
        position += _U1
    if shape.decimals == _U0:
        return put_number(buffer, position, amount, width)
    end = put_number(buffer, position, amount // shape.unit, width)
    buffer[end] = _POINT
    return put_number(buffer, end + _U1, amount % shape.unit, shape.decimals)


@compiled
def put_malformed(
    buffer: NDArray[np.uint8],
    position: np.uint64,
    template: NDArray[np.uint16],
    consumer: np.uint64,
    amount: np.uint64,
    random: np.uint64,
) -> np.uint64:
    """Write a malformed line by a template, without its newline; return the position after it."""
    for piece in template:
        if piece == CONSUMER:
            position = put_number(buffer, position, consumer, _U0)
        elif piece == AMOUNT:
            position = put_number(buffer, position, amount, _U0)
        elif piece == NINETEEN:
            position = put_number(buffer, position, amount, _U19)
        elif piece == RANDOM:
            put_word(buffer, position, mix(random) | _HIGH_BITS)
            put_word(buffer, position + _U8, mix(random + _STEP) | _HIGH_BITS)
            position += _U16
        else:
            buffer[position] = piece
            position += _U1
    return position


@compiled
def draw_bucket(cells: NDArray[np.uint64], cell_bits: np.uint64, random: np.uint64) -> np.uint64:
    """Return a bucket, by the alias method.

    Selects by arithmetic: a branch that depends on the table would often be mispredicted.
    """
    cell = random >> (_U64 - cell_bits)
    fraction = (random << cell_bits) >> _U32
    entry: np.uint64 = cells[cell]
    alias = entry & _MASK32
    below = (fraction - (entry >> _U32)) >> _U63  # 1 if the fraction is below the threshold, else 0
    return alias + below * (cell - alias)


@compiled
def draw_template(kind_starts: NDArray[np.int64], random: np.uint64) -> tuple[int, int]:
    """Return a kind of malformed line and one of its templates."""
    kind = int(scale(random, np.uint64(kind_starts.size - 1)))
    first = int(kind_starts[kind])
    templates = np.uint64(kind_starts[kind + 1] - first)
    return kind, first + int((random & _MASK32) % templates)


@compiled
def draw_lines(shape: Shape, tables: Tables, counter: np.uint64, draws: NDArray[np.uint64]) -> None:
    """Draw lines into the columns of `draws`.

    In short loops of their own, as is adding: the processor then waits for many cache misses at a
    time.
    """
    ids, cells, buckets = tables.ids, tables.cells, tables.buckets
    drawn = counter + _STEP
    for column in range(draws.shape[1]):
        index = mix(drawn)
        if cells.size:
            bucket: np.uint64 = buckets[draw_bucket(cells, shape.cell_bits, index)]
            index = (bucket & _MASK32) + scale(mix(index), bucket >> _U32)
        else:
            index = scale(index, shape.consumers)
        draws[_INDEX, column] = index
        draws[_CONSUMER, column] = ids[index] if ids.size else shape.first_consumer + index
        drawn += _STEPS_PER_LINE
    drawn = counter + _STEP * _U2
    for column in range(draws.shape[1]):
        amount = scale(mix(drawn), shape.amount_count)
        draws[_AMOUNT, column] = shape.amount_min + amount
        drawn += _STEPS_PER_LINE


@compiled
def format_numbers(
    numbers: NDArray[np.uint64], words: NDArray[np.uint64], widths: NDArray[np.uint64]
) -> None:
    """Turn numbers below 10^8 into characters and their count. No branch: the compiler does eight
    at a time.
    """
    for column in range(len(numbers)):
        width = count_few_digits(numbers[column])
        words[column] = eight_digits(numbers[column]) >> ((_U8 - width) * _U8)
        widths[column] = width


@compiled
def put_lines(
    shape: Shape,
    tables: Tables,
    span: Span,
    first_line: int,
    draws: NDArray[np.uint64],
    buffer: NDArray[np.uint8],
    position: np.uint64,
    bad: NDArray[np.int64],
) -> tuple[int, np.uint64, int]:
    """Write the drawn lines of `span` from `first_line` on; malformed ones are entered in `bad`.

    Ends before a line that would exceed the file's room. What a malformed line drew is replaced by
    an amount of 0 for the row of the totals that nobody reads.

    Returns:
        Lines written, position after them, malformed lines among them.
    """
    counter = span.key + np.uint64(first_line) * _STEPS_PER_LINE
    wanted = min(BATCH_LINES, span.line_end - first_line)
    room_bytes = np.uint64(span.room_bytes)
    pieces, piece_starts, kind_starts = tables.pieces, tables.piece_starts, tables.kind_starts
    bad_count = 0
    for column in range(wanted):
        consumer, amount = draws[_CONSUMER, column], draws[_AMOUNT, column]
        decision, extra = mix(counter), mix(counter + _STEP * _U3)
        malformed, kind = (decision >> _U32) < shape.bad_share, 0
        if malformed:
            kind, template = draw_template(kind_starts, extra)
            chosen = pieces[piece_starts[template] : piece_starts[template + 1]]
            end = put_malformed(buffer, position, chosen, consumer, amount, extra)
        elif shape.few_digits:
            put_word(buffer, position, draws[_CONSUMER_WORD, column])
            end = position + draws[_CONSUMER_WIDTH, column]
            buffer[end] = _SPACE
            put_word(buffer, end + _U1, draws[_AMOUNT_WORD, column])
            end += _U1 + draws[_AMOUNT_WIDTH, column]
        else:
            negative = np.uint64((extra >> _U48) < shape.signed_share)
            draws[_NEGATIVE, column] = negative
            widths = extra if (decision & _MASK16) < shape.padded_share else _U0
            end = put_number(buffer, position, consumer, widths % _U19)
            buffer[end] = _SPACE
            width = (widths >> _U32) % (_U19 - shape.decimals)
            end = put_amount(buffer, end + _U1, amount, width, negative, shape)
        if ((decision >> _U16) & _MASK16) < shape.crlf_share:
            buffer[end] = _CR
            end += _U1
        buffer[end] = _LF
        if end >= room_bytes:
            return column, position, bad_count
        if malformed:
            bad[bad_count, 0], bad[bad_count, 1] = first_line + column, np.int64(position)
            bad[bad_count, 2], bad[bad_count, 3] = np.int64(end - position), kind
            draws[_INDEX, column], draws[_AMOUNT, column] = shape.consumers, _U0
            draws[_NEGATIVE, column] = _U0
            bad_count += 1
        position = end + _U1
        counter += _STEPS_PER_LINE
    return wanted, position, bad_count


@compiled
def add(low: np.uint64, amount: np.uint64, negative: bool) -> tuple[np.uint64, int]:
    """Add an amount, or take it away; return the low 64 bits and what the others change by."""
    if negative:
        return low - amount, -1 if low < amount else 0
    total = low + amount
    return total, 1 if total < low else 0


@compiled
def add_lines(
    draws: NDArray[np.uint64],
    lines: int,
    totals: NDArray[np.uint64],
    carries: NDArray[np.int64],
    taking_back: bool,
) -> tuple[np.uint64, int]:
    """Add lines to their consumers' totals, or take them back; return the sum of their amounts, low
    and high 64 bits.

    `carries` is touched only where 64 bits are exceeded.
    """
    sum_low, sum_high = _U0, 0
    one = _U0 - _U1 if taking_back else _U1
    for column in range(lines):
        index, amount = draws[_INDEX, column], draws[_AMOUNT, column]
        negative = draws[_NEGATIVE, column] != _U0
        totals[index, 0], carry = add(totals[index, 0], amount, taking_back != negative)
        totals[index, 1] += one
        if carry:
            carries[index] += carry
        sum_low, carry = add(sum_low, amount, negative)
        sum_high += carry
    return sum_low, sum_high


@compiled
def fill_block(
    shape: Shape,
    tables: Tables,
    span: Span,
    buffer: NDArray[np.uint8],
    bad: NDArray[np.int64],
    totals: NDArray[np.uint64],
    carries: NDArray[np.int64],
) -> tuple[int, int, int, bool, int, int]:
    """Write the lines of `span` into `buffer` and add them to the totals (or take them back from
    there).

    Ends before the first line that exceeds the file's room, or when one more batch might not fit
    into `buffer` or `bad`; returns the fields of `Filled`. The arrays are as in `Block` and
    `LineMaker`.
    """
    line, position, bad_count, complete = span.line, _U0, 0, False
    sum_low, sum_high = _U0, 0
    # Zeros: what nothing is drawn for is positive.
    draws = np.zeros((_DRAWN_ROWS, BATCH_LINES), np.uint64)
    last_position = np.uint64(buffer.size - BATCH_LINES * shape.line_bytes_max)
    last_bad = len(bad) - BATCH_LINES
    while (
        line < span.line_end
        and position <= last_position
        and bad_count <= last_bad
        and not complete
    ):
        draw_lines(shape, tables, span.key + np.uint64(line) * _STEPS_PER_LINE, draws)
        if shape.few_digits:
            format_numbers(draws[_CONSUMER], draws[_CONSUMER_WORD], draws[_CONSUMER_WIDTH])
            format_numbers(draws[_AMOUNT], draws[_AMOUNT_WORD], draws[_AMOUNT_WIDTH])
        made, position, bad_made = put_lines(
            shape, tables, span, line, draws, buffer, position, bad[bad_count:]
        )
        low, high = add_lines(draws, made, totals, carries, span.taking_back)
        sum_low += low
        sum_high += high + (1 if sum_low < low else 0)
        bad_count += bad_made
        line += made
        complete = made < BATCH_LINES and line < span.line_end
    return int(position), line - span.line, bad_count, complete, int(sum_low), sum_high
