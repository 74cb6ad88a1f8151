"""One thread's summing: its buffer, its table, and what the kernel asks for in between."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import numpy as np
import numpy.typing as npt

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.bad_columns import BadColumns
from qanat.pipelines.metering.kernel.native import Kernel
from qanat.pipelines.metering.lines import PLAIN, BadLines, Grammar
from qanat.pipelines.metering.sums import Carries

# Where a buffer's fresh bytes begin; before it, the start of a line that the bytes before ended in.
_FRONT_BYTES: Final = layout.CARRY_BYTES_MAX + layout.PADDING_BYTES
# 64 KiB: a table that nearly every file outgrows, and that costs nothing.
_SLOT_BITS_MIN: Final = 12
# A fuller table needs longer searches: three slots on average for a key that is there, if keys have no pattern.
_LOAD_MAX: Final = 0.8
# A table that stays in the caches grows before it is so full, if keys have no pattern: from this many slots searched in
# vain for each line, which they need when it is half full. Numbered consumers have slots of their own however full it is,
# and are summed an eighth faster in half the memory (100 k consumers: 2 MiB instead of 4 MiB).
_SEARCHED_MAX: Final = 0.5
_SPARSE_SLOTS_MAX: Final = 1 << 18

Words = npt.NDArray[np.uint64]


class KeysFull(Exception):
    """There are more distinct consumers than the table may hold."""


class Summing:
    """Sums the lines of one block after another. Used by one thread.

    After `begin`, bytes are read into `room` and given to `feed`, in ascending order without gaps; then comes `end`. Memory:
    20 to 40 bytes for each distinct consumer (half as much again while the table grows), `chunk_bytes` and about 1 MiB.

    Attributes:
        room: Where `feed` expects the bytes.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        chunk_bytes: int,
        keys_max: int,
        key_range: tuple[int, int],
        growing: AbstractContextManager[object],
        grammar: Grammar = PLAIN,
    ) -> None:
        """Make an empty table.

        Args:
            kernel: The compiled kernel.
            chunk_bytes: The size of `room`.
            keys_max: Distinct consumers that the table may hold.
            key_range: Index and logarithm of the number of the key ranges.
            growing: Entered while the table grows, when there are two of it for a moment.
            grammar: What an amount may be.
        """
        self._kernel = kernel
        self._keys_max = keys_max
        self._growing = growing
        self._on_bad: Callable[[BadLines], None] = _ignore
        self._buffer = np.zeros(_FRONT_BYTES + chunk_bytes + layout.PADDING_BYTES, np.uint8)
        self.room = self._buffer[_FRONT_BYTES : _FRONT_BYTES + chunk_bytes].data
        self._rest = 0
        self._fed_bytes = 0
        self._scratch = np.zeros(layout.SCRATCH_BYTES, np.uint8)
        self._carry_log = np.zeros(layout.CARRY_CAPACITY, np.uint64)
        self._carries = Carries.none()
        self._bad = BadColumns()
        self._state = np.zeros(layout.STATE_FIELDS, np.int64)
        self._state[layout.TEXT] = self._buffer.ctypes.data
        self._state[layout.SCRATCH] = self._scratch.ctypes.data
        self._state[layout.CARRIES] = self._carry_log.ctypes.data
        self._state[layout.RANGE_INDEX], self._state[layout.RANGE_BITS] = key_range
        self._state[layout.SIGNED], self._state[layout.DECIMALS] = grammar.signed, grammar.decimals
        powers = 10 ** np.arange(layout.DECIMALS_MAX + 1)
        self._state[layout.FACTORS : layout.STATE_FIELDS] = np.concatenate((powers, -powers))
        self._state[layout.BAD_LINE : layout.BAD_RAW + 1] = self._bad.addresses()
        self._slots = _empty_slots(_SLOT_BITS_MIN)
        self._show_slots()

    @property
    def keys(self) -> int:
        """Distinct consumers so far."""
        return int(self._state[layout.KEYS])

    @property
    def added(self) -> int:
        """Good lines within the key range so far."""
        return int(self._state[layout.ADDED])

    @property
    def lines(self) -> int:
        """Lines that began in this block so far."""
        return int(self._state[layout.LINES])

    @property
    def bad_lines(self) -> int:
        """Bad ones among all lines so far."""
        return int(self._state[layout.BAD_LINES])

    @property
    def summed_bytes(self) -> int:
        """Bytes of all blocks so far, also while `feed` is giving up."""
        return self._fed_bytes - int(self._state[layout.LIMIT] - self._state[layout.CURSOR])

    @property
    def unfinished(self) -> bool:
        """True inside a line that began in this block."""
        return self._rest > 0 or bool(self._state[layout.LONG_OPEN])

    def begin(self, on_bad: Callable[[BadLines], None], *, within_line: bool) -> None:
        """Begin a block.

        Args:
            on_bad: Takes its bad lines, in order; their numbers count from the block's first line.
            within_line: The block's first bytes end a line that isn't its own.
        """
        self._on_bad = on_bad
        self._rest = 0
        self._state[layout.LINES] = 0
        self._state[layout.SKIPPING] = within_line

    def feed(self, offset: int, count: int, *, final: bool = False) -> None:
        """Sum the first `count` bytes of `room`, which stand at `offset` in the file.

        Args:
            offset: Where the bytes are from.
            count: How many; 0 is allowed.
            final: The file ends with them.

        Raises:
            KeysFull: There are more consumers than `keys_max`.
        """
        state = self._state
        self._fed_bytes += count
        state[layout.CURSOR] = _FRONT_BYTES - self._rest
        state[layout.LIMIT] = _FRONT_BYTES + count
        state[layout.FILE_OFFSET] = offset - _FRONT_BYTES
        state[layout.FINAL] = final
        searched, added, slots = int(state[layout.SEARCHED]), self.added, len(self._slots)
        self._run()
        if slots == len(self._slots) < _SPARSE_SLOTS_MAX:
            searched = int(state[layout.SEARCHED]) - searched
            if searched > _SEARCHED_MAX * (self.added - added):
                self._rehash(int(state[layout.SLOT_BITS]) + 1)
        cursor, limit = int(state[layout.CURSOR]), int(state[layout.LIMIT])
        self._rest = limit - cursor
        self._buffer[_FRONT_BYTES - self._rest : _FRONT_BYTES] = self._buffer[cursor:limit]

    def end(self) -> None:
        """End a block: pass on its last bad lines."""
        self._drain_bad()

    def finish(self) -> tuple[Words, Carries]:
        """Return the records (see `records.py`) in ascending order, and the carries; the table is used up."""
        self._drain_carries()
        records, self._slots = self._slots, _empty_slots(0)
        count = self._do(layout.COMPACT, records.ctypes.data, len(records))
        # In place: what lies behind the records goes back to the system.
        records.resize((count, 2), refcheck=False)
        scratch = np.empty(layout.SORT_WORDS, np.int64)
        self._do(layout.SORT, records.ctypes.data, count, scratch.ctypes.data)
        return records, self._carries

    def release(self) -> None:
        """Give the table's memory back; nothing else may be done with it then."""
        self._slots = _empty_slots(0)

    def _run(self) -> None:
        address = self._state.ctypes.data
        answer = layout.NEED_ROOM
        while answer != layout.NEED_DATA:
            answer = self._kernel(layout.RUN, address)
            if self.keys > self._keys_max:
                raise KeysFull
            if answer == layout.NEED_ROOM:
                self._rehash(int(self._state[layout.SLOT_BITS]) + 1)
            elif answer == layout.NEED_THOROUGH:
                self._state[layout.THOROUGH] = 1
                self._rehash(int(self._state[layout.SLOT_BITS]))
            elif answer == layout.NEED_CARRY_DRAIN:
                self._drain_carries()
            elif answer == layout.NEED_BAD_DRAIN:
                self._drain_bad()

    def _rehash(self, bits: int) -> None:
        with self._growing:
            slots = _empty_slots(bits)
            source, target = self._slots.ctypes.data, slots.ctypes.data
            modes = self._state[[layout.THOROUGH, layout.RANGE_BITS]].tolist()
            self._do(layout.REHASH, source, len(self._slots), target, bits, *modes)
            self._slots = slots
            self._show_slots()

    def _show_slots(self) -> None:
        self._state[layout.SLOTS] = self._slots.ctypes.data
        self._state[layout.SLOT_BITS] = len(self._slots).bit_length() - 1
        self._state[layout.ROOM] = int(len(self._slots) * _LOAD_MAX)

    def _drain_carries(self) -> None:
        count = int(self._state[layout.CARRY_COUNT])
        self._carries = self._carries.joined(carried(self._carry_log[:count]))
        self._state[layout.CARRY_COUNT] = 0

    def _drain_bad(self) -> None:
        count = int(self._state[layout.BAD_COUNT])
        if count:
            self._state[layout.BAD_COUNT] = 0
            self._on_bad(self._bad.take(count))

    def _do(self, operation: int, *fields: int) -> int:
        arguments = np.zeros(layout.ARGUMENT_FIELDS, np.int64)
        arguments[: len(fields)] = fields
        return self._kernel(operation, arguments.ctypes.data)


