"""Signs of life: each working thread says when it got on, and for how long it will rightly be silent.

A thread of the process that only ticks proves nothing. So whoever does a step beats: the loop between steps, the reader with
each block, a merge with each slice. A call that never returns brings no beat, and that is what a watchdog is for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from qanat.clock import Clock, SystemClock


class Pulse:
    """The signs of life of one thread. Any thread may beat for it: a step may compute in several."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._expected_from_s = clock.monotonic()

    def beat(self) -> None:
        """Say that the work got on."""
        self._expected_from_s = self._clock.monotonic()

    def rest(self, seconds: float) -> None:
        """Say that the next sign may be `seconds` away, because the thread waits on purpose."""
        self._expected_from_s = self._clock.monotonic() + seconds

    def silent_s(self) -> float:
        """Return for how long it has been silent beyond what it said; 0 while it rests."""
        return max(0.0, self._clock.monotonic() - self._expected_from_s)


_current = threading.local()


def current() -> Pulse:
    """Return the pulse of the step that this thread carries out; outside of one, one that nobody watches."""
    pulse: Pulse | None = getattr(_current, "pulse", None)
    return Pulse("nobody", SystemClock()) if pulse is None else pulse


@dataclass(slots=True)
class Pulses:
    """The pulses of one run."""

    clock: Clock
    _living: dict[int, Pulse] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def beating(self, name: str) -> Iterator[Pulse]:
        """Watch this thread, under `name`, until the end of the context."""
        pulse = Pulse(name, self.clock)
        with self._lock:
            self._living[id(pulse)] = pulse
        _current.pulse = pulse
        try:
            yield pulse
        finally:
            _current.pulse = None
            with self._lock:
                del self._living[id(pulse)]

    def silent(self, limit_s: float) -> list[Pulse]:
        """Return those that were silent for longer than `limit_s`."""
        with self._lock:
            living = list(self._living.values())
        return [pulse for pulse in living if pulse.silent_s() > limit_s]
