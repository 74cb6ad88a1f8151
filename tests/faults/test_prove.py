"""`qanat prove metering --quick`, as a user calls it: it passes, says what it did, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qanat import failpoints
from qanat.pipelines.metering.proof import MeteringProof
from qanat.prove.proof import Proof

pytestmark = pytest.mark.fault

COMMAND = (sys.executable, "-m", "qanat", "prove", "metering")


def prove(*options: str) -> dict[str, Any]:
    """Prove, and return the ledger; the exit code has to say that it passed."""
    done = subprocess.run(
        [*COMMAND, "--quick", "--json", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ledger: dict[str, Any] = json.loads(done.stdout)
    return ledger


def check(ledger: dict[str, Any], tmp_path: Path) -> None:
    """Every reachable point was hit, every fault happened, and nothing is lost or doubled."""
    proof: Proof = MeteringProof(tmp_path, 1, 1000)
    assert set(proof.points) | set(proof.unreachable) == set(failpoints.POINTS)
    assert set(proof.points) == set(ledger["points"])
    assert (0, 0, True) == (ledger["lost"], ledger["duplicated"], ledger["passed"])
    done = [scenario for scenario in ledger["scenarios"] if not scenario["left_out"]]
    assert all(scenario["faults"] >= scenario["wanted"] > 0 for scenario in done)
    assert all(scenario["read"] == scenario["written"] > 0 for scenario in done)


def test_quick_on_duckdb(tmp_path: Path) -> None:
    """Everything that can happen to one process and its file."""
    ledger = prove()
    check(ledger, tmp_path)
    left_out = {s["scenario"] for s in ledger["scenarios"] if s["left_out"]}
    assert {"cut:random", "server:killed", "two:killed"} < left_out


@pytest.mark.postgres
def test_quick_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    """Connections that are cut and instances that race as well; the server itself isn't ours to kill."""
    ledger = prove("--store", postgres_url)
    check(ledger, tmp_path)
    scenarios = {s["scenario"]: s for s in ledger["scenarios"]}
    assert "isn't ours" in scenarios["server:killed"]["left_out"]
    assert not scenarios["cut:commit-reply"]["left_out"]


@pytest.mark.postgres
def test_server_of_our_own(postgres_server: str) -> None:
    """A server that is killed comes back: started by somebody, or by the run itself."""
    ledger = prove("--store", "postgresql+local:", "--only", "server")
    assert {"server:killed": 1, "server:revived": 1} == {
        scenario["scenario"]: scenario["faults"] for scenario in ledger["scenarios"]
    }


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(number: int, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end every run that was started, and remove what was made."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [*COMMAND, "--only", "kill:random", "--kills", "1000"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        place = appeared(tmp_path, "qanat-prove-*/kill-random/run-3.log").parent
        process.send_signal(number)
        assert process.wait(timeout=60) != 0
    finally:
        process.kill()
        process.wait()
    # A run whose data folder has a long name keeps its socket in a folder of its own, which it can't remove when it is killed.
    assert [] == list(tmp_path.glob("qanat-prove-*"))
    assert [] == runs_in(place)


def test_wrong_scenario() -> None:
    """A scenario that there isn't is refused, and the message names those that there are."""
    done = subprocess.run(
        [*COMMAND, "--only", "kill:nobody"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "kill:random" in done.stderr


def appeared(folder: Path, pattern: str) -> Path:
    """Wait until there is a file."""
    while True:
        for path in folder.glob(pattern):
            return path
        time.sleep(0.05)


def runs_in(folder: Path) -> list[int]:
    """Return the processes whose arguments name `folder`."""
    import psutil

    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or ())
    ]