def merge(kernel: Kernel, left: Words, right: Words) -> tuple[Words, Carries]:
    """Merge two ascending runs of records; return them, and the carries of adding."""
    # Untouched pages cost nothing: the upper bound of both may be asked for.
    merged: Words = np.empty((len(left) + len(right), 2), np.uint64)
    wrapped = np.empty(min(len(left), len(right)), np.uint64)
    arguments = np.zeros(layout.ARGUMENT_FIELDS, np.int64)
    arguments[layout.SOURCE], arguments[layout.SOURCE_COUNT] = left.ctypes.data, len(left)
    arguments[layout.OTHER], arguments[layout.OTHER_COUNT] = right.ctypes.data, len(right)
    arguments[layout.TARGET], arguments[layout.WRAPPED] = merged.ctypes.data, wrapped.ctypes.data
    count = kernel(layout.MERGE, arguments.ctypes.data)
    merged.resize((count, 2), refcheck=False)
    return merged, Carries.none().joined(carried(wrapped[: arguments[layout.WRAPPED_COUNT]]))


def carried(wrapped: Words) -> Carries:
    """Return what the kernel noted about low words that wrapped around, in its order."""
    down = np.uint64(layout.WRAPPED_DOWN)
    return Carries(wrapped & ~down, np.where(wrapped & down, np.int64(-1), np.int64(1)))


def _ignore(_bad: BadLines) -> None:
    """Before the first block there are no lines."""


def _empty_slots(bits: int) -> Words:
    # Fresh zeroed pages of the system, so that slots that are never used cost nothing.
    return np.zeros((1 << bits, 2), np.uint64)
