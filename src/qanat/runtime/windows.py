"""Windows of time: which ones a report covers, and which of them a moment lies in. All in UTC, counted from 1970."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from qanat.pipeline import Report

HOUR_S = 3_600.0
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def step_of(report: Report) -> timedelta:
    """Return the time from one end of a report's windows to the next: `every_s`, an hour where that is 0."""
    return timedelta(seconds=report.every_s or HOUR_S)


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the latest multiple of `step` that isn't after `moment`."""
    return moment - (moment - _ZERO) % step


def latest_end(report: Report, now: datetime) -> datetime:
    """Return the end of the latest window that is over at `now`."""
    return floor(now, step_of(report)).astimezone(UTC)


def start_of(report: Report, end: datetime) -> datetime:
    """Return the start of the window that ends at `end`."""
    return end - timedelta(seconds=report.window_s)


def is_stored(report: Report) -> bool:
    """Tell whether a report is made when its windows end, and kept."""
    return report.window_s > 0 and report.every_s > 0


def ends_over(report: Report, moment: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the ends, none after `until`, of the windows [start, end) of a report in which `moment` lies."""
    step = step_of(report)
    end = floor(moment, step) + step
    last = min(until, moment + timedelta(seconds=report.window_s))
    while end <= last:
        yield end
        end += step
