"""Reports are made on the hour, caught up, never twice, and anew after late events; on each store alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from qanat.errors import Fatal
from qanat.interfaces import Store, StoreOptions
from qanat.pipeline import Report
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.registry import Queries
from qanat.runtime.remakes import CLOCKS_APART_S, QUEUE, REMAKE_AFTER_S, Remakes, remakes
from qanat.runtime.report_steps import CATCH_UP_S, FAILED_AFTER_S, KEEP_S
from qanat.stores.duckdb import open_store as open_duckdb
from qanat.stores.postgres import open_store as open_postgres
from qanat.testing import FakeClock
from qanat.testing.memory_store import open_store as open_memory
from tests.unit.runtime.reported import ASKED, DAILY, HOUR, HOURS, REPORTS, SIX, START, Reported

STORES = ["memory:", "duckdb:", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    options = StoreOptions(tmp_path, clock, attempts_max=2**31 - 1)
    if request.param == "postgres":
        store: Store = open_postgres(request.getfixturevalue("postgres_fresh"), "r", options)
    else:
        opener = open_duckdb if request.param == "duckdb:" else open_memory
        store = opener(request.param, "r", options)
    store.migrate((HOURS, MADE_REPORTS))
    yield store
    store.close()


@pytest.fixture
def reported(store: Store, clock: FakeClock) -> Reported:
    return Reported(store, clock)


def test_made_on_the_hour(reported: Reported) -> None:
    """The first start makes the latest full window; then each is made when it is over, once, with its own rows."""
    reported.count(START, START - HOUR, START - 7 * HOUR)
    reported.make()
    ten, eleven = at(10), at(11)
    assert [ten] == list(reported.made())
    assert 0 == reported.later(39 * 60)
    reported.later(60)
    made = reported.made()
    assert [ten, eleven] == list(made)
    assert '[\n{"domain":"a","pages":2}\n]\n' == made[eleven][1]
    assert (at(5), eleven, 1, 1) == (
        made[eleven][0].window_start,
        made[eleven][0].window_end,
        made[eleven][0].revision,
        made[eleven][0].row_count,
    )
    assert [at(0)] == list(reported.made(DAILY))
    assert {} == reported.made(ASKED)
    assert 0 == reported.make()


def test_caught_up(store: Store, clock: FakeClock) -> None:
    """After a downtime each missed window is made, the oldest first, but none older than the stated time."""
    reported = Reported(store, clock, (SIX, DAILY))
    reported.make()
    assert 3 == reported.later(3 * 3600)
    assert [at(10 + n) for n in range(4)] == list(reported.made())
    daily = Reported(store, clock, (DAILY,))
    daily.later(CATCH_UP_S + 50 * 3600)
    ends = list(daily.made(DAILY))
    assert 8 == len(ends)
    assert clock.now() - ends[1] < timedelta(seconds=CATCH_UP_S)
    assert sorted(ends) == ends


def test_late_event(reported: Reported) -> None:
    """A late event has the stored reports of its windows remade, soon and only those."""
    reported.make()
    reported.later(3 * 3600)
    before = reported.made()
    assert 3 + 0 == reported.count(at(10) + timedelta(minutes=5))
    assert reported.stale() != []
    assert 0 == reported.make()
    assert 3 == reported.later(REMAKE_AFTER_S)
    assert [] == reported.stale()
    changed = [end for end, row in reported.made().items() if row != before[end]]
    assert [at(11), at(12), at(13)] == changed
    assert {2} == {reported.made()[end][0].revision for end in changed}


def test_late_events_coalesce(reported: Reported) -> None:
    """However many late events come before a remake is carried out, it is one."""
    reported.make()
    reported.later(3600)
    for _ in range(20):
        reported.count(START - HOUR)
    assert 2 == reported.later(REMAKE_AFTER_S)
    assert [] == reported.stale()
    assert {2} == {made.revision for made, _ in reported.made().values()}


def test_late_while_it_is_remade(reported: Reported) -> None:
    """An event that comes after a remake was claimed, and before it is done, is in it or has another."""
    reported.make()
    reported.later(3600)
    reported.count(START - HOUR)
    reported.clock.advance(REMAKE_AFTER_S)
    items = reported.store.due(QUEUE).claim("slow", 10, 600.0, reported.clock.now())
    assert 2 == len(items)
    reported.count(START - HOUR)  # finds both rows in the queue, and leaves it at that
    reported.store.due(QUEUE).release(items, 0.0, "the slow one gives up")
    reported.make()
    assert [] == reported.stale()


def test_nothing_late(reported: Reported) -> None:
    """Events of a window that isn't over, or that nobody stored, ask for nothing."""
    assert 0 == reported.count(START - HOUR)
    reported.make()
    assert 0 == reported.count(START)
    assert 0 == reported.count(START - 40 * HOUR)
    assert 0 == reported.later(REMAKE_AFTER_S)


