"""`qanat reports`."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.reports.metered import HUGE, fill, store_at


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
