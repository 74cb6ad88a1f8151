"""`qanat serve`, as a process."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from tests.unit.reports.metered import fill, store_at

WAIT_S = 60.0


def served(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "qanat", "serve", "--port", "0", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("QANAT_")},
    )


def test_nothing_yet(tmp_path: Path) -> None:
    """Where nothing was run there is nothing to serve, and one is told what to do."""
    process = served(tmp_path)
    _, told = process.communicate(timeout=WAIT_S)
    assert 2 == process.returncode
    assert "Nothing was counted here yet" in told
    assert "qanat demo" in told


def test_what_was_run_here(tmp_path: Path) -> None:
    """Without a name it serves each pipeline that was run here, and ends in order when it is told to."""
    with store_at("duckdb:", tmp_path / "qanat-data") as store:
        fill(store)
    process = served(tmp_path)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"metering is served at (http://127\.0\.0\.1:\d+), documented at", line)
    assert found, process.communicate(timeout=WAIT_S)
    told = httpx.get(f"{found[1]}/api").json()
    assert ["metering"] == [each["name"] for each in told["pipelines"]]
    rebound = httpx.get(f"{found[1]}/api", headers={"Host": "rebound.example"})
    assert 421 == rebound.status_code
    with httpx.stream("GET", f"{found[1]}/api/metering/live") as stream:
        pieces = stream.iter_text()
        while "event: stages" not in next(pieces):
            pass
        process.send_signal(signal.SIGTERM)
        assert "stopping" in "".join(pieces)
    _, errors = process.communicate(timeout=WAIT_S)
    assert (0, "") == (process.returncode, errors)
