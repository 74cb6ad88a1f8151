"""`qanat backfill`, alone and beside a process that holds the store and counts on."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.session import owning
from qanat.settings import CommonSettings
from qanat.streaming.operations import operations
from qanat.wiring import PIPELINES
from tests.unit.cli.conftest import Run
from tests.unit.streaming.counted import PIPELINE, Counted, counted

SPOIL = ("update domains set pages = 0", "delete from hours", "delete from events where pages = 5")


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PIPELINES, "counted", "tests.unit.streaming.counted:PIPELINE")


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    """The options that name a store whose tables are spoiled, and which nobody holds."""
    with counted("duckdb:", tmp_path, SystemClock()) as world:
        world.publish(100)
        world.ingest()
        world.execute(*SPOIL)
    return ["--data-dir", str(tmp_path)]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Counted]:
    """The same, held by this process, which answers for it."""
    settings = CommonSettings(data_dir=tmp_path)
    with ExitStack() as stack:
        clock = SystemClock()
        world = stack.enter_context(counted("duckdb:", tmp_path, clock))
        offered = operations(PIPELINE, clock)
        stack.enter_context(owning(world.store, PIPELINE, settings, clock, offered))
        world.publish(100)
        world.ingest()
        world.execute(*SPOIL)
        yield world


def test_everything(run: Run, place: list[str]) -> None:
    """`--all` fills the records from the log, rebuilds what is made of them, and tells what it did."""
    lines = run("backfill", "counted", "--all", *place).out.splitlines()
    assert [
        "events: 110 records read from the log, 100 rows written",
        "domains: rebuilt from 100 records, 5 rows",
    ] == lines[:2]
    assert ["hours", "days", "recent"] == [line.partition(":")[0] for line in lines[2:]]
    total = "select cast(sum(pages) as bigint) as n from"
    found = [
        run("sql", "counted", f"{total} {table}", "--csv", *place).out
        for table in ("events", "domains", "hours", "days")
    ]
    assert 1 == len(set(found))


def test_beside_a_run(run: Run, held: Counted, tmp_path: Path) -> None:
    """The process that holds the store carries it out, and counts on meanwhile."""
    over = threading.Event()

    def live() -> None:
        for _ in range(15):
            held.publish(10)
            held.ingest()
        over.set()

    thread = threading.Thread(target=live)
    thread.start()
    ended = run("backfill", "counted", "--all", "--json", "--data-dir", str(tmp_path))
    thread.join()
    assert over.is_set()
    rows = ended.json()
    assert isinstance(rows, list)
    kinds = ["refilled", "rebuilt", "rebuilt", "rebuilt", "remade"]
    assert kinds == [row["kind"] for row in rows]
    assert held.expected() == held.tables()


def test_a_range(run: Run, place: list[str]) -> None:
    """Bounds are rounded outwards to full hours."""
    given = ["--since", "2026-03-17T00:30Z", "--until", "2026-03-17T01:10Z"]
    assert 0 == run("backfill", "counted", "hours", *given, *place).code
    asked = "select distinct hour from hours order by hour"
    found = run("sql", "counted", asked, "--csv", *place).out.splitlines()
    assert ["hour", "2026-03-17T00:00:00Z", "2026-03-17T01:00:00Z"] == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["counted"], "events, domains, hours, days, recent"),
        (["counted", "hours", "--all"], "or --all instead"),
        (["counted", "weeks"], "one of events"),
        (["counted", "domains", "--since", "1d"], "rebuild it wholly"),
        (["counted", "hours", "--since", "soon"], "a date or a time"),
        (["metering", "--all"], "qanat undo"),
    ],
)
def test_wrong_use(run: Run, place: list[str], arguments: list[str], message: str) -> None:
    """A mistake is answered with what would be right, exit code 2."""
    ended = run("backfill", *arguments, *place)
    assert 2 == ended.code
    assert message in ended.err
