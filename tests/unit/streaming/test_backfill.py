"""A backfill repairs tables and reports while the stage goes on; killed, it has changed nothing. On each store alike."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from qanat import failpoints
from qanat.errors import Busy, ConfigError
from qanat.pipeline import Deduplicate
from qanat.reports.answer import compute
from qanat.runtime import rebuild, rebuild_slices, refill
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import json_of
from qanat.runtime.rebuild import Rebuild, Span
from qanat.runtime.rebuild_slices import BUCKET_S, changed
from qanat.runtime.report_steps import ReportSteps
from qanat.runtime.stream_tables import TableWrite
from qanat.session import Json
from qanat.streaming.backfill import backfill_operations, targets
from qanat.tables import Upsert
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from tests.unit.streaming.counted import (
    DOMAINS,
    NOW,
    PIPELINE,
    RECENT,
    START,
    Counted,
    counted,
)

STORES = ["duckdb:", pytest.param("postgres", marks=pytest.mark.postgres)]
SPOIL = (
    "update domains set pages = pages + 7 where domain = 'a'",
    "delete from domains where domain = 'b'",
    "insert into domains (domain, pages) values ('never', 1)",
    "delete from hours where domain <> 'c'",
    "update days set pages = 0",
)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Slices of a few records, and no fault left behind."""
    for module in (rebuild, rebuild_slices, refill):
        monkeypatch.setattr(module, "SLICE_ROWS", 120)
    yield
    failpoints.arm("")


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counted]:
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_fresh") if postgres else request.param
    with counted(url, tmp_path, FakeClock(NOW)) as opened:
        yield opened


@pytest.fixture
def filled(world: Counted) -> Counted:
    world.publish(300)
    world.ingest()
    assert world.expected() == world.tables()
    return world


def backfill(
    world: Counted,
    folder: Path,
    target: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Json]:
    """Ask for the operation."""
    operation = backfill_operations(PIPELINE, world.clock, Telemetry())["backfill"]
    bounds = [None if moment is None else moment.isoformat() for moment in (since, until)]
    return operation(
        world.store,
        target=target,
        since=bounds[0],
        until=bounds[1],
        log="sqlite:",
        data_dir=str(folder),
    )


def test_spoiled_tables_are_repaired(filled: Counted, tmp_path: Path) -> None:
    """Rows that are missing, wrong or never were: afterwards each table holds what the records come to."""
    filled.execute(*SPOIL)
    for target in ("domains", "hours", "days"):
        answer = backfill(filled, tmp_path, target)
        assert ("rebuilt", 300) == (answer["kind"], answer["records"])
        assert filled.expected()[target] == filled.tables()[target]
    filled.publish(50)
    filled.ingest()
    assert filled.expected() == filled.tables()
    assert [] == list(filled.store.migrate(PIPELINE.tables))


def test_live_ingest_goes_on(filled: Counted, tmp_path: Path) -> None:
    """While one table after the other is rebuilt, the stage counts on: in the end both have every record once."""
    filled.execute(*SPOIL)
    over = threading.Event()
    failures: list[BaseException] = []
    rounds = 0

    def live() -> None:
        nonlocal rounds
        try:
            while not over.is_set() and rounds < 15:
                filled.publish(15)
                filled.ingest()
                rounds += 1
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    thread = threading.Thread(target=live)
    thread.start()
    for target in ("domains", "hours", "days"):
        backfill(filled, tmp_path, target)
    over.set()
    thread.join()
    assert [] == failures
    assert rounds > 0
    assert filled.expected() == filled.tables()


def test_a_batch_between_slices(filled: Counted, tmp_path: Path) -> None:
    """Records that come after the first round, late ones too, are in the rebuilt table."""
    filled.execute(*SPOIL)
    take = Rebuild._take_in
    came: list[int] = []

    def taken(self: Rebuild, *arguments: object) -> int:
        added = take(self, *arguments)  # type: ignore[arg-type]
        if len(came) < 3:
            came.append(added)
            filled.publish(60)
            filled.ingest()
        return added

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rebuild, "_take_in", taken)
        backfill(filled, tmp_path, "domains")
    assert 300 == came[0]
    assert filled.expected()["domains"] == filled.tables()["domains"]


def test_a_range(filled: Counted, tmp_path: Path) -> None:
    """Only rows of the range are replaced; the others stay, right or wrong."""
    filled.execute("update hours set pages = -1")
    since, until = START + timedelta(hours=2, minutes=-30), START + timedelta(hours=4, minutes=30)
    backfill(filled, tmp_path, "hours", since, until)
    right = {row[:2]: row[2] for row in filled.expected()["hours"]}
    found = {row[:2]: row[2] for row in filled.tables()["hours"]}
    assert right.keys() == found.keys()
    for (hour, domain), pages in found.items():
        assert isinstance(hour, datetime)
        assert (right[hour, domain] if since <= hour < until else -1) == pages
    backfill(filled, tmp_path, "hours", None, since)
    backfill(filled, tmp_path, "hours", until, None)
    assert filled.expected() == filled.tables()


