"""The loop over a buffer's text: windows of it become pairs, and pairs go into the table."""

from qanat.pipelines.metering.kernel import layout, strict, table
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import CARRIAGE_RETURN
from qanat.pipelines.metering.kernel.plain import take_plain
from qanat.pipelines.metering.kernel.scaled import take_scaled
from qanat.pipelines.metering.kernel.swar import (
    convert_words,
    get_byte,
    get_field,
    get_index,
    put_field,
)
from qanat.pipelines.metering.kernel.windows import (
    CRLF_STRIDE,
    LF_STRIDE,
    find_positions,
    split_numbers,
    split_scaled,
    split_words,
)


@compiled
def run(state: int) -> int:
    """Take lines until more bytes, or room for what they lead to, are wanted."""
    while True:
        if get_field(state, layout.LONG_OPEN) == 1:
            strict.continue_long_line(state)
        if get_field(state, layout.SKIPPING) == 1:
            strict.skip_to_line(state)
        cursor = get_field(state, layout.CURSOR)
        if cursor == get_field(state, layout.LIMIT):
            return layout.NEED_DATA
        answer = _wanting(state)
        if answer != layout.NEED_DATA:
            return answer
        _take_window(state, cursor)
        if get_field(state, layout.CURSOR) == cursor:
            return layout.NEED_DATA


@compiled
def _wanting(state: int) -> int:
    """What has to be done before another window can be taken; `NEED_DATA` for nothing."""
    if get_field(state, layout.KEYS) + layout.WINDOW_GOOD_MAX > get_field(state, layout.ROOM):
        return layout.NEED_ROOM
    if get_field(state, layout.CROWDED) > get_field(state, layout.THOROUGH):
        return layout.NEED_THOROUGH
    carries_max = layout.CARRY_CAPACITY - layout.WINDOW_GOOD_MAX
    if get_field(state, layout.CARRY_COUNT) > carries_max:
        return layout.NEED_CARRY_DRAIN
    if get_field(state, layout.BAD_COUNT) == layout.BAD_CAPACITY:
        return layout.NEED_BAD_DRAIN
    return layout.NEED_DATA


@compiled
def _take_window(state: int, cursor: int) -> None:
    """Take the lines that end within a window from `cursor` on, or else the one that begins there."""
    text = get_field(state, layout.TEXT) + cursor
    length = min(layout.WINDOW_BYTES, get_field(state, layout.LIMIT) - cursor)
    mixed = get_field(state, layout.MIXED)
    if length < layout.WINDOW_BYTES or mixed > 0:
        put_field(state, layout.MIXED, max(0, mixed - 1))
        _take_mixed(state, cursor, text, length)
        return
    spaces = get_field(state, layout.SCRATCH)
    feeds = spaces + layout.POSITIONS_BYTES
    if _scales(state):
        lines = take_scaled(state, text)
    else:
        lines = take_plain(text, spaces, feeds, spaces + layout.KEYS_OFFSET)
    tries = get_field(state, layout.NOT_PLAIN)
    if lines > 0:
        put_field(state, layout.NOT_PLAIN, 0)
        put_field(state, layout.LINES, get_field(state, layout.LINES) + lines)
        put_field(state, layout.CURSOR, cursor + get_index(feeds, lines - 1) + 1)
        _add(state, lines)
        return
    # After a single line that isn't plain there are plain ones again; the more windows in a row begin with one, the longer
    # nobody tries.
    put_field(state, layout.MIXED, tries)
    put_field(state, layout.NOT_PLAIN, min(2 * tries + 1, layout.MIXED_MAX))
    _take_mixed(state, cursor, text, layout.WINDOW_BYTES if tries > 0 else layout.SHORT_BYTES)


@compiled
def _scales(state: int) -> bool:
    """Whether amounts may have a sign or decimals."""
    return get_field(state, layout.SIGNED) + get_field(state, layout.DECIMALS) > 0


