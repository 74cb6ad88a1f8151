"""Makes the lines of any file, block by block, and keeps the totals of all that were made."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qanat.pipelines.metering.generate.distribution import (
    alias_table,
    spread_ids,
    zipf_buckets,
    zipf_weights,
)
from qanat.pipelines.metering.generate.expected import BadLine
from qanat.pipelines.metering.generate.kernel import (
    fill_block,
    mix,
    scale,
)
from qanat.pipelines.metering.generate.malformed import template_table
from qanat.pipelines.metering.generate.options import GeneratorOptions
from qanat.pipelines.metering.generate.shape import Filled, Shape, Span, Tables

# Stays in a core's second-level cache between being written, hashed and copied to the page cache.
BLOCK_BYTES: Final = 1 << 20
# Malformed lines per block; a block with more of them just ends early.
_BAD_PER_BLOCK: Final = 1 << 14
# Two numbers of 18 digits, a space, a sign and a decimal point.
_GOOD_BYTES_MAX: Final = 39
# CR and LF, and what the kernel overwrites behind a number.
_AFTER_LINE_BYTES: Final = 9
_NO_LINE_END: Final = 2**63 - 1
_LF, _CR = 10, 13
_WORD: Final = 2**64


class Block(NamedTuple):
    """A run of whole lines of one file. Its arrays are valid until the next block is asked for."""

    data: memoryview
    lines_good: int
    amount_sum: int
    # Shape (malformed lines, 4): line index, offset in the block, length without LF, kind.
    bad: NDArray[np.int64]
    offset_bytes: int  # where the block begins in the file


class LineMaker:
    """The lines that `options` describe, and the totals of all blocks made so far.

    Memory: 16 bytes per consumer (24 where sums exceed 64 bits), and 8 more with `consumer_digits`.
    Nothing grows with the number of lines or files.
    """

    def __init__(self, options: GeneratorOptions) -> None:
        self._options = options
        self._tables = _tables(options)
        self._shape = _shape(options, self._tables)
        # By index of the consumer: the lower 64 bits of the sum, and the number of lines; and what
        # the sum has above 64 bits. (Zeros that nobody has written to take no memory.) The last row
        # takes the malformed lines, which count nowhere.
        self._totals = np.zeros((options.consumers + 1, 2), np.uint64)
        self._carries = np.zeros(options.consumers + 1, np.int64)
        self._buffers = [np.empty(BLOCK_BYTES, np.uint8) for _ in range(2)]
        self._bads = [np.empty((_BAD_PER_BLOCK, 4), np.int64) for _ in range(2)]

    @property
    def ids(self) -> "NDArray[np.uint64] | range":
        """The consumer of every index."""
        first = self._options.first_consumer
        return (
            self._tables.ids
            if self._tables.ids.size
            else range(first, first + self._options.consumers)
        )

    @property
    def totals(self) -> NDArray[np.uint64]:
        """By index of the consumer: its sum modulo 2^64, and the number of its lines."""
        return self._totals[:-1]

    @property
    def carries(self) -> NDArray[np.int64]:
        """By index of the consumer: its sum divided by 2^64, rounded down."""
        return self._carries[:-1]

    def blocks(self, index: int) -> Iterator[Block]:
        """Yield the file with `index`, and add it to the totals: a block is in them when it is
        yielded, or earlier.
        """
        held: Block | None = None
        for block in self._terminated_blocks(index):
            if held is not None:
                yield held
            held = block
        if held is not None:
            yield self._last(held, index)

    def take_back(self, index: int) -> None:
        """Take a file that `blocks` was ended within out of the totals again, by making the same
        lines once more.
        """
        for _ in self._fill(index, self._made, taking_back=True):
            pass

    def bad_lines(self, block: Block, name: str, limit: int) -> list[BadLine]:
        """Return the first `limit` malformed lines of a block of the file `name`."""
        kinds = self._options.bad_kinds
        return [
            BadLine(
                name,
                line + 1,
                block.offset_bytes + offset,
                _raw(block.data, offset, length),
                kinds[kind],
            )
            for line, offset, length, kind in block.bad[:limit].tolist()
        ]

    def _terminated_blocks(self, index: int) -> Iterator[Block]:
        """Yield the file as if its last line had its newline."""
        self._made = 0
        offset_bytes = 0
        for turn, filled in enumerate(self._fill(index, _NO_LINE_END, taking_back=False)):
            self._made += filled.lines
            yield Block(
                self._buffers[turn % 2].data[: filled.size_bytes],
                filled.lines - filled.bad,
                filled.sum_low + (filled.sum_high * _WORD),
                self._bads[turn % 2][: filled.bad],
                offset_bytes,
            )
            offset_bytes += filled.size_bytes

    def _fill(self, index: int, lines: int, *, taking_back: bool) -> Iterator[Filled]:
        """Fill the buffers in turn with the first `lines` lines of a file."""
        key, room_bytes = self._key(index), self._size_bytes(index)
        line = 0
        for turn in range(_NO_LINE_END):
            buffer, bad = self._buffers[turn % 2], self._bads[turn % 2]
            span = Span(key, line, lines, room_bytes, taking_back)
            output = (buffer, bad, self._totals, self._carries)
            filled = Filled(*fill_block(self._shape, self._tables, span, *output))
            line += filled.lines
            room_bytes -= filled.size_bytes
            if filled.lines:
                yield filled
            if filled.complete or line >= lines:
                return

    def _last(self, block: Block, index: int) -> Block:
        """Return the last block of a file, without its last newline if the file is one of those."""
        draw = scale(self._draw(index, 2), np.uint64(1 << 32))
        if int(draw) >= _threshold(self._options.unterminated_share, 32):
            return block
        end = len(block.data) - 1
        if end and block.data[end - 1] == _CR:
            end -= 1
        empty = end == 0 or block.data[end - 1] == _LF
        return block if empty else block._replace(data=block.data[:end])

    def _key(self, index: int) -> np.uint64:
        seeded = int(mix(np.uint64(self._options.seed)))
        return np.uint64(mix(np.uint64((seeded + index) % _WORD)))

    def _draw(self, index: int, before: int) -> np.uint64:
        """Return a random number that belongs to the file as a whole, not to one of its lines."""
        return np.uint64(mix(np.uint64((int(self._key(index)) - before) % _WORD)))

    def _size_bytes(self, index: int) -> int:
        low, high = self._options.size_bytes_min, self._options.size_bytes_max
        return low + int(scale(self._draw(index, 1), np.uint64(high - low + 1)))


def _raw(data: memoryview, offset: int, length: int) -> bytes:
    """Return a line without its terminator, as a reader finds it.

    A CR before the LF belongs to the terminator; before the end of a file it belongs to the line.
    It is gone from the data there, so that the line is the same.
    """
    raw = bytes(data[offset : offset + length])
    terminated = offset + length < len(data)
    return raw[:-1] if terminated and raw.endswith(b"\r") else raw


def _shape(options: GeneratorOptions, tables: Tables) -> Shape:
    templates = template_table(options.bad_kinds)
    return Shape(
        consumers=np.uint64(options.consumers),
        first_consumer=np.uint64(options.first_consumer),
        cell_bits=np.uint64((tables.cells.size - 1).bit_length()),
        amount_min=np.uint64(options.amount_min),
        amount_count=np.uint64(options.amount_max - options.amount_min + 1),
        bad_share=np.uint64(_threshold(options.bad_share, 32)),
        crlf_share=np.uint64(_threshold(options.crlf_share, 16)),
        padded_share=np.uint64(_threshold(options.padded_share, 16)),
        line_bytes_max=max(_GOOD_BYTES_MAX, templates.length_bytes_max) + _AFTER_LINE_BYTES,
        signed_share=np.uint64(_threshold(options.signed_share, 16)),
        decimals=np.uint64(options.decimals),
        unit=np.uint64(10**options.decimals),
        few_digits=_has_few_digits(options),
    )


def _has_few_digits(options: GeneratorOptions) -> bool:
    """Whether a number is always written as one word of 8 bytes."""
    if options.signed_share or options.decimals:
        return False
    last = options.first_consumer + options.consumers - 1
    if options.consumer_digits is not None:
        last = 10**options.consumer_digits - 1
    return max(last, options.amount_max) < 10**8 and options.padded_share == 0


def _tables(options: GeneratorOptions) -> Tables:
    templates = template_table(options.bad_kinds)
    digits = options.consumer_digits
    cells = buckets = np.empty(0, np.uint64)
    if options.distribution == "zipf":
        buckets = zipf_buckets(options.consumers)
        cells = alias_table(zipf_weights(buckets, options.zipf_exponent))
    return Tables(
        ids=np.empty(0, np.uint64) if digits is None else spread_ids(options.consumers, digits),
        cells=cells,
        buckets=buckets,
        pieces=np.array(templates.pieces, np.uint16),
        piece_starts=np.array(templates.piece_starts, np.int64),
        kind_starts=np.array(templates.kind_starts, np.int64),
    )


def _threshold(share: float, bits: int) -> int:
    """Return below which random number of so many bits a share of cases lies; never 0 for a share
    above 0.
    """
    return 0 if share == 0 else max(1, round(share * (1 << bits)))
