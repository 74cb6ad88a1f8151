"""Reading and summing the blocks of one span, by any number of threads."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from qanat.digests import chunk_digest
from qanat.errors import FileChanged
from qanat.pipelines.metering.delivery import Delivery
from qanat.pipelines.metering.kernel.summing import Summing
from qanat.runtime.filework import ByteSource

_LINE_FEED: Final = b"\n"
_DIGEST_BYTES: Final = 8
# How much is read at once beyond a block's end, for the rest of its last line.
_TAIL_BYTES_MAX: Final = 4096


class SourceChanged(FileChanged):
    """The file ended before its size: it was truncated while it was read."""


class Aborted(Exception):
    """Another thread failed, so that this one ended too."""


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes from `start` to `stop` (None: to the end, wherever that is) of a file."""

    number: int
    start: int
    stop: int | None


class Blocks:
    """A span's blocks, what is learned while reading them, and what is told about it.

    A line belongs to the block in which its first byte lies. Its end may lie beyond; then as much as needed is read again
    there, without hashing it: the block to which these bytes belong does that.
    """

    def __init__(
        self,
        source: ByteSource,
        blocks: list[Block],
        *,
        chunk_bytes: int,
        on_block: Callable[[int], None] | None,
        delivery: Delivery,
    ) -> None:
        """Prepare to read `blocks`, which follow each other, in chunks of `chunk_bytes`."""
        self._source = source
        self._start = blocks[0].start
        self._stop = blocks[-1].stop
        self._chunk_bytes = chunk_bytes
        self._on_block = on_block
        self._delivery = delivery
        self._waiting = iter(blocks)
        self._lock = threading.Lock()
        self._aborted = threading.Event()
        self._digests = bytearray()
        self.end = self._start
        self.ends_with_newline = True

    @property
    def digests(self) -> bytes:
        """The digests of all chunks, in the order of the file."""
        return bytes(self._digests)

    def abort(self) -> None:
        """End all threads soon."""
        self._aborted.set()
        self._delivery.abort()

    def sum_all(self, summing: Summing) -> None:
        """Sum blocks until none is left.

        Raises:
            SourceChanged: The file is shorter than it was.
            Aborted: `abort` was called.
        """
        while (block := self._next()) is not None:
            within_line = self._begins_within_line(block)
            summing.begin(partial(self._delivery.offer, block.number), within_line=within_line)
            end, at_end = self._sum_block(summing, block)
            self._sum_last_line(summing, end, at_end=at_end)
            summing.end()
            self._delivery.finish(block.number, summing.lines)

    def _next(self) -> Block | None:
        with self._lock:
            return next(self._waiting, None)

    def _begins_within_line(self, block: Block) -> bool:
        if block.start == 0:
            return False
        before = bytearray(1)
        self._read(memoryview(before), block.start - 1, expected=True)
        return before != _LINE_FEED

    def _sum_block(self, summing: Summing, block: Block) -> tuple[int, bool]:
        """Read, hash and sum a block; return where it ends, and whether the file does so too."""
        offset = block.start
        while block.stop is None or offset < block.stop:
            wanted = self._chunk_bytes
            if block.stop is not None:
                wanted = min(wanted, block.stop - offset)
            view = summing.room[:wanted]
            count = self._read(view, offset, expected=block.stop is not None)
            self._note(offset, view[:count])
            summing.feed(offset, count)
            offset += count
            self._tell(count)
            if count < wanted:
                return offset, True
        return offset, offset == self._source.size

    def _sum_last_line(self, summing: Summing, offset: int, *, at_end: bool) -> None:
        """Read on to the end of the line that the block ends in."""
        while summing.unfinished and not at_end:
            size = self._source.size
            wanted = min(_TAIL_BYTES_MAX, len(summing.room))
            if size is not None:
                wanted = min(wanted, size - offset)
            view = summing.room[:wanted]
            count = self._read(view, offset, expected=size is not None)
            feed = bytes(view[:count]).find(_LINE_FEED)
            summing.feed(offset, feed + 1 if feed >= 0 else count)
            offset += count
            self._tell(0)
            at_end = count < wanted or offset == size
        if summing.unfinished:
            summing.feed(offset, 0, final=True)

    def _read(self, view: memoryview, offset: int, *, expected: bool) -> int:
        if self._aborted.is_set():
            raise Aborted
        count = self._source.read_into(view, offset)
        if expected and count < len(view):
            raise SourceChanged(
                f"only {count} of {len(view)} bytes could be read at {offset}: the file was"
                " truncated while it was read."
            )
        return count

    def _note(self, offset: int, view: memoryview) -> None:
        """Keep the chunk's digest, and how the span ends."""
        if not len(view):
            return
        place = (offset - self._start) // self._chunk_bytes * _DIGEST_BYTES
        digest = chunk_digest(view)
        with self._lock:
            missing = place + _DIGEST_BYTES - len(self._digests)
            self._digests.extend(bytes(max(0, missing)))
            self._digests[place : place + _DIGEST_BYTES] = digest
            if offset + len(view) > self.end:
                self.end = offset + len(view)
                self.ends_with_newline = view[-1:].tobytes() == _LINE_FEED

    def _tell(self, count: int) -> None:
        if self._on_block is not None:
            self._on_block(count)
