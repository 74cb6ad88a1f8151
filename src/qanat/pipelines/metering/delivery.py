"""Bad lines on their way to the caller: from many threads, in the order of the file, numbered through."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from qanat.pipelines.metering.lines import BadLines

# Bad lines that wait because an earlier block isn't finished, over all threads: about 6 MB with their bytes. Beyond this the
# later blocks wait for the earlier ones, which never wait.
_HELD_LINES_MAX: Final = 16_384


class Delivery:
    """Passes on the bad lines of blocks, as soon as the number of the block's first line is known.

    Every block is finished once; blocks are begun in ascending order.
    """

    def __init__(self, on_bad: Callable[[BadLines], None] | None) -> None:
        self._on_bad = on_bad
        self._changed = threading.Condition()
        self._block = 0  # the first one that isn't finished
        self._base = 0  # the number of its first line
        self._finished: dict[int, int] = {}
        self._held: dict[int, list[BadLines]] = {}
        self._held_lines = 0
        self._aborted = False

    def offer(self, block: int, bad: BadLines) -> None:
        """Take bad lines of a block that isn't finished, numbered within it; may wait for earlier blocks."""
        if self._on_bad is None:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._block == block or self._has_room())
            if self._block == block:
                self._pass_on(bad)
            elif not self._aborted:
                self._held.setdefault(block, []).append(bad)
                self._held_lines += len(bad)

    def finish(self, block: int, lines: int) -> None:
        """Tell how many lines a block has; all its bad ones were offered."""
        with self._changed:
            self._finished[block] = lines
            while self._block in self._finished:
                self._base += self._finished.pop(self._block)
                self._block += 1
                for bad in self._held.pop(self._block, ()):
                    self._held_lines -= len(bad)
                    self._pass_on(bad)
            self._changed.notify_all()

    @property
    def lines(self) -> int:
        """Lines of all blocks, once all are finished."""
        return self._base

    def abort(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._aborted = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._aborted or self._held_lines < _HELD_LINES_MAX

    def _pass_on(self, bad: BadLines) -> None:
        if self._on_bad is not None:
            self._on_bad(replace(bad, lines=bad.lines + self._base))