def test_never_twice(store: Store, clock: FakeClock) -> None:
    """Two instances in step make each window once."""
    one, two = Reported(store, clock, owner="one"), Reported(store, clock, owner="two")
    for _ in range(5):
        moved = [one.steps.step(), two.steps.step(), one.steps.step(), two.steps.step()]
        assert moved
        clock.advance(3600)
    one.make()
    assert {1} == {made.revision for made, _ in one.made().values()}
    assert 6 == len(one.made())


def test_a_failing_report_is_alone(store: Store, clock: FakeClock) -> None:
    """A report that can't be computed is tried again; the others are made."""
    reported = Reported(store, clock)
    broken = True
    compute = reported.steps.compute

    def failing(report: Report, asked: Queries, end: datetime) -> pa.Table:
        if broken and report is SIX:
            raise Fatal("division by zero")
        return compute(report, asked, end)

    reported.steps.compute = failing
    assert 2 == reported.make()
    assert ({}, 1) == (reported.made(SIX), len(reported.made(DAILY)))
    broken = False
    reported.later(FAILED_AFTER_S)
    assert 1 == len(reported.made(SIX))


def test_old_ones_are_removed(store: Store, clock: FakeClock) -> None:
    """What was made is kept for the stated time; a late event of a removed window makes nothing."""
    reported = Reported(store, clock, (DAILY,))
    reported.make()
    assert [at(0)] == list(reported.made(DAILY))
    reported.later(KEEP_S + 24 * 3600)
    assert at(0) not in reported.made(DAILY)
    assert 0 == reported.count(at(0) - HOUR)


def test_unknown_report_waits(store: Store, clock: FakeClock) -> None:
    """What is due of a report that this version doesn't declare is left to one that does."""
    Reported(store, clock).make()
    clock.advance(3600)
    without = Reported(store, clock, reports=(DAILY,))
    without.make()
    clock.advance(3600)
    whole = Reported(store, clock)
    whole.make()
    assert [at(10), at(11), at(12)] == list(whole.made())


def test_woken_by_the_bell(reported: Reported) -> None:
    """A wait ends when the bell rings, also one that began after it."""
    assert reported.make()
    assert Moved.IDLE is reported.steps.step()
    reported.steps.bell.ring()
    reported.steps.wait(3600.0)


def test_remakes_by_windows() -> None:
    """Each window that is over, or nearly, and in which the moment lies; its end isn't part of it."""
    now = at(13) + timedelta(minutes=30)
    found = remakes(REPORTS, [at(10)], now)
    assert {("six", at(11)), ("six", at(12)), ("six", at(13))} == set(found)
    assert ("daily", at(0)) in remakes(REPORTS, [at(0) - HOUR], now)
    assert ("six", at(0)) not in remakes(REPORTS, [at(0)], now)
    soon = at(14) - timedelta(seconds=CLOCKS_APART_S)
    assert ("six", at(14)) in remakes(REPORTS, [at(13)], soon)
    assert {} == remakes(REPORTS, [at(13)], soon - timedelta(seconds=1))


def test_moments_of_uneven_windows(clock: FakeClock) -> None:
    """Where windows begin at the half hour, two moments of one hour are told apart."""
    odd = Report("odd", "odd", SIX.sql, SIX.columns, window_s=5400.0, every_s=3600.0)
    moments = pa.chunked_array(
        [pa.array([at(8), at(8) + HOUR * 0.75, at(3)], pa.timestamp("us", tz="UTC"))]
    )
    found = Remakes((odd,), clock)._moments(moments)
    assert {at(3), at(8), at(8) + HOUR / 2} == found


def at(hour: int) -> datetime:
    """A full hour of the day on which the clock starts."""
    return datetime(2026, 3, 17, hour, tzinfo=UTC)