@compiled
def _take_mixed(state: int, cursor: int, text: int, length: int) -> None:
    """Likewise, for lines of all kinds.

    Lines of one kind are taken as many at a time as follow each other, bad ones one by one.
    """
    positions = get_field(state, layout.SCRATCH)
    keys, amounts = positions + layout.KEYS_OFFSET, positions + layout.AMOUNTS_OFFSET
    end = positions + 4 * find_positions(text, length, positions)
    start = 0
    while get_field(state, layout.BAD_COUNT) < layout.BAD_CAPACITY:
        count = (end - positions) // 4
        used, lines = _take_alike(state, text, start, positions, count)
        if used == 0:
            used, lines = strict.take_line(state, text, start, positions, count, keys, amounts)
        if used == 0:
            break
        positions += 4 * used
        start = get_index(positions, -1) + 1
        put_field(state, layout.CURSOR, cursor + start)
        _add(state, lines)
    if start == 0:
        _add(state, strict.take_rest(state, keys, amounts))


@compiled
def _take_alike(state: int, text: int, start: int, positions: int, count: int) -> tuple[int, int]:
    """Take plain lines that follow each other, and count them.

    Returns how many positions and lines they have.
    """
    if _scales(state):
        scratch = get_field(state, layout.SCRATCH)
        keys, amounts = scratch + layout.KEYS_OFFSET, scratch + layout.AMOUNTS_OFFSET
        used, lines = split_scaled(state, text, start, positions, count, keys, amounts)
        put_field(state, layout.LINES, get_field(state, layout.LINES) + lines)
        return used, lines
    # Calls with constants: the compiler makes loops of their own for both line ends.
    if count > 1 and get_byte(text, get_index(positions, 1)) == CARRIAGE_RETURN:
        stride = CRLF_STRIDE
        lines = _split(state, text, start, positions, count // CRLF_STRIDE, CRLF_STRIDE)
    else:
        stride = LF_STRIDE
        lines = _split(state, text, start, positions, count // LF_STRIDE, LF_STRIDE)
    put_field(state, layout.LINES, get_field(state, layout.LINES) + lines)
    return stride * lines, lines


@compiled
def _split(state: int, text: int, start: int, positions: int, count: int, stride: int) -> int:
    """Fill the columns with the numbers of up to `count` lines; return how many."""
    scratch = get_field(state, layout.SCRATCH)
    keys, amounts = scratch + layout.KEYS_OFFSET, scratch + layout.AMOUNTS_OFFSET
    lines = split_words(text, start, positions, count, keys, amounts, stride)
    if lines == 0:
        return split_numbers(text, start, positions, count, keys, amounts, stride)
    convert_words(keys, lines)
    convert_words(amounts, lines)
    return lines


@compiled
def _add(state: int, lines: int) -> None:
    """Add the pairs in the columns to the table, as far as they are in the key range."""
    scratch = get_field(state, layout.SCRATCH)
    keys, amounts = scratch + layout.KEYS_OFFSET, scratch + layout.AMOUNTS_OFFSET
    range_bits = get_field(state, layout.RANGE_BITS)
    if range_bits > 0:
        range_index = get_field(state, layout.RANGE_INDEX)
        lines = table.keep_range(keys, amounts, lines, range_bits, range_index)
    slots = get_field(state, layout.SLOTS)
    slot_bits = get_field(state, layout.SLOT_BITS)
    homes = scratch + layout.HOMES_OFFSET
    thorough = get_field(state, layout.THOROUGH)
    table.find_homes(slots, slot_bits, thorough, range_bits, keys, homes, lines)
    fresh, carries, searched = table.add_pairs(
        slots,
        slot_bits,
        homes,
        keys,
        amounts,
        lines,
        get_field(state, layout.CARRIES),
        get_field(state, layout.CARRY_COUNT),
    )
    put_field(state, layout.ADDED, get_field(state, layout.ADDED) + lines)
    put_field(state, layout.KEYS, get_field(state, layout.KEYS) + fresh)
    put_field(state, layout.CARRY_COUNT, carries)
    put_field(state, layout.SEARCHED, get_field(state, layout.SEARCHED) + searched)
    if searched > layout.SEARCHED_MAX * lines + layout.WINDOW_GOOD_MAX:
        put_field(state, layout.CROWDED, 1)
