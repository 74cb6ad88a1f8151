"""`qanat reports`."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from qanat.settings import CommonSettings
from qanat.testing import FakeClock
from qanat.wiring import PIPELINES, open_store
from tests.unit.cli.conftest import Run
from tests.unit.reports.metered import HUGE, fill, store_at
from tests.unit.reports.windowed import NOW, make, visit
from tests.unit.reports.windowed import PIPELINE as WINDOWED


@pytest.fixture
def metered(tmp_path: Path) -> Iterator[list[str]]:
    """The options that name a store with usage and files."""
    url = f"memory:{uuid4()}"
    with store_at(url, tmp_path) as store:
        fill(store)
        yield ["--store", url, "--data-dir", str(tmp_path)]


def test_lists(run: Run) -> None:
    """Without a name the reports are listed with their parameters; no database is needed."""
    listed = run("reports", "metering", "--json").json()
    assert isinstance(listed, list)
    assert ["top", "usage", "growth", "files"] == [row["report"] for row in listed]
    assert "since= until= limit=20" == listed[0]["parameters"]


def test_table(run: Run, metered: list[str]) -> None:
    """People get a title and a table."""
    lines = run("reports", "metering", "top", "--set", "limit=1", *metered).out.splitlines()
    assert "Top consumers" == lines[0]
    assert ["1", "8", str(HUGE), "1.0"] == lines[-1].split()


def test_exact(run: Run, metered: list[str]) -> None:
    """Amounts beyond 64 bits are numbers in JSON and in CSV, to the last digit."""
    rows = json.loads(run("reports", "metering", "top", "--json", *metered).out)
    assert HUGE == rows[0]["amount"]
    table = run("reports", "metering", "usage", "--set", "since=2026-11-20", "--csv", *metered).out
    (day, *_) = csv.DictReader(io.StringIO(table))
    assert (str(HUGE + 4), "2026-11-20T00:00:00Z") == (day["amount"], day["period_start"])


def test_png(run: Run, metered: list[str], tmp_path: Path) -> None:
    """A drawing is written to a file; with --json the rows are printed as well."""
    path = tmp_path / "growth.png"
    ended = run("reports", "metering", "growth", "--png", str(path), *metered)
    assert (0, "") == (ended.code, ended.out)
    assert path.read_bytes().startswith(b"\x89PNG")
    both = run("reports", "metering", "growth", "--json", "--png", str(path), *metered)
    assert isinstance(both.json(), list)


def test_empty(run: Run, tmp_path: Path) -> None:
    """A store without rows gives an empty report; where nothing was ever counted, the way to begin."""
    url = f"memory:{uuid4()}"
    place = ["--store", url, "--data-dir", str(tmp_path)]
    with store_at(url, tmp_path):
        assert "(no rows)" in run("reports", "metering", "usage", *place).out
        assert [] == run("reports", "metering", "usage", "--json", *place).json()
    ended = run("reports", "metering", "usage", "--data-dir", str(tmp_path))
    assert 2 == ended.code
    assert "qanat run metering" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bottom"], "one of top, usage, growth, files"),
        (["top", "--set", "limit"], "NAME=VALUE"),
        (["top", "--set", "limits=1"], "one of since, until, limit"),
        (["--set", "limit=1"], "top, usage, growth, files"),
    ],
)
def test_wrong_use(run: Run, metered: list[str], arguments: list[str], message: str) -> None:
    """A mistake is answered with what would be right, exit code 2."""
    ended = run("reports", "metering", *arguments, *metered)
    assert 2 == ended.code
    assert message in ended.err


@pytest.fixture
def windowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The options that name a store of a pipeline with stored reports and look-ups."""
    monkeypatch.setitem(PIPELINES, "windowed", "tests.unit.reports.windowed:PIPELINE")
    settings = CommonSettings(store=f"memory:{uuid4()}", data_dir=tmp_path)
    clock = FakeClock(NOW)
    with closing(open_store("windowed", settings, clock)) as store:
        store.migrate(WINDOWED.tables)
        visit(store, [("a", 6, 1), ("b", 11, 2), ("c", 11, 1)])
        make(store, clock)
        yield ["--store", settings.store, "--data-dir", str(tmp_path)]


def test_windowed(run: Run, windowed: list[str], tmp_path: Path) -> None:
    """A report with a window tells which one it is and when it was made; `--end` chooses another."""
    lines = run("reports", "windowed", "busy", *windowed).out.splitlines()
    window = "from 2026-11-22T06:00:00Z to before 2026-11-22T12:00:00Z"
    assert ["Busy domains", f"{window}, made at 2026-11-22T12:30:00Z"] == lines[:2]
    assert ["b", "a", "c"] == [
        row["domain"]
        for row in json.loads(run("reports", "windowed", "busy", "--json", *windowed).out)
    ]
    earlier = run("reports", "windowed", "busy", "--end", "2026-11-22T11:00Z", *windowed).out
    assert "to before 2026-11-22T11:00:00Z, computed now" in earlier.splitlines()[1]
    png = tmp_path / "busy.png"
    assert 0 == run("reports", "windowed", "busy", "--png", str(png), *windowed).code
    assert png.read_bytes().startswith(b"\x89PNG")


def test_lookups(run: Run, windowed: list[str]) -> None:
    """Look-ups are listed, and told page by page."""
    listed = run("reports", "windowed", "--json").json()
    assert isinstance(listed, list)
    assert [("busy", "smallest=1 end="), ("recent", "since=1h end="), ("domains", "first=a")] == [
        (row["report"], row["parameters"]) for row in listed
    ]
    page = run("reports", "windowed", "domains", "--limit", "2", "--csv", *windowed)
    assert ["domain,pages", "a,1", "b,2"] == page.out.splitlines()
    assert "--offset 2" in page.err
    rest = run("reports", "windowed", "domains", "--offset", "2", "--csv", *windowed)
    assert (["domain,pages", "c,1"], "") == (rest.out.splitlines(), rest.err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["domains", "--png", "x.png"], "domains is a look-up"),
        (["busy", "--limit", "2"], "busy is a report"),
        (["domains", "--limit", "0"], "from 1 to"),
        (["--end", "1h"], "busy, recent, domains"),
        (["busier"], "one of busy, recent, domains"),
    ],
)
def test_wrong_use_of_windows(
    run: Run, windowed: list[str], arguments: list[str], message: str
) -> None:
    """What a report or a look-up can't do is said before anything is asked."""
    ended = run("reports", "windowed", *arguments, *windowed)
    assert 2 == ended.code
    assert message in ended.err
