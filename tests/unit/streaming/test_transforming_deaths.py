"""A process that transforms may die, and its run may: nothing is lost, nothing waits, nothing is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from qanat.errors import Retryable
from qanat.streaming.transforming import DEATHS_MAX, ROWS_MIN, Transforming
from tests.unit.streaming import functions
from tests.unit.streaming.beside import FUNCTIONS, NOW, WITHIN_S, await_ready, begun, rows_of

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(os.name != "posix", reason="there the thread does everything"),
]
LARGE = rows_of(ROWS_MIN)


@pytest.fixture(autouse=True)
def _told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(functions.OWN_VARIABLE, str(os.getpid()))
    monkeypatch.setenv(functions.FOLDER_VARIABLE, str(tmp_path))


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def meanwhile(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def in_the_midst(transform: Transforming, folder: Path, number: int) -> float:
    """Send a signal to the process while it has a batch; return how long the batch took from then on."""
    sent_s = 0.0

    def send() -> None:
        nonlocal sent_s
        until((folder / "begun").exists)
        assert transform.pid is not None
        sent_s = time.monotonic()
        os.kill(transform.pid, number)

    thread = meanwhile(send)
    made = transform(LARGE, NOW).rows
    took_s = time.monotonic() - sent_s
    thread.join()
    assert {os.getpid()} == set(made["process"].to_pylist())
    assert LARGE["id"].equals(made["id"])
    return took_s


def test_killed_in_the_midst(tmp_path: Path) -> None:
    """The thread does the batch at once, and the next large one starts another process."""
    with closing(begun(f"{FUNCTIONS}:waits")) as transform:
        first = transform.pid
        assert in_the_midst(transform, tmp_path, signal.SIGKILL) < 5.0
        assert transform.pid is None
        (tmp_path / "go").touch()
        transform(LARGE, NOW)
        await_ready(transform)
        assert {transform.pid} == set(transform(LARGE, NOW).rows["process"].to_pylist())
        assert first != transform.pid


def test_killed_between_batches() -> None:
    """Nobody notices but the log."""
    with closing(begun(f"{FUNCTIONS}:place")) as transform:
        assert transform.pid is not None
        os.kill(transform.pid, signal.SIGKILL)
        until(lambda: psutil.Process(transform.pid).status() == psutil.STATUS_ZOMBIE)
        made = transform(LARGE, NOW).rows
        assert {os.getpid()} == set(made["process"].to_pylist())


def test_dies_again_and_again() -> None:
    """After a few times the thread does everything."""
    with closing(begun(f"{FUNCTIONS}:dies")) as transform:
        for death in range(DEATHS_MAX):
            if death:
                transform(LARGE, NOW)
                await_ready(transform)
            made = transform(LARGE, NOW).rows
            assert {os.getpid()} == set(made["process"].to_pylist())
        transform(LARGE, NOW)
        assert transform.pid is None


def test_a_run_that_stops(tmp_path: Path) -> None:
    """Doesn't wait for a process that hangs: the batch wasn't committed, and is done again."""
    with closing(begun(f"{FUNCTIONS}:waits")) as transform:
        pid = transform.pid

        def stop() -> None:
            until((tmp_path / "begun").exists)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            transform.stop.set()

        thread = meanwhile(stop)
        with pytest.raises(Retryable):
            transform(LARGE, NOW)
        thread.join()
        assert not psutil.pid_exists(pid or 0)


@pytest.mark.parametrize("name", ["place", "waits"])
def test_the_run_is_killed(name: str, tmp_path: Path) -> None:
    """Its helper ends by itself, even in the midst of a batch."""
    command = [sys.executable, "-m", FUNCTIONS, f"{FUNCTIONS}:{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        helper = psutil.Process(int(run.stdout.readline()))
        if name == "waits":
            until((tmp_path / "begun").exists)
        assert helper.is_running()
        run.kill()
    until(lambda: not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE)
