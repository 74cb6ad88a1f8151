"""Periods of usage: hours, days and months of UTC, and how far the finer ones were rolled up."""

from datetime import UTC, datetime
from enum import StrEnum

from qanat.clock import hour_of
from qanat.runtime.registry import Queries


class Granularity(StrEnum):
    """How long a period of usage is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


def start_of(granularity: Granularity, moment: datetime) -> datetime:
    """Return the start of the period in which `moment` lies."""
    hour = hour_of(moment)
    if granularity is Granularity.HOUR:
        return hour
    day = hour.replace(hour=0)
    return day if granularity is Granularity.DAY else day.replace(day=1)


def end_of(granularity: Granularity, start: datetime) -> datetime:
    """Return the end of the period that begins at `start`: the first moment after it."""
    from datetime import timedelta

    if granularity is Granularity.HOUR:
        return start + timedelta(hours=1)
    if granularity is Granularity.DAY:
        return start + timedelta(days=1)
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)


def granularity_at(store: Queries, moment: datetime) -> Granularity:
    """Return the granularity in which usage of `moment` is kept now: the coarsest into which its period was rolled up."""
    rows = store.query("select granularity from rollups where before > $moment", {"moment": moment})
    kept = set(rows.column("granularity").to_pylist())
    for granularity in (Granularity.MONTH, Granularity.DAY):
        if granularity in kept:
            return granularity
    return Granularity.HOUR
