"""One thread's summing: its buffer, its table, and what the kernel asks for in between."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import numpy as np
import numpy.typing as npt

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.kernel.native import Kernel
from qanat.pipelines.metering.lines import BadLines
from qanat.pipelines.metering.sums import Carries

# Where a buffer's fresh bytes begin; before it, the start of a line that the bytes before ended in.
_FRONT_BYTES: Final = layout.CARRY_BYTES_MAX + layout.PADDING_BYTES
# 64 KiB: a table that nearly every file outgrows, and that costs nothing.
_SLOT_BITS_MIN: Final = 12
# A fuller table needs longer searches: at 3/4 two and a half slots on average for a key that is there.
_LOAD_MAX: Final = 0.75

Words = npt.NDArray[np.uint64]


class KeysFull(Exception):
    """There are more distinct consumers than the table may hold."""


class Summing:
    """Sums the lines of one block after another. Used by one thread.

    Between `begin` calls, bytes are read into `room` and given to `feed` in ascending order without gaps. Memory: the
    table (at most `bytes_max(keys_max)`; half as much again while it grows), `chunk_bytes` and about 1 MiB.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        chunk_bytes: int,
        keys_max: int,
        key_range: tuple[int, int],
        growing: AbstractContextManager[object],
    ) -> None:
        """Make an empty table.

        Args:
            kernel: The compiled kernel.
            chunk_bytes: The size of `room`.
            keys_max: Distinct consumers that the table may hold.
            key_range: Index and logarithm of the number of the key ranges.
            growing: Entered while the table grows, when there are two of it for a moment.
        """
        self._kernel = kernel
        self._keys_max = keys_max
        self._growing = growing
        self._on_bad: Callable[[BadLines], None] = _ignore
        self._bits_max = _bits_for(keys_max)
        self._buffer = np.zeros(_FRONT_BYTES + chunk_bytes + layout.PADDING_BYTES, np.uint8)
        self.room = self._buffer[_FRONT_BYTES : _FRONT_BYTES + chunk_bytes].data
        self._rest = 0
        self._fed_bytes = 0
        self._scratch = np.zeros(layout.SCRATCH_BYTES, np.uint8)
        self._carry_log = np.zeros(layout.CARRY_CAPACITY, np.uint64)
        self._carries = Carries.none()
        self._bad = _BadColumns()
        self._state = np.zeros(layout.STATE_FIELDS, np.int64)
        self._state[layout.TEXT] = self._buffer.ctypes.data
        self._state[layout.SCRATCH] = self._scratch.ctypes.data
        self._state[layout.CARRIES] = self._carry_log.ctypes.data
        self._state[layout.RANGE_INDEX], self._state[layout.RANGE_BITS] = key_range
        self._state[layout.BAD_LINE : layout.BAD_RAW + 1] = self._bad.addresses()
        self._slots = _empty_slots(min(_SLOT_BITS_MIN, self._bits_max))
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
        self._run()
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
        self._carries = self._carries.plus(self._carry_log[:count])
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
    return merged, Carries.none().plus(wrapped[: arguments[layout.WRAPPED_COUNT]])


class _BadColumns:
    """Where the kernel writes bad lines."""

    def __init__(self) -> None:
        self._lines = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._offsets = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._lengths = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._reasons = np.zeros(layout.BAD_CAPACITY, np.uint8)
        self._raw_ends = np.zeros(layout.BAD_CAPACITY + 1, np.int32)
        self._raw = np.zeros(layout.BAD_RAW_BYTES, np.uint8)

    def addresses(self) -> list[int]:
        """In the order of the fields from BAD_LINE on."""
        columns = (
            self._lines,
            self._offsets,
            self._lengths,
            self._reasons,
            self._raw_ends,
            self._raw,
        )
        return [column.ctypes.data for column in columns]

    def take(self, count: int) -> BadLines:
        """Copy the first `count` entries."""
        return BadLines(
            lines=self._lines[:count].copy(),
            offsets=self._offsets[:count].copy(),
            lengths=self._lengths[:count].copy(),
            reasons=self._reasons[:count].copy(),
            raw_ends=self._raw_ends[: count + 1].copy(),
            raw=self._raw[: self._raw_ends[count]].tobytes(),
        )


def _ignore(_bad: BadLines) -> None:
    """Before the first block there are no lines."""


def _bits_for(keys: int) -> int:
    """The least number of bits with which the table may hold `keys` and the lines of one more window."""
    bits = _SLOT_BITS_MIN
    while (1 << bits) * _LOAD_MAX < keys + layout.WINDOW_GOOD_MAX:
        bits += 1
    return bits


def _empty_slots(bits: int) -> Words:
    # Fresh zeroed pages of the system, so that slots that are never used cost nothing.
    return np.zeros((1 << bits, 2), np.uint64)
