"""Where the compiled code begins: one function that does every operation of `layout.py`.

It works on addresses: no arrays, no exceptions, no Python objects, and so no GIL. All that it is made of lies in the modules
that it imports from this folder.
"""

# Addresses, indexes and counts are int64 throughout; numba infers that.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from qanat.pipelines.metering.kernel import layout, records, strict, table
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.swar import convert_words, get_field, put_field
from qanat.pipelines.metering.kernel.windows import WORDS, take_plain_lines


@compiled
def entry(operation, state):
    """Do one operation on the fields at the address `state`; return its answer."""
    if operation == layout.RUN:
        return _run(state)
    source = get_field(state, layout.SOURCE)
    count = get_field(state, layout.SOURCE_COUNT)
    target = get_field(state, layout.TARGET)
    if operation == layout.REHASH:
        bits = get_field(state, layout.TARGET_BITS)
        thorough = get_field(state, layout.TARGET_THOROUGH)
        range_bits = get_field(state, layout.TARGET_RANGE_BITS)
        table.rehash(source, count, target, bits, thorough, range_bits)
        return 0
    if operation == layout.COMPACT:
        return table.compact(source, count)
    if operation == layout.SORT:
        records.sort(source, count, target)
        return 0
    other = get_field(state, layout.OTHER)
    other_count = get_field(state, layout.OTHER_COUNT)
    wrapped = get_field(state, layout.WRAPPED)
    merged, wraps = records.merge(source, count, other, other_count, target, wrapped)
    put_field(state, layout.WRAPPED_COUNT, wraps)
    return merged


@compiled
def _run(state):
    """Take lines until more bytes, or room for what they lead to, are wanted."""
    positions = get_field(state, layout.SCRATCH)
    keys = positions + layout.POSITIONS_BYTES
    amounts = keys + layout.COLUMN_BYTES
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
        lines, kind = take_plain_lines(state, positions, keys, amounts)
        if lines == 0:
            lines = strict.take_lines(state, keys, amounts)
            if get_field(state, layout.CURSOR) == cursor:
                if get_field(state, layout.LIMIT) - cursor > layout.CARRY_BYTES_MAX:
                    strict.open_long_line(state)
                return layout.NEED_DATA
        _add(state, keys, amounts, lines, kind)


@compiled
def _wanting(state):
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
def _add(state, keys, amounts, lines, kind):
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
