"""Stored reports tell what the tables tell, whatever happens between late events, ticks and deaths; broken ones are caught."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qanat import failpoints
from qanat.errors import Retryable
from qanat.interfaces import Store, StoreOptions
from qanat.pipeline import Report
from qanat.records import Item
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.report_steps import LEASE_S, ReportSteps
from qanat.stores.postgres import open_store as open_postgres
from qanat.testing import FakeClock, MemoryDatabase, MemoryStore
from tests.unit.runtime.reported import HOUR, HOURS, SIX, START, Reported, bring

POINTS = ("report.before_commit", "report.after_commit")

# What happens, with its argument: events so many minutes ago, minutes that pass, a death at a point's nth time.
EVENTS = st.tuples(st.just("events"), st.lists(st.integers(0, 600), min_size=1, max_size=3))
LOST = st.tuples(st.just("lost"), st.lists(st.integers(0, 600), min_size=1, max_size=3))
PASSES = st.tuples(st.just("passes"), st.sampled_from([1, 7, 59, 60, 200]))
MAKES = st.tuples(st.just("makes"), st.just(0))
DIES = st.tuples(st.just("dies"), st.tuples(st.sampled_from(POINTS), st.integers(1, 3)))
HAPPENINGS = st.lists(st.one_of(EVENTS, EVENTS, LOST, PASSES, MAKES, DIES), min_size=5, max_size=25)


class Forgets(ReportSteps):
    """Finishes what is due before it commits the report, in a transaction of its own."""

    def _carry_out(self, report: Report, item: Item) -> None:
        self.committer.commit(lambda tx: tx.finish("reports", [item.id]))
        super()._carry_out(report, item)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Leave no fault behind."""
    yield
    failpoints.arm("")


class World:
    """A database that outlives the processes on it, and its clock."""

    def __init__(self, kind: type[ReportSteps] = ReportSteps) -> None:
        self.clock = FakeClock(START)
        self.database = MemoryDatabase()
        self.kind = kind
        self.process = self.start()

    def start(self) -> Reported:
        """Start a process; the one before is dead, and its leases run out."""
        store = MemoryStore(StoreOptions(Path("unused"), self.clock), self.database)
        store.migrate((HOURS, MADE_REPORTS))
        started = Reported(store, self.clock, reports=(SIX,))
        steps = started.steps
        started.steps = self.kind(
            steps.name, steps.committer, steps.reports, steps.compute, steps.owner
        )
        return started

    def happen(self, kind: str, what: object) -> None:
        """Let one thing happen."""
        if kind == "passes" and isinstance(what, int):
            self.clock.advance(60 * what)
        if kind in {"events", "lost"} and isinstance(what, list):
            moments = [self.clock.now() - timedelta(minutes=ago) for ago in what]
            with self.process.transaction() as transaction:
                bring(transaction, (SIX,), self.clock, moments)
                if kind == "events":
                    transaction.commit()
        if kind == "dies" and isinstance(what, tuple):
            failpoints.arm(f"{what[0]}=disk-full@{what[1]}")
            with suppress(OSError):
                self.process.make()
            failpoints.arm("")
            self.process = self.start()
        if kind == "makes":
            self.process.make()

    def settle(self) -> list[tuple[str, datetime]]:
        """Let everything that is due be done; return which reports are wrong, or missing."""
        for _ in range(3):
            self.clock.advance(2 * LEASE_S)
            self.process.make()
        ends = list(self.process.made())
        whole = [ends[0] + n * HOUR for n in range(int((self.clock.now() - ends[0]) / HOUR) + 1)]
        return [*self.process.stale(), *(("missing", end) for end in whole if end not in ends)]


@pytest.mark.fault
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(happenings=HAPPENINGS)
def test_reports_agree(happenings: list[tuple[str, object]]) -> None:
    """In any order of batches, late events, ticks and deaths, each window ends up made and right."""
    world = World()
    world.process.make()
    for kind, what in happenings:
        world.happen(kind, what)
    assert [] == world.settle()


@pytest.mark.fault
def test_broken_is_caught() -> None:
    """Steps that finish what is due apart from the report lose it with a death between."""
    world = World(Forgets)
    world.process.make()
    world.happen("passes", 60)
    world.happen("dies", ("report.before_commit", 1))
    assert world.settle() != []


@pytest.mark.fault
def test_silent_stage_is_caught() -> None:
    """A stage that doesn't say which rows are new leaves reports wrong."""
    world = World()
    world.process.reports = ()
    world.process.make()
    world.happen("passes", 60)
    with world.process.transaction() as transaction:
        bring(transaction, (), world.clock, [START - HOUR])
        transaction.commit()
    world.process.reports = (SIX,)
    assert world.settle() != []


@pytest.mark.fault
@pytest.mark.postgres
def test_a_window_ends_within_a_transaction(postgres_fresh: str, tmp_path: Path) -> None:
    """A batch that was begun before the window's end and is committed after it is in the report: that waits."""
    clock = FakeClock(START)
    options = StoreOptions(tmp_path, clock, attempts_max=2**31 - 1)
    stores = [open_postgres(postgres_fresh, "within", options) for _ in range(2)]
    stores[0].migrate((HOURS, MADE_REPORTS))
    stage, maker = (Reported(store, clock, (SIX,)) for store in stores)
    maker.make()
    clock.advance(38 * 60)
    making = threading.Thread(target=maker.make)
    with stage.transaction() as transaction:
        assert 0 == bring(transaction, (SIX,), clock, [clock.now()])
        clock.advance(60 * 60)
        making.start()
        making.join(0.5)
        assert making.is_alive()
        transaction.commit()
    making.join()
    assert [] == maker.stale()
    assert {1} == {made.revision for made, _ in maker.made().values()}
    _close(stores)


@pytest.mark.fault
@pytest.mark.postgres
def test_beside_each_other(postgres_fresh: str) -> None:
    """Stages that write while reports are made, at the very ends of windows: nothing falls between them."""
    clock = FakeClock(START)
    with TemporaryDirectory() as folder:
        options = StoreOptions(Path(folder), clock, attempts_max=2**31 - 1)
        stores = [open_postgres(postgres_fresh, "beside", options) for _ in range(3)]
        stores[0].migrate((HOURS, MADE_REPORTS))
        instances = [Reported(store, clock, (SIX,), str(n)) for n, store in enumerate(stores)]
        over = threading.Event()

        def make() -> None:
            while not over.is_set():
                _patiently(instances[0])

        def write(instance: Reported) -> None:
            for _ in range(60):
                instance.count(clock.now(), clock.now() - 2 * HOUR, domain=instance.owner)
                clock.advance(120)

        maker = threading.Thread(target=make)
        writers = [threading.Thread(target=write, args=(one,)) for one in instances[1:]]
        for thread in (maker, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        over.set()
        maker.join()
        clock.advance(60)
        instances[0].make()
        assert [] == instances[0].stale()
        assert 4 <= len(instances[0].made())
        _close(stores)


def _patiently(instance: Reported) -> None:
    with suppress(Retryable):
        instance.steps.step()


def _close(stores: Sequence[Store]) -> None:
    for store in stores:
        store.close()
