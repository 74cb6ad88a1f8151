"""The loop over a buffer's text: windows of it become pairs, and pairs go into the table."""

from qanat.pipelines.metering.kernel import layout, strict, table
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import CARRIAGE_RETURN
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
    NUMBERS,
    WORDS,
    find_positions,
    split_numbers,
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
    """Take the lines that end within a window from `cursor` on, or else the one that begins there.

    Plain lines are taken as many at a time as follow each other, others one by one.
    """
    positions = get_field(state, layout.SCRATCH)
    keys = positions + layout.POSITIONS_BYTES
    amounts = keys + layout.COLUMN_BYTES
    text = get_field(state, layout.TEXT) + cursor
    length = min(layout.WINDOW_BYTES, get_field(state, layout.LIMIT) - cursor)
    end = positions + 4 * find_positions(text, length, positions)
    start = 0
    while get_field(state, layout.BAD_COUNT) < layout.BAD_CAPACITY:
        count = (end - positions) // 4
        used, lines, kind = _take_plain(state, text, start, positions, count)
        if used == 0:
            used, lines = strict.take_line(state, text, start, positions, count, keys, amounts)
        if used == 0:
            break
        positions += 4 * used
        start = get_index(positions, -1) + 1
        put_field(state, layout.CURSOR, cursor + start)
        _add(state, keys, amounts, lines, kind)
    if start == 0:
        _add(state, keys, amounts, strict.take_rest(state, keys, amounts), NUMBERS)


@compiled
def _take_plain(
    state: int, text: int, start: int, positions: int, count: int
) -> tuple[int, int, int]:
    """Take plain lines that follow each other, and count them.

    Returns how many positions and lines they have, and what the columns hold of them.
    """
    keys = get_field(state, layout.SCRATCH) + layout.POSITIONS_BYTES
    amounts = keys + layout.COLUMN_BYTES
    kind = WORDS
    # Calls with constants: the compiler makes loops of their own for both line ends.
    if count > 1 and get_byte(text, get_index(positions, 1)) == CARRIAGE_RETURN:
        stride = CRLF_STRIDE
        most = count // CRLF_STRIDE
        lines = split_words(text, start, positions, most, keys, amounts, CRLF_STRIDE)
        if lines == 0:
            kind = NUMBERS
            lines = split_numbers(text, start, positions, most, keys, amounts, CRLF_STRIDE)
    else:
        stride = LF_STRIDE
        most = count // LF_STRIDE
        lines = split_words(text, start, positions, most, keys, amounts, LF_STRIDE)
        if lines == 0:
            kind = NUMBERS
            lines = split_numbers(text, start, positions, most, keys, amounts, LF_STRIDE)
    put_field(state, layout.LINES, get_field(state, layout.LINES) + lines)
    return stride * lines, lines, kind


@compiled
def _add(state: int, keys: int, amounts: int, lines: int, kind: int) -> None:
    """Add the lines' pairs to the table, as far as they are in the key range."""
    range_bits = get_field(state, layout.RANGE_BITS)
    if kind == WORDS:
        convert_words(keys, lines)
    if range_bits > 0:
        range_index = get_field(state, layout.RANGE_INDEX)
        lines = table.keep_range(keys, amounts, lines, range_bits, range_index)
    if kind == WORDS:
        convert_words(amounts, lines)
    slots = get_field(state, layout.SLOTS)
    slot_bits = get_field(state, layout.SLOT_BITS)
    homes = amounts + layout.COLUMN_BYTES
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
    if searched > layout.SEARCHED_MAX * lines + layout.WINDOW_GOOD_MAX:
        put_field(state, layout.CROWDED, 1)
