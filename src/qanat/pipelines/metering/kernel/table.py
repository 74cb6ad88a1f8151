"""The hash table: consumer to sum, open addressing, 16 bytes a slot.

A slot is two words: consumer + 1 (0: empty) and the low 64 bits of the sum, as a signed number. When
it wraps around, the consumer is noted in a list of carries, with the direction: the high words, which
nearly always only repeat the sign, take no memory. A sum that crosses zero wraps nothing around.
"""

from numpy import uint64

from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.layout import (
    MIX_FIRST,
    MIX_SECOND,
    PREFETCH_LINES,
    SLOT_BYTES,
    WRAPPED_DOWN,
)
from qanat.pipelines.metering.kernel.swar import (
    get_field,
    get_word,
    overflows,
    prefetch,
    put_field,
    put_word,
)

_FIRST = uint64(MIX_FIRST)
_SECOND = uint64(MIX_SECOND)
_ZERO = uint64(0)
_ONE = uint64(1)
_DOWN = uint64(WRAPPED_DOWN)


@compiled
def _mixed(key: uint64) -> uint64:
    """Spread a key over 64 bits; the highest are the best."""
    key = key * _FIRST
    return (key ^ (key >> uint64(32))) * _SECOND


@compiled
def _home(slots: int, slot_bits: int, thorough: int, range_bits: int, key: uint64) -> int:
    """The address of the slot where the search for a key begins.

    Quickly, by one multiplication: consumers that are numbered through then get slots of their own,
    which makes summing a third faster than any random placement does. Other regular numbers may
    crowd together; for these there is the thorough way, which leaves out the bits that are the same
    for all keys of the range.
    """
    spread = key * _FIRST
    if thorough == 1:
        spread = _mixed(key) << uint64(range_bits)
    return slots + SLOT_BYTES * int(spread >> uint64(64 - slot_bits))


@compiled
def keep_range(keys: int, amounts: int, count: int, range_bits: int, range_index: int) -> int:
    """Move the pairs whose key is in the range to the front; return how many there are."""
    kept = 0
    wanted = uint64(range_index)
    shift = uint64(64 - range_bits)
    for index in range(count):
        key = get_word(keys, index)
        put_word(keys, kept, key)
        put_word(amounts, kept, get_word(amounts, index))
        kept += 1 if _mixed(key) >> shift == wanted else 0
    return kept


@compiled
def find_homes(
    slots: int, slot_bits: int, thorough: int, range_bits: int, keys: int, homes: int, count: int
) -> None:
    """Store where the search for each key begins, and harmless addresses behind, for prefetching."""
    for index in range(count):
        key = get_word(keys, index)
        put_field(homes, index, _home(slots, slot_bits, thorough, range_bits, key))
    for index in range(count, count + PREFETCH_LINES):
        put_field(homes, index, slots)


@compiled
def add_pairs(
    slots: int,
    slot_bits: int,
    homes: int,
    keys: int,
    amounts: int,
    count: int,
    carries: int,
    carry_count: int,
) -> tuple[int, int, int]:
    """Add amounts to their keys; the table must have room.

    Slots are asked for `PREFETCH_LINES` pairs ahead, so that their cache misses overlap. Returns
    the number of new keys, of carries with those before, and of slots that were searched in vain.
    """
    last = slots + (SLOT_BYTES << slot_bits) - SLOT_BYTES
    fresh = 0
    searched = 0
    for index in range(min(count, PREFETCH_LINES)):
        prefetch(get_field(homes, index))
    for index in range(count):
        prefetch(get_field(homes, index + PREFETCH_LINES))
        slot = get_field(homes, index)
        marked = get_word(keys, index) + _ONE
        found = get_word(slot, 0)
        while found != marked:
            if found == _ZERO:
                put_word(slot, 0, marked)
                fresh += 1
                break
            searched += 1
            slot = slots if slot == last else slot + SLOT_BYTES
            found = get_word(slot, 0)
        amount = get_word(amounts, index)
        before = get_word(slot, 1)
        put_word(slot, 1, before + amount)
        if overflows(before, amount):
            put_word(carries, carry_count, (marked - _ONE) | (amount & _DOWN))
            carry_count += 1
    return fresh, carry_count, searched


@compiled
def rehash(
    source: int,
    source_count: int,
    target: int,
    target_bits: int,
    thorough: int,
    range_bits: int,
) -> None:
    """Put the full slots of one table into another, empty one."""
    last = target + (SLOT_BYTES << target_bits) - SLOT_BYTES
    for place in range(source, source + SLOT_BYTES * source_count, SLOT_BYTES):
        marked = get_word(place, 0)
        if marked != _ZERO:
            slot = _home(target, target_bits, thorough, range_bits, marked - _ONE)
            while get_word(slot, 0) != _ZERO:
                slot = target if slot == last else slot + SLOT_BYTES
            put_word(slot, 0, marked)
            put_word(slot, 1, get_word(place, 1))


@compiled
def compact(slots: int, slot_count: int) -> int:
    """Move the full slots to the front; return how many there are. What lies behind is spoilt."""
    target = slots
    for place in range(slots, slots + SLOT_BYTES * slot_count, SLOT_BYTES):
        marked = get_word(place, 0)
        put_word(target, 0, marked)
        put_word(target, 1, get_word(place, 1))
        target += SLOT_BYTES if marked != _ZERO else 0
    return (target - slots) // SLOT_BYTES
