"""Time as an input: one clock object is handed to whatever judges time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the runtime asks for time. `qanat.testing.FakeClock` is the one for tests."""

    def now(self) -> datetime:
        """Return the present moment in UTC, with its time zone."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic clock, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of real time."""
        time.sleep(seconds)


def hour_of(moment: datetime) -> datetime:
    """Return the start of the UTC hour in which `moment` lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
