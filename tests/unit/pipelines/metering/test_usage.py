"""Usage by period: rolling it up, and asking about spans of time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat import failpoints
from qanat.errors import ConfigError, Retryable
from qanat.interfaces import Store, StoreOptions
from qanat.pipelines.metering import PIPELINE, USAGE
from qanat.pipelines.metering.periods import Granularity, end_of, granularity_at, start_of
from qanat.pipelines.metering.questions import Question, usage
from qanat.pipelines.metering.rollup import Ages, roll_up
from qanat.runtime.commit import Committer
from qanat.runtime.due import DueSteps
from qanat.runtime.loop import Moved
from qanat.tables import Append, arrow_schema
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from qanat.testing.memory_store import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY_S = 86_400.0
Rows = list[tuple[int, datetime, str, int]]


@pytest.fixture
def committer(tmp_path: Path) -> Iterator[Committer]:
    """Usage of two consumers in every sixth hour of the last 40 days, and a sum beyond 64 bits."""
    clock = FakeClock(NOW)
    store = open_store("memory:", PIPELINE.name, StoreOptions(tmp_path, clock))
    store.migrate(PIPELINE.tables)
    rows = [
        {
            "consumer": consumer,
            "period_start": start_of(Granularity.HOUR, NOW - timedelta(hours=hours)),
            "granularity": "hour",
            "amount": 2**70 if consumer == 2 else hours,
        }
        for hours in range(0, 40 * 24, 6)
        for consumer in (1, 2)
    ]
    with store.begin("count", uuid4()) as transaction:
        transaction.write(USAGE, pa.Table.from_pylist(rows, arrow_schema(USAGE)), Append())
        transaction.commit()
    yield Committer(store, PIPELINE.name, "rollup", clock, Telemetry())
    store.close()


def kept(store: Store) -> dict[str, int]:
    """Return how many rows there are of each granularity."""
    with store.snapshot() as reader:
        rows = reader.query("select granularity, count(*) as n from usage group by granularity")
    return {row["granularity"]: row["n"] for row in rows.to_pylist()}


def totals(store: Store) -> dict[int, int]:
    """Return all usage by consumer."""
    with store.snapshot() as reader:
        rows = reader.query("select consumer, sum(amount) as amount from usage group by consumer")
    return {row["consumer"]: int(row["amount"]) for row in rows.to_pylist()}


TOTALS = {1: sum(range(0, 40 * 24, 6)), 2: 40 * 4 * 2**70}


def test_rolls_up(committer: Committer) -> None:
    """Whole days older than their age become days, whole months become months; totals stay."""
    roll_up(committer, Ages(7 * DAY_S, 20 * DAY_S), NOW)
    assert TOTALS == totals(committer.store)
    # October 13th to 31st is one month; November 1st to 14th are days; from the 15th on there are hours.
    assert {"month": 2 * 1, "day": 2 * 14, "hour": 2 * (7 * 4 + 3)} == kept(committer.store)


def test_rolls_up_again(committer: Committer) -> None:
    """A second roll-up has nothing to do; a late amount is kept in the coarser period."""
    roll_up(committer, Ages(7 * DAY_S, 0), NOW)
    assert 0 == roll_up(committer, Ages(7 * DAY_S, 0), NOW)
    with committer.store.snapshot() as reader:
        assert Granularity.DAY is granularity_at(reader, NOW - timedelta(days=10))
        assert Granularity.HOUR is granularity_at(reader, NOW - timedelta(days=2))


@pytest.mark.parametrize("point", ["rollup.before_commit", "rollup.after_commit"])
def test_fault_while_rolling_up(point: str, committer: Committer) -> None:
    """Totals are conserved whatever goes wrong in the middle, and the next roll-up goes on."""
    failpoints.arm(f"{point}=raise@3")
    try:
        with pytest.raises(Retryable):
            roll_up(committer, Ages(7 * DAY_S, 20 * DAY_S), NOW)
    finally:
        failpoints.arm("")
    assert TOTALS == totals(committer.store)
    roll_up(committer, Ages(7 * DAY_S, 20 * DAY_S), NOW)
    assert TOTALS == totals(committer.store)
    assert {"month": 2, "day": 28, "hour": 62} == kept(committer.store)


def test_scheduled(committer: Committer) -> None:
    """The tick that was due during a downtime is carried out once, and the next is entered with it."""
    ticks: list[datetime] = []
    steps = DueSteps("rollup", committer, ticks.append, 3600.0, "me")
    clock = committer.clock
    assert isinstance(clock, FakeClock)
    assert [Moved.YES, Moved.IDLE] == [steps.step(), steps.step()]
    clock.advance(5 * 3600)
    again = DueSteps("rollup", committer, ticks.append, 3600.0, "another")
    assert [Moved.YES, Moved.IDLE] == [again.step(), again.step()]
    assert [NOW, NOW + timedelta(hours=5)] == ticks


def test_question(committer: Committer) -> None:
    """Usage is summed into the periods asked for, between the bounds."""
    since = NOW - timedelta(hours=18)
    with committer.store.snapshot() as reader:
        hours = usage(reader, Question(Granularity.HOUR, 1, since, NOW)).rows.to_pylist()
        days = usage(reader, Question(Granularity.DAY, 1, since, NOW)).rows.to_pylist()
    assert [18, 12, 6] == [int(row["amount"]) for row in hours]
    assert [(NOW.replace(hour=0) - timedelta(days=1), 18), (NOW.replace(hour=0), 18)] == [
        (row["period_start"], int(row["amount"])) for row in days
    ]


def test_question_that_cuts(committer: Committer) -> None:
    """A bound inside a kept period is refused with the two it could be; snap widens it."""
    roll_up(committer, Ages(7 * DAY_S, 0), NOW)
    cut = datetime(2026, 11, 10, 6, tzinfo=UTC)
    with committer.store.snapshot() as reader:
        with pytest.raises(ConfigError, match=r"2026-11-10T00:00:00.*2026-11-11T00:00:00"):
            usage(reader, Question(Granularity.DAY, None, cut, None))
        widened = usage(reader, Question(Granularity.DAY, None, cut, cut, snap=True)).question
    assert (datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC)) == (
        widened.since,
        widened.until,
    )


def test_question_too_fine(committer: Committer) -> None:
    """What is kept by day can't be told by hour."""
    roll_up(committer, Ages(7 * DAY_S, 0), NOW)
    with (
        committer.store.snapshot() as reader,
        pytest.raises(ConfigError, match="day or coarser"),
    ):
        usage(reader, Question(Granularity.HOUR))


def test_periods() -> None:
    """Periods begin and end at UTC's hours, days and months, over a year's end too."""
    moment = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    starts = [start_of(granularity, moment) for granularity in Granularity]
    assert [(31, 23), (31, 0), (1, 0)] == [(start.day, start.hour) for start in starts]
    ends = {end_of(granularity, start_of(granularity, moment)) for granularity in Granularity}
    assert {datetime(2027, 1, 1, tzinfo=UTC)} == ends
