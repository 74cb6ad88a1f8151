"""Watching a run from within: tells the manager when it is ready, what it does, and that it lives, as long as that is true."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from qanat.service.notify import Notifier
from qanat.service.pulse import Pulses
from qanat.telemetry import log

# How often it is looked at where no watchdog asks for more.
LOOK_EVERY_S = 1.0
# A sign of life is sent four times in the manager's interval, unless a thread was silent for half of it. So a step without a
# sign may take at least the whole interval, and a hang is noticed after one and a half.
LOOKS_PER_INTERVAL = 4
SILENCE_SHARE = 0.5


@dataclass(slots=True)
class Watch:
    """Looks at a run every so often.

    Attributes:
        first_look: Set when the run is at work: the store is open, the folder claimed and looked into.
        describe: What the run does now, in a few words.
    """

    notifier: Notifier
    pulses: Pulses
    first_look: threading.Event
    describe: Callable[[], str]
    _ready: bool = False
    _told: str = ""
    _alive_at_s: float = 0.0
    _withheld: bool = False
    _stopping: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the end of the context, in a thread of its own. Without a manager there is nothing to do."""
        if not self.notifier.listening:
            yield
            return
        ended = threading.Event()
        every_s = min(LOOK_EVERY_S, self.notifier.watchdog_s / LOOKS_PER_INTERVAL or LOOK_EVERY_S)
        thread = threading.Thread(
            target=self._looks, args=(ended, every_s), name="watch", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if not self._stopping:
                self.stopping()

    def look(self) -> None:
        """Tell what is to be told now."""
        with self._lock:
            if not self._ready and not self._stopping and self.first_look.is_set():
                self._ready = True
                self.notifier.ready()
            silent = self.pulses.silent(self.notifier.watchdog_s * SILENCE_SHARE)
            if self.notifier.watchdog_s and silent:
                self._status(f"{silent[0].name} got nowhere for {silent[0].silent_s():.0f} s")
                self._withhold(silent[0].name)
                return
            self._withheld = False
            self._status("stopping" if self._stopping else self.describe())
            self._alive()

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The settings are read again until the end of the context. A run that isn't at work yet keeps that to itself."""
        with self._lock:
            ready = self._ready
        if ready:
            self.notifier.reloading()
        try:
            yield
        finally:
            if ready:
                self.notifier.ready()

    def stopping(self) -> None:
        """The run was asked to stop."""
        with self._lock:
            self._stopping = True
            self.notifier.stopping()
            self._status("stopping")

    def _looks(self, ended: threading.Event, every_s: float) -> None:
        while not ended.wait(every_s):
            self.look()

    def _alive(self) -> None:
        every_s = self.notifier.watchdog_s / LOOKS_PER_INTERVAL
        now_s = self.pulses.clock.monotonic()
        if every_s and now_s >= self._alive_at_s:
            # Half a look early rather than half a look late.
            self._alive_at_s = now_s + every_s - min(LOOK_EVERY_S, every_s) / 2
            self.notifier.alive()

    def _status(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.notifier.status(text)

    def _withhold(self, name: str) -> None:
        if not self._withheld:
            self._withheld = True
            self._alive_at_s = 0.0
            log("service.stalled", level=logging.ERROR, stage=name)
