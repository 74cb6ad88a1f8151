"""The orderly stop: asked for once it is given time, and when that is over, or it is asked for again, the process ends."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from qanat.telemetry import log

# How long an orderly stop may take. Reading ends with the next block, within milliseconds; what takes its time is a commit that
# has begun: seconds for a large file. A minute is also what managers of services grant before they kill.
STOP_TIMEOUT_S = 60.0

# 128 + the number is what a shell reports for a program that a signal ended.
SIGNALLED = 128


@dataclass(slots=True)
class Stopping:
    """What a request to stop does. One thread asks.

    Attributes:
        stop: Set at the first request.
        timeout_s: How long the process has then; may be changed at any time before.
        told: Called at the first request.
    """

    stop: threading.Event
    timeout_s: float
    told: Callable[[], None]
    asked: bool = False
    _timer: threading.Timer | None = field(default=None)

    def ask(self, number: int) -> None:
        """Ask to stop, because of the signal `number`."""
        if self.asked:
            self._end(number, "asked again")
        self.asked = True
        self.stop.set()
        self._timer = threading.Timer(self.timeout_s, self._end, (number, "time is over"))
        self._timer.daemon = True
        self._timer.start()
        self.told()

    def over(self) -> None:
        """The stop succeeded."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, number: int, why: str) -> None:
        """End the process now. Whatever is unfinished is rolled back: nothing is half done, whenever this comes."""
        log("service.stop_forced", level=logging.WARNING, reason=why)
        sys.stderr.flush()
        os._exit(SIGNALLED + number)
