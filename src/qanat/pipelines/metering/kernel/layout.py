"""What the compiled kernel and its callers agree on: operations, answers, fields of the state and sizes.

Only integers live here, so that both sides can import them: the kernel's source, which is compiled, and the callers,
which run without the compiler. Every field is one 64-bit integer; an "address" points into memory that the caller owns.
"""

from typing import Final

# Operations: the first argument of the compiled entry.
RUN: Final = 0
REHASH: Final = 1
COMPACT: Final = 2
SORT: Final = 3
MERGE: Final = 4

# Answers of RUN. Whatever the answer, all that lies before CURSOR is accounted for and nothing after it.
NEED_DATA: Final = 0  # at most CARRY_BYTES_MAX bytes are left, the start of a line
NEED_ROOM: Final = 1  # the table wants to grow before the next lines
NEED_CARRY_DRAIN: Final = 2
NEED_BAD_DRAIN: Final = 3
NEED_THOROUGH: Final = 4  # keys crowd together: rehash with THOROUGH

# Fields of RUN's state.
TEXT: Final = 0  # address of the buffer
CURSOR: Final = 1  # index of the first byte not accounted for
LIMIT: Final = 2  # index after the last valid byte
FILE_OFFSET: Final = 3  # offset in the file of buffer index 0
FINAL: Final = 4  # 1: the file ends at LIMIT, so what is left there is a line
SKIPPING: Final = 5  # 1: drop everything up to and including the next line feed
LINES: Final = 6  # lines begun so far in this block
BAD_LINES: Final = 7  # bad ones among all lines so far
ADDED: Final = 8  # good lines within the key range, so far
SLOTS: Final = 9  # address of the table
SLOT_BITS: Final = 10  # the table has 2**SLOT_BITS slots
KEYS: Final = 11  # keys in the table
ROOM: Final = 12  # keys the table may hold before it must grow
RANGE_BITS: Final = 13
RANGE_INDEX: Final = 14
CARRIES: Final = (
    15  # address of consumers whose low word wrapped around, one entry a wrap (see WRAPPED_DOWN)
)
CARRY_COUNT: Final = 16
BAD_COUNT: Final = 17  # entries in the columns from BAD_LINE to BAD_RAW_END
BAD_LINE: Final = 18
BAD_OFFSET: Final = 19
BAD_LENGTH: Final = 20
BAD_REASON: Final = 21
BAD_RAW_END: Final = 22  # 4 bytes each, one more than entries: where in BAD_RAW they end
BAD_RAW: Final = 23  # the first bytes of all, one after the other
LONG_OPEN: Final = (
    24  # 1: inside a line that outgrew the buffer; its entry is at BAD_COUNT, not yet counted
)
LONG_LENGTH: Final = 25  # its bytes so far
LONG_LAST: Final = 26  # its last byte so far
SCRATCH: Final = 27  # address of SCRATCH_BYTES bytes
THOROUGH: Final = 28  # 1: slots are chosen thoroughly, not quickly
CROWDED: Final = 29  # 1: the last window searched too many slots
SEARCHED: Final = 30  # slots that were searched in vain so far
MIXED: Final = 31  # so many windows are taken as mixed ones before another may be a plain one
NOT_PLAIN: Final = 32  # MIXED when the next window that is tried doesn't begin with plain lines
SIGNED: Final = 33  # 1: an amount may begin with a minus sign
DECIMALS: Final = (
    34  # an amount may have so many digits behind a decimal point; it counts in units of the last
)
FACTORS: Final = 35  # what an amount's digits are multiplied by: see below
STATE_FIELDS: Final = 35 + 20

# Fields of the other operations' arguments.
SOURCE: Final = 0
SOURCE_COUNT: Final = 1
TARGET: Final = 2
TARGET_BITS: Final = 3  # REHASH
TARGET_THOROUGH: Final = 4  # REHASH
TARGET_RANGE_BITS: Final = 5  # REHASH
OTHER: Final = 3  # MERGE
OTHER_COUNT: Final = 4
WRAPPED: Final = 5  # MERGE: address for consumers whose low word wrapped around
WRAPPED_COUNT: Final = 6
ARGUMENT_FIELDS: Final = 7

