"""`qanat status` and `qanat show`."""

import json
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
    assert ended.json() == {
        "pipelines": [
            {
                "pipeline": "metering",
                "store": with_files[1],
                "running": False,
                "owner": None,
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
        ]
    }


def test_status_without_a_name_tells_all(run: Run, with_files: list[str]) -> None:
    """All pipelines that were used with these settings are told."""
    one = run("status", "metering", "--json", *with_files)
    assert one.out == run("status", "--json", *with_files).out


def test_status_for_people(run: Run, with_files: list[str]) -> None:
    """The same, to be read."""
    lines = run("status", *with_files).out.splitlines()
    assert lines[0] == "metering"
    told = dict(line.strip().split("  ", 1) for line in lines[1:])
    assert told["files"].strip() == "2 counted, 1 held, 1 registered"
    assert told["held by"].strip() == "not running"
    assert told["held"].strip() == "file 4 4.txt: the same as a.txt"


def test_status_tells_who_runs(run: Run, tmp_path: Path) -> None:
    """While a process holds the store, status says which, and what it says comes from there."""
    with Child(tmp_path) as child:
        ended = run("status", "--json", "--store", "memory:owned", "--data-dir", str(tmp_path))
    [described] = json.loads(ended.out)["pipelines"]
    assert (child.pid, 1) == (described["owner"]["pid"], described["dead_letters_open"])


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
