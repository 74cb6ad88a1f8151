"""Rates: waiting so that files and bytes don't come faster than asked."""

import threading
from typing import Final

from qanat.clock import Clock
from qanat.pipelines.metering.generate.options import GeneratorOptions

# The longest wait at a stretch, so that a stop is noticed soon.
_NAP_S: Final = 0.1


class Pace:
    """Holds back one run. Falling behind is made up for, by not waiting until the rate is reached
    over all.
    """

    def __init__(self, options: GeneratorOptions, clock: Clock, stop: threading.Event) -> None:
        self._bytes_per_s = options.bytes_per_s
        self._files_per_s = options.files_per_s
        self._clock = clock
        self._stop = stop
        self._start_s = clock.monotonic()
        self._files = 0
        self._bytes = 0

    def begin_file(self) -> None:
        """Wait until the next file may begin."""
        if self._files_per_s is not None:
            self._wait_until(self._start_s + self._files / self._files_per_s)
        self._files += 1

    def spend(self, size_bytes: int) -> None:
        """Wait until `size_bytes` more may have been written."""
        self._bytes += size_bytes
        if self._bytes_per_s is not None:
            self._wait_until(self._start_s + self._bytes / self._bytes_per_s)

    def _wait_until(self, due_s: float) -> None:
        while not self._stop.is_set():
            left_s = due_s - self._clock.monotonic()
            if left_s <= 0:
                return
            self._clock.sleep(min(left_s, _NAP_S))
