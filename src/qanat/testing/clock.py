"""A clock that stands still until a test moves it."""

import threading
from datetime import UTC, datetime, timedelta

# Any fixed moment does; this one is no midnight, no month's end and no leap day.
START = datetime(2026, 3, 17, 10, 20, 30, tzinfo=UTC)


class FakeClock:
    """A `Clock` for tests: time passes by `advance` and `sleep` alone. Any thread may use it.

    ```python
    clock = FakeClock()
    clock.advance(3600)   # an hour later, at once
    ```
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("start needs a time zone: a naive moment means another one elsewhere")
        self._start = start.astimezone(UTC)
        self._passed_s = 0.0
        self._moved = threading.Lock()

    def now(self) -> datetime:
        """Return the start plus whatever time was let pass, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the seconds that were let pass since the start."""
        with self._moved:
            return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass. It can't go back: a negative number is refused with ValueError."""
        if seconds < 0:
            raise ValueError(f"time can't go back by {-seconds} s")
        with self._moved:
            self._passed_s += seconds

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once: nobody waits."""
        self.advance(seconds)