@pytest.mark.parametrize(
    ("target", "since", "until"),
    [
        ("domains", START, None),
        ("days", START + timedelta(hours=3, minutes=30), None),
        ("days", None, START + timedelta(hours=3, minutes=30)),
    ],
)
def test_ranges_that_cut(
    filled: Counted, tmp_path: Path, target: str, since: datetime | None, until: datetime | None
) -> None:
    """A table without times, or a bound in the midst of its periods, is refused and left as it was."""
    before = filled.tables()
    with pytest.raises(ConfigError, match="--since and --until"):
        backfill(filled, tmp_path, target, since, until)
    assert before == filled.tables()


@pytest.mark.fault
@pytest.mark.parametrize("point", ["slice_committed", "before_swap", "after_swap"])
@pytest.mark.parametrize("target", ["domains", "events"])
def test_killed(filled: Counted, tmp_path: Path, point: str, target: str) -> None:
    """Before the exchange a backfill that dies leaves the live table as it was; started again it completes."""
    filled.execute(*SPOIL, "delete from events where pages = 5")
    before = filled.tables()[target]
    if point == "after_swap" and target == "domains":
        filled.execute("update domains set pages = pages")  # as spoiled as before
    failpoints.arm(f"backfill.{point}=disk-full@1")
    with pytest.raises(OSError, match="injected"):
        backfill(filled, tmp_path, target)
    failpoints.arm("")
    assert (before == filled.tables()[target]) is (point != "after_swap")
    for each in ("events", "domains"):
        backfill(filled, tmp_path, each)
    assert filled.expected()["events"] == filled.tables()["events"]
    assert filled.expected()["domains"] == filled.tables()["domains"]


def test_records_from_the_log(filled: Counted, tmp_path: Path) -> None:
    """Records that are missing or wrong come back from the topic; those that the stage hasn't come to stay its own."""
    filled.execute(
        "delete from events where domain = 'a'", "update events set pages = 0 where domain = 'b'"
    )
    filled.publish(100)
    assert filled.steps.rows_max
    filled.steps.rows_max = 30
    assert Moved.YES is filled.steps.step()
    answer = backfill(filled, tmp_path, "events")
    assert ("refilled", True) == (answer["kind"], int(str(answer["records"])) < 440)
    filled.ingest()
    assert filled.expected() == filled.tables()


def test_records_of_a_range(filled: Counted, tmp_path: Path) -> None:
    """Only records within the bounds are written."""
    filled.execute("update events set pages = 0")
    since = START + timedelta(hours=4)
    backfill(filled, tmp_path, "events", since, None)
    for row, right in zip(filled.tables()["events"], filled.expected()["events"], strict=True):
        happened = row[0]
        assert isinstance(happened, datetime)
        assert (right[4] if happened >= since else 0) == row[4]


def test_reports_are_made_anew(filled: Counted, tmp_path: Path) -> None:
    """Stored windows say what the tables say, and each that changed has another revision."""
    make(filled)
    filled.execute("update hours set pages = pages + 1")
    answer = backfill(filled, tmp_path, "recent")
    assert (1, 1) == (answer["records"], answer["rows"])
    with filled.store.snapshot() as reader:
        (row,) = reader.query("select * from made_reports").to_pylist()
        assert json_of(compute(RECENT, reader, row["window_end"])) == row["rows"]
    assert 2 == row["revision"]
    again = backfill(filled, tmp_path, "recent")
    assert (1, 0) == (again["records"], again["rows"])
    none = backfill(filled, tmp_path, "recent", NOW, None)
    assert (0, 0) == (none["records"], none["rows"])


def test_one_at_a_time(filled: Counted, tmp_path: Path) -> None:
    """Who finds a table being rebuilt is told so."""
    assert filled.store.claim("backfill:domains", ["0"], "another")
    with pytest.raises(Busy, match="rebuilding domains"):
        backfill(filled, tmp_path, "domains")
    filled.store.release("backfill:domains", ["0"], "another")
    backfill(filled, tmp_path, "domains")


def test_what_depends_on_order_is_refused(world: Counted) -> None:
    """A table whose rows replace each other can't be made of records in another order."""
    by = PIPELINE.stages[0].deduplicate
    assert isinstance(by, Deduplicate)
    write = TableWrite(DOMAINS, Upsert(("domain",)))
    with pytest.raises(ConfigError, match="Upsert"):
        Rebuild(world.committer("backfill"), by, write, Span(), "me")


def test_unknown(world: Counted, tmp_path: Path) -> None:
    """What can't be rebuilt is answered with what can."""
    assert ["events", "domains", "hours", "days", "recent"] == targets(PIPELINE)
    with pytest.raises(ConfigError, match="events, domains, hours, days, recent"):
        backfill(world, tmp_path, "dead_letters")


def test_changed_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans with more rows than before, without others between, of a slice at most unless one is larger."""
    monkeypatch.setattr(rebuild_slices, "SLICE_ROWS", 40)
    before = {1: 10, 2: 10, 3: 10, 9: 5}
    now = {1: 11, 2: 10, 3: 12, 4: 20, 5: 20, 9: 5, 20: 100}
    found = [
        (int(start.timestamp()) // BUCKET_S, int(end.timestamp()) // BUCKET_S)
        for start, end in changed(before, now)
    ]
    assert [(1, 2), (3, 5), (5, 6), (20, 21)] == found
    assert [] == changed(now, now)


def make(world: Counted) -> None:
    """Make the reports that are due."""
    steps = ReportSteps("reports", world.committer("reports"), PIPELINE.reports, compute, "me")
    while steps.step() is Moved.YES:
        pass
