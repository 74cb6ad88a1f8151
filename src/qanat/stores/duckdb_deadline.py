"""Statements that take too long are interrupted, by one thread for all, which is there only while something may be late."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# So much later than asked for a statement may be interrupted. A timer each would cost a thread per look.
TICK_S = 0.1


class Deadlines:
    """Interrupts what doesn't end in time. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[object, tuple[float, Callable[[], None]]] = {}
        self._watching = False

    @contextmanager
    def within(self, limit_s: float, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt`, again and again, when the context lasts longer than `limit_s`; never when that is 0."""
        if not limit_s:
            yield
            return
        mine = object()
        with self._lock:
            self._running[mine] = (time.monotonic() + limit_s, interrupt)
            if not self._watching:
                self._watching = True
                # No daemon: the interpreter waits for it at its end, which is a tick, instead of tearing down what it uses.
                threading.Thread(target=self._watch, name="deadlines").start()
        try:
            yield
        finally:
            with self._lock:  # after this nothing is interrupted any more, so that it may be closed
                del self._running[mine]

    def _watch(self) -> None:
        while True:
            time.sleep(TICK_S)
            with self._lock:
                if not self._running:
                    self._watching = False
                    return
                self._interrupt(time.monotonic())

    def _interrupt(self, now_s: float) -> None:
        # Apart from the loop, whose names would keep the last connection alive while it sleeps.
        for at_s, interrupt in self._running.values():
            if now_s >= at_s:
                interrupt()
