"""Clocks: the machine's, and the one that stands still."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from qanat.clock import Clock, SystemClock, hour_of
from qanat.testing import FakeClock

MOMENT = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)


def test_system_clock_is_in_utc() -> None:
    """The present moment lies between two looks at the machine's clock, and names its time zone."""
    clock: Clock = SystemClock()
    before = datetime.now(UTC)
    now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


def test_system_clock_never_goes_back() -> None:
    """Sleeping takes at least the time that was asked for."""
    clock = SystemClock()
    start = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - start >= 0.009  # clocks may tick in steps


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (MOMENT, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 30, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC)),
        (
            datetime(2026, 3, 29, 5, 15, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            datetime(2026, 3, 28, 23, tzinfo=UTC),
        ),
    ],
)
def test_hour_of(moment: datetime, expected: datetime) -> None:
    """The hour is that of UTC, also for a moment given in a zone of odd minutes."""
    assert expected == hour_of(moment)
    assert hour_of(moment).tzinfo is UTC


class TestFakeClock:
    """It stands still until a test moves it."""

    def test_stands_still(self) -> None:
        """Without being moved it says the same for ever."""
        clock: Clock = FakeClock(MOMENT)
        assert (MOMENT, 0.0) == (clock.now(), clock.monotonic())
        assert MOMENT == clock.now()

    def test_advances(self) -> None:
        """`advance` and `sleep` move both readings by the same."""
        clock = FakeClock(MOMENT)
        clock.advance(1.5)
        clock.sleep(2)
        assert (MOMENT + timedelta(seconds=3.5), 3.5) == (clock.now(), clock.monotonic())

    def test_start_in_another_zone(self) -> None:
        """Whatever zone the start was given in, the time is told in UTC."""
        clock = FakeClock(MOMENT.astimezone(timezone(timedelta(hours=-8))))
        assert MOMENT == clock.now()
        assert clock.now().tzinfo is UTC

    def test_naive_start(self) -> None:
        """A moment without a zone is refused."""
        with pytest.raises(ValueError, match="time zone"):
            FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused

    def test_never_goes_back(self) -> None:
        """A negative step is refused and moves nothing."""
        clock = FakeClock(MOMENT)
        with pytest.raises(ValueError, match="back"):
            clock.advance(-1)
        assert MOMENT == clock.now()

    def test_threads(self) -> None:
        """Steps of several threads add up."""
        clock = FakeClock()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(clock.sleep, [1.0] * 400))
        assert 400.0 == clock.monotonic()