# One slot or record is two 64-bit words: consumer + 1 (0 marks an empty slot), low word of the sum.
SLOT_BYTES: Final = 16

# A low word is a signed number, and wraps around where its sign can't be right: beyond 2**63. Where that happens upwards the
# consumer is noted; where it happens downwards, the consumer with this bit set.
WRAPPED_DOWN: Final = 1 << 63

# Text is taken in windows that leave the first-level cache (32 KiB) to the arrays made from them.
WINDOW_BYTES: Final = 4096
# The shortest good line has four bytes ("1 2" and a line feed).
WINDOW_GOOD_MAX: Final = WINDOW_BYTES // 4

LINE_FEED: Final = 10
CARRIAGE_RETURN: Final = 13
SPACE: Final = 32
MINUS: Final = 45
POINT: Final = 46

DIGITS_MAX: Final = 18
DECIMALS_MAX: Final = 9
# At FACTORS: 10 to the power of the index, for decimals that aren't written out; then the same, negative.
FACTORS_NEGATIVE: Final = DECIMALS_MAX + 1
RAW_BYTES_MAX: Final = 256
# What may be left over at the end of a buffer and is moved in front of the next one. Larger than a good line and than
# RAW_BYTES_MAX: a longer rest is certainly bad, and enough of it is known to say why.
CARRY_BYTES_MAX: Final = 512
# Bytes that may be read, never used, beyond both ends of the text: vector loads are 64 bytes wide.
PADDING_BYTES: Final = 128

BAD_CAPACITY: Final = 1024
# Bytes are copied eight at a time.
BAD_RAW_BYTES: Final = BAD_CAPACITY * RAW_BYTES_MAX + 8
CARRY_CAPACITY: Final = 65_536 + WINDOW_GOOD_MAX

# More slots searched in vain for each line than this mean that keys crowd together. A new key takes 8 at most on average in
# a table that is three quarters full of keys without pattern.
SEARCHED_MAX: Final = 16

# Where windows are hardly ever plain, one in so many is tried all the same: a try takes a third of a window's time.
MIXED_MAX: Final = 15
# What is taken as mixed after a single line that isn't plain: a line of the usual length, and few behind it.
SHORT_BYTES: Final = 128

# How many lines ahead a slot is fetched from memory.
PREFETCH_LINES: Final = 16

# Scratch: two lists of positions (4 bytes each, at most one a window byte), then columns of consumers, amounts, slot
# addresses and factors (8 bytes each).
POSITIONS_BYTES: Final = 4 * (WINDOW_BYTES + 64)
COLUMN_BYTES: Final = 8 * (WINDOW_BYTES // 2 + 64)
KEYS_OFFSET: Final = 2 * POSITIONS_BYTES
AMOUNTS_OFFSET: Final = KEYS_OFFSET + COLUMN_BYTES
HOMES_OFFSET: Final = AMOUNTS_OFFSET + COLUMN_BYTES
FACTORS_OFFSET: Final = HOMES_OFFSET + COLUMN_BYTES
# Behind them a list of positions where amounts end, and 64 bytes for what is gathered from all lines of a window.
ENDS_OFFSET: Final = FACTORS_OFFSET + COLUMN_BYTES
GATHERED_OFFSET: Final = ENDS_OFFSET + POSITIONS_BYTES
SCRATCH_BYTES: Final = GATHERED_OFFSET + 64

# A radix sort's places: the begin and end of 256 groups, for each of eight bytes.
SORT_FANOUT: Final = 256
SORT_WORDS: Final = 8 * 2 * SORT_FANOUT

# The mix of a key (`table.mixed`). It chooses key ranges, so that it must be the same in every pass over a file.
MIX_FIRST: Final = 0x9E3779B97F4A7C15
MIX_SECOND: Final = 0xD6E8FEB86659FD93
