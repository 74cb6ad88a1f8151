"""`qanat status` and `qanat show`."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.registry import FILES
from qanat.tables import Append, arrow_schema
from qanat.wiring import open_store
from tests.unit.cli.conftest import Run
from tests.unit.runtime.owner_child import AT, Child, fill, settings_of

FILE: dict[str, object] = {
    "size": 100,
    "mtime_ns": 1,
    "inode": 1,
    "device": 1,
    "sketch": "s",
    "compression": "none",
    "registered_at": AT,
    "parts": 0,
    "ranges": 1,
    "forced": False,
    "settled": True,
}
COUNTED: dict[str, object] = {
    "state": "counted",
    "lines_good": 10,
    "lines_bad": 1,
    "total": 7 * 10**30,
    "ended_at": AT,
}
HELD: dict[str, object] = {"state": "held", "reason": "the same as a.txt", "ended_at": AT}

WITHOUT_ALARMS: dict[str, object] = {"alarms": None, "lag_files": 1, "folder_seen": True}


@pytest.fixture
def with_files(tmp_path: Path) -> Iterator[list[str]]:
    """The options that name a store that knows files in each state."""
    url = f"memory:{uuid4()}"
    states: list[dict[str, object]] = [COUNTED, COUNTED, {"state": "registered"}, HELD]
    rows = [{**FILE, **row, "id": i, "name": f"{i}.txt"} for i, row in enumerate(states, 1)]
    with closing(open_store(PIPELINE.name, settings_of(tmp_path, url), SystemClock())) as store:
        fill(store)
        with store.begin("count", uuid4()) as transaction:
            given = pa.Table.from_pylist(rows, schema=arrow_schema(FILES))
            transaction.write(FILES, given, Append())
            transaction.commit()
        yield ["--store", url, "--data-dir", str(tmp_path)]


def test_status_tells_what_became_of_files(run: Run, with_files: list[str]) -> None:
    """Files by state, what waits, lines, the total, and what needs somebody's attention."""
    ended = run("status", "metering", "--json", *with_files)
    assert (ended.code, ended.err) == (0, "")
    held = {
        "file": 4,
        "name": "4.txt",
        "state": "held",
        "reason": "the same as a.txt",
        "at": "2026-03-17T10:20:30.123456Z",
    }
    assert {**json.loads(ended.out)["pipelines"][0], "alarms": None} == {
        **WITHOUT_ALARMS,
        "pipeline": "metering",
        "store": with_files[1],
        "running": False,
        "workers": [],
        "files": {"counted": 2, "held": 1, "registered": 1},
        "files_waiting": 1,
        "bytes_waiting": 100,
        "lines_good": 20,
        "lines_bad": 2,
        "total": 14 * 10**30,
        "last_commit_at": "2026-03-17T10:20:30.123456Z",
        "problems": [held],
        "remote": [],
        "dead_letters_open": 1,
    }


def test_status_without_a_name_tells_all(run: Run, with_files: list[str]) -> None:
    """All pipelines that were used with these settings are told."""
    one, every = run("status", "metering", *with_files), run("status", *with_files)
    assert one.out.splitlines()[:9] == every.out.splitlines()[:9]


def test_status_for_people(run: Run, with_files: list[str]) -> None:
    """The same, to be read."""
    lines = run("status", *with_files).out.splitlines()
    assert lines[0] == "metering"
    told = dict(line.strip().split("  ", 1) for line in lines[1:])
    assert told["files"].strip() == "2 counted, 1 held, 1 registered"
    assert told["held by"].strip() == "not running"
    assert told["held"].strip() == "file 4 4.txt: the same as a.txt"


def test_status_tells_alarms(run: Run, with_files: list[str]) -> None:
    """What rings is told to people, everything to programs: files of months ago mean silence."""
    lines = run("status", *with_files).out.splitlines()
    assert [line.split()[1] for line in lines if "ALARM" in line] == ["silence:", "lag_age:"]
    [described] = json.loads(run("status", "--json", *with_files).out)["pipelines"]
    alarms = {each["alarm"]: each for each in described["alarms"]}
    assert {"silence", "failed", "dead_share", "lag_bytes", "lag_age"} == set(alarms)
    assert (100, 0, False) == tuple(
        alarms["lag_bytes"][key] for key in ("value", "threshold", "rings")
    )


def test_status_tells_who_runs(run: Run, tmp_path: Path) -> None:
    """While a process holds the store, status says which, and what it says comes from there."""
    with Child(tmp_path) as child:
        ended = run("status", "--json", "--store", "memory:owned", "--data-dir", str(tmp_path))
    [described] = json.loads(ended.out)["pipelines"]
    [worker] = described["workers"]
    assert described["running"]
    assert (child.pid, 1) == (worker["pid"], described["dead_letters_open"])


@pytest.mark.postgres
def test_status_tells_who_shares_a_store(run: Run, tmp_path: Path, postgres_url: str) -> None:
    """Of a store that processes share, status says which of them have something to do there."""
    options = ("--store", postgres_url, "--data-dir", str(tmp_path))
    settings = settings_of(tmp_path, postgres_url)
    with closing(open_store(PIPELINE.name, settings, SystemClock())) as store:
        fill(store)
        assert "held by       not running" in run("status", *options).out
        store.claim("count", ["0"], "me")
        [described] = json.loads(run("status", "--json", *options).out)["pipelines"]
        assert described["running"]
        assert [os.getpid()] == [worker["pid"] for worker in described["workers"]]
        assert f"held by       process {os.getpid()} on " in run("status", *options).out
    [described] = json.loads(run("status", "--json", *options).out)["pipelines"]
    assert (described["running"], described["workers"]) == (False, [])


def test_show_draws_each_edge(run: Run) -> None:
    """Input, stage, tables, with mode and guarantee; no database is needed."""
    ended = run("show", "metering")
    assert ended.code == 0
    assert "folder --input ──▶ count ─┬─ add ────▶ totals        exactly once\n" in ended.out
    assert "└─ append ─▶ dead_letters  exactly once\n" in ended.out
    assert "count: each file counts wholly or not at all" in ended.out


def test_show_as_json(run: Run) -> None:
    """The same for programs: edges with their reasons, tables with their columns."""
    shown = json.loads(run("show", "metering", "--json", "--store", "postgresql://h/d").out)
    assert shown["shared"] is True
    assert {"exactly once"} == {edge["guarantee"] for edge in shown["edges"]}
    assert [table.name for table in PIPELINE.tables] == [table["name"] for table in shown["tables"]]
