"""How many ask a store at present: the one process that has it shares its cores between them and what is written."""

import threading
from dataclasses import dataclass, field

from qanat.clock import Clock

# A dashboard looks once a second, and needs no consideration.
READS_PER_S_MIN = 5


@dataclass(slots=True)
class Demand:
    """Counts reads by the second. Any thread may use it."""

    clock: Clock
    _second: int = 0
    _count: int = 0
    _before: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self) -> None:
        """Count a read."""
        with self._lock:
            self._turn()
            self._count += 1

    def is_high(self) -> bool:
        """Tell whether so many read in this second, or in the one before, that writers should leave them room."""
        with self._lock:
            self._turn()
            return max(self._count, self._before) >= READS_PER_S_MIN

    def _turn(self) -> None:
        second = int(self.clock.monotonic())
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0
