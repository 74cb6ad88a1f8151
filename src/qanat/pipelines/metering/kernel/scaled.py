"""The quickest path where amounts may have a sign or decimals: whole lines, from the start of a window on.

It works as `plain.py` does, with two more steps. Digits around a decimal point come together by choosing, byte by byte,
between the word that ends the amount and the word one byte before. And each amount gets a factor that stands for its sign
and for the decimals that aren't written out. Eight lines at a time take these steps in `eights.py`; the last few of a window
do so here, and all where more than seven decimals are allowed.

That the lines are good follows from these facts: there are no other bytes than digits, spaces, line feeds, carriage
returns, and the points and minus signs that are allowed; the i-th space, and no other, lies in the i-th line; there are
digits where there have to be some; and no more points, signs and carriage returns are there than were found where they
may be.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.amounts import amount_fault, digits_at
from qanat.pipelines.metering.kernel.compiled import compiled, inlined
from qanat.pipelines.metering.kernel.eights import (
    AMOUNT_LENGTHS,
    KEY_LENGTHS,
    MARKS,
    SCALES,
    WRONG,
    negate_eights,
    scale_eights,
    split_eights,
    split_whole_eights,
)
from qanat.pipelines.metering.kernel.layout import CARRIAGE_RETURN, DIGITS_MAX, MINUS, POINT
from qanat.pipelines.metering.kernel.swar import (
    PLACES_MAX,
    convert_wide_words,
    convert_words,
    count_bits,
    get_byte,
    get_field,
    get_index,
    get_word,
    line_feeds_of_64,
    minuses_of_64,
    no_digits_of_64,
    points_of_64,
    put_field,
    put_index,
    put_places,
    put_word,
    returns_of_64,
    spaces_of_64,
    zeros_above,
)

_WORD_DIGITS = 8
_DIGITS_MAX = 16
# The bit that digits have, and that spaces, line feeds, points and minus signs lack.
_DIGIT_BITS = uint64(0x1010101010101010)
_ALL = uint64(0xFFFFFFFFFFFFFFFF)
_NONE = uint64(0)


@compiled
def take_scaled(state: int, text: int) -> int:
    """Move the numbers of the first lines of a window into columns, amounts scaled; return how many lines.

    0 if the first line isn't one for this path. The last line's feed is then at that place of the line feeds, less one.
    The column behind the amounts is spoilt.
    """
    spaces = get_field(state, layout.SCRATCH)
    feeds = spaces + layout.POSITIONS_BYTES
    signed, decimals = get_field(state, layout.SIGNED), get_field(state, layout.DECIMALS)
    ends = spaces + layout.ENDS_OFFSET
    space_count, feed_count, marks, returns, searched = _find(text, spaces, feeds, signed, decimals)
    lines = min(space_count, feed_count)
    if lines == 0:
        return 0
    if returns > 0:
        returns = _find_ends(text, feeds, ends, lines)
    else:
        ends = feeds
    wrong, found, key_lengths, amount_lengths, scales = _split_all(state, text, ends, lines)
    marks -= _marks_from(text + get_index(feeds, lines - 1) + 1, text + searched)
    outside = lines < space_count and get_index(spaces, lines) < get_index(feeds, lines - 1)
    if wrong < 0 or outside or marks != found + returns:
        lines = _count_good(text, spaces, feeds, ends, lines, signed, decimals)
    # Amounts first: what they need is in the column that both spoil.
    _convert_amounts(state, text, ends, lines, amount_lengths)
    if scales != 0:
        _scale(state, lines)
    _convert_keys(state, text, lines, key_lengths)
    return lines


@compiled
def _convert_keys(state: int, text: int, lines: int, lengths: int) -> None:
    """Turn words of digits into numbers, together with the digits before them."""
    spaces = get_field(state, layout.SCRATCH)
    feeds = spaces + layout.POSITIONS_BYTES
    keys, upper = spaces + layout.KEYS_OFFSET, spaces + layout.HOMES_OFFSET
    if lengths & _WORD_DIGITS == 0:
        convert_words(keys, lines)
        return
    start = 0
    for line in range(lines):
        stop = get_index(spaces, line)
        put_word(upper, line, _kept(get_word(text + stop - 16, 0), stop - start - _WORD_DIGITS))
        start = get_index(feeds, line) + 1
    convert_wide_words(keys, upper, lines)


@compiled
def _convert_amounts(state: int, text: int, ends: int, lines: int, lengths: int) -> None:
    """Likewise, without their points."""
    spaces = get_field(state, layout.SCRATCH)
    amounts, upper = spaces + layout.AMOUNTS_OFFSET, spaces + layout.HOMES_OFFSET
    if lengths & _WORD_DIGITS == 0:
        convert_words(amounts, lines)
        return
    eights = _count_eights(lines, get_field(state, layout.DECIMALS))
    for line in range(eights):
        digits = get_field(upper, line)
        end = text + get_index(ends, line) - (digits & 1)
        put_word(upper, line, _kept(get_word(end - 16, 0), (digits >> 1) - _WORD_DIGITS))
    for line in range(eights, lines):
        begin = text + get_index(spaces, line) + 1
        put_word(upper, line, _first_digits(begin, text + get_index(ends, line)))
    convert_wide_words(amounts, upper, lines)


@compiled
def _scale(state: int, lines: int) -> None:
    """Multiply amounts by their factors."""
    spaces = get_field(state, layout.SCRATCH)
    amounts, factors = spaces + layout.AMOUNTS_OFFSET, spaces + layout.FACTORS_OFFSET
    table = state + 8 * layout.FACTORS
    eights = _count_eights(lines, get_field(state, layout.DECIMALS))
    if get_field(state, layout.DECIMALS) > 0:
        scale_eights(amounts, factors, eights)
    else:
        negate_eights(amounts, factors, eights)
    for line in range(eights, lines):
        factor = get_word(table, get_field(factors, line))
        put_word(amounts, line, get_word(amounts, line) * factor)


@inlined
def _count_eights(lines: int, decimals: int) -> int:
    """How many of the lines `eights.py` takes."""
    return 0 if decimals >= _WORD_DIGITS else lines & ~7


@inlined
def _split_all(state: int, text: int, ends: int, lines: int) -> tuple[int, int, int, int, int]:
    """Move the last digits of both numbers, and which factor it is, into columns.

    Of the eights, the column behind the amounts then has twice the number of an amount's digits, and 1 more with a point.
    Returns a negative number if a line isn't one for this path, as far as lengths tell; how many points and signs there
    are where they may be; for both numbers all lengths - 1, joined bit by bit; and 0 if all factors are 1.
    """
    spaces = get_field(state, layout.SCRATCH)
    feeds = spaces + layout.POSITIONS_BYTES
    keys = spaces + layout.KEYS_OFFSET
    amounts, shifted = spaces + layout.AMOUNTS_OFFSET, spaces + layout.HOMES_OFFSET
    firsts = spaces + layout.FACTORS_OFFSET
    signed, decimals = get_field(state, layout.SIGNED), get_field(state, layout.DECIMALS)
    put_index(feeds, -1, -1)
    eights = _count_eights(lines, decimals)
    for line in range(eights):
        space = text + get_index(spaces, line)
        end = text + get_index(ends, line)
        put_word(keys, line, get_word(space - 8, 0))
        put_word(amounts, line, get_word(end - 8, 0))
        # In loops of their own, where it is needed: each store counts.
        if decimals > 0:
            put_word(shifted, line, get_word(end - 9, 0))
        if signed == 1:
            put_field(firsts, line, get_byte(space, 1))
    result = spaces + layout.GATHERED_OFFSET
    if decimals > 0:
        split_eights(
            spaces, feeds, ends, eights, keys, layout.COLUMN_BYTES, signed, decimals, result
        )
    else:
        split_whole_eights(
            spaces, feeds, ends, eights, keys, layout.COLUMN_BYTES, signed, decimals, result
        )
    wrong, found, key_lengths, amount_lengths, scales = _split(state, text, ends, eights, lines)
    return (
        wrong | get_field(result, WRONG),
        found + get_field(result, MARKS),
        key_lengths | get_field(result, KEY_LENGTHS),
        amount_lengths | get_field(result, AMOUNT_LENGTHS),
        scales | get_field(result, SCALES),
    )


@inlined
def _split(
    state: int, text: int, ends: int, first: int, lines: int
) -> tuple[int, int, int, int, int]:
    """Likewise, line by line, from the line `first` on."""
    spaces = get_field(state, layout.SCRATCH)
    feeds = spaces + layout.POSITIONS_BYTES
    keys = spaces + layout.KEYS_OFFSET
    amounts, factors = spaces + layout.AMOUNTS_OFFSET, spaces + layout.FACTORS_OFFSET
    decimals = get_field(state, layout.DECIMALS)
    whole_max = DIGITS_MAX - decimals
    wrong, found, key_lengths, amount_lengths, scales = 0, 0, 0, 0, 0
    start = 0 if first == 0 else get_index(feeds, first - 1) + 1
    for line in range(first, lines):
        space = get_index(spaces, line)
        key_length = space - start
        put_word(keys, line, _kept(get_word(text + space - 8, 0), key_length))
        end = text + get_index(ends, line)
        minus = int(get_byte(text, space + 1) == MINUS)
        fraction, pointed = _fraction(end)
        digits = end - text - space - 1 - minus - pointed
        fraction = fraction * pointed
        put_word(amounts, line, _kept(_last_digits(end, fraction, pointed), digits))
        factor = decimals - fraction + layout.FACTORS_NEGATIVE * minus
        put_field(factors, line, factor)
        scales |= factor
        wrong |= (key_length - 1) | (_DIGITS_MAX - key_length) | (_DIGITS_MAX - digits)
        wrong |= (digits - fraction - 1) | (whole_max - digits + fraction)
        wrong |= (decimals - fraction) | (fraction - pointed)
        key_lengths |= key_length - 1
        amount_lengths |= digits - 1
        found += minus + pointed
        start = get_index(feeds, line) + 1
    return wrong, found, key_lengths, amount_lengths, scales


@inlined
def _fraction(end: int) -> tuple[int, int]:
    """How many digits end at `end`, up to nine, and whether a point is before them: 1 or 0."""
    other = ~get_word(end - 8, 0) & _DIGIT_BITS
    digits = zeros_above(other) >> 3
    digits += (digits >> 3) & (get_byte(end, -9) >> 4)
    return digits, int(get_byte(end, -1 - digits) == POINT)


@inlined
def _last_digits(end: int, fraction: int, pointed: int) -> uint64:
    """The last eight digits before `end` as a word, without the point before the last `fraction` ones."""
    digits = min(fraction, _WORD_DIGITS) if pointed == 1 else _WORD_DIGITS
    behind = _ALL << uint64((64 - 8 * digits) & 63)
    return (get_word(end - 8, 0) & behind) | (get_word(end - 9, 0) & ~behind)


@inlined
def _first_digits(begin: int, end: int) -> uint64:
    """Likewise the digits of the amount [begin, end) before the last eight."""
    minus = int(get_byte(begin, 0) == MINUS)
    fraction, pointed = _fraction(end)
    length = end - begin - minus - pointed - _WORD_DIGITS
    stop = end - _WORD_DIGITS
    if pointed == 1:
        if fraction <= _WORD_DIGITS:
            stop -= 1
        else:
            return _kept(_last_digits(stop, fraction - _WORD_DIGITS, 1), length)
    return _kept(get_word(stop - 8, 0), length)


@inlined
def _kept(word: uint64, digits: int) -> uint64:
    """The last `digits` bytes of a word, all eight if it is more; the others are zero."""
    if digits <= 0:
        return _NONE
    return word & (_ALL << uint64((64 - 8 * min(digits, _WORD_DIGITS)) & 63))


@compiled
def _count_good(
    text: int, spaces: int, feeds: int, ends: int, lines: int, signed: int, decimals: int
) -> int:
    """Return how many of the first `lines` are good and have up to sixteen digits a number."""
    start = 0
    for line in range(lines):
        space = get_index(spaces, line)
        feed = get_index(feeds, line)
        if space < start or space >= get_index(ends, line):
            return line
        digits = digits_at(text + start, text + space)
        if digits != space - start or digits == 0 or digits > _DIGITS_MAX:
            return line
        begin, end = text + space + 1, text + get_index(ends, line)
        if amount_fault(begin, end, signed, decimals) != 0:
            return line
        _, pointed = _fraction(end)
        if end - begin - int(get_byte(begin, 0) == MINUS) - pointed > _DIGITS_MAX:
            return line
        start = feed + 1
    return lines


@inlined
def _find(
    text: int, spaces: int, feeds: int, signed: int, decimals: int
) -> tuple[int, int, int, int, int]:
    """Store the places of spaces and of line feeds, up to 64 bytes with others.

    Returns how many, how many points, minus signs and carriage returns there are, how many of the latter, and how many bytes
    were searched.
    """
    minuses = _ALL if signed == 1 else _NONE
    points = _ALL if decimals > 0 else _NONE
    space_count, feed_count, marks, returns = 0, 0, 0, 0
    for block in range(0, layout.WINDOW_BYTES, 64):
        space_mask = spaces_of_64(text + block)
        feed_mask = line_feeds_of_64(text + block)
        mark_mask = (minuses_of_64(text + block) & minuses) | (points_of_64(text + block) & points)
        return_mask = returns_of_64(text + block)
        mark_mask |= return_mask
        found_spaces, found_feeds = count_bits(space_mask), count_bits(feed_mask)
        # The shortest good line has four bytes, so that there are sixteen at the most.
        if (
            no_digits_of_64(text + block) != space_mask | feed_mask | mark_mask
            or max(found_spaces, found_feeds) > PLACES_MAX
        ):
            return space_count, feed_count, marks, returns, block
        put_places(spaces, space_count, space_mask, block)
        put_places(feeds, feed_count, feed_mask, block)
        space_count += found_spaces
        feed_count += found_feeds
        marks += count_bits(mark_mask)
        returns += count_bits(return_mask)
    return space_count, feed_count, marks, returns, layout.WINDOW_BYTES


@compiled
def _find_ends(text: int, feeds: int, ends: int, lines: int) -> int:
    """Store where lines end, before CR LF or LF; return how many have both."""
    returns = 0
    for line in range(lines):
        feed = get_index(feeds, line)
        returned = int(get_byte(text, feed - 1) == CARRIAGE_RETURN)
        put_index(ends, line, feed - returned)
        returns += returned
    return returns


@compiled
def _marks_from(begin: int, end: int) -> int:
    """How many points, minus signs and carriage returns there are in [begin, end)."""
    count = 0
    for place in range(begin, end, 64):
        mask = points_of_64(place) | minuses_of_64(place) | returns_of_64(place)
        left = end - place
        if left < 64:
            mask &= ~(_ALL << uint64(left))
        count += count_bits(mask)
    return count
