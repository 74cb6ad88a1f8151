"""Several processes on one log: they write in turn, wake each other, and share the partitions."""

import sys
import threading
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.interfaces import LogOptions
from qanat.logs import sqlite_process
from qanat.logs.sqlite import open_log
from tests.unit.logs.sqlite_kit import EVENTS, STAGE, child, heard, ids_of, opened, publish, tell

PROCESSES = 3
COMMITS = 40
# Whoever isn't woken waits for so long, and the test fails.
WAIT_S = 60.0


@pytest.mark.fault
def test_claims_end_with_the_process(tmp_path: Path) -> None:
    """What another process has claimed isn't ours; from the moment it is killed it can be."""
    with opened(tmp_path) as log, child(__file__, "claim", tmp_path) as process:
        assert "0 1" == heard(process)
        assert {"2"} == set(log.claim(STAGE, ["0", "1", "2"], "test"))
        process.kill()
        process.wait()
        assert {"0", "1", "2"} == set(log.claim(STAGE, ["0", "1", "2"], "test"))


@pytest.mark.fault
def test_all_write(tmp_path: Path) -> None:
    """Processes that make the log at the same moment, and write at once, lose nothing of each other."""
    children = [child(__file__, "write", tmp_path, number) for number in range(PROCESSES)]
    processes = [each.__enter__() for each in children]
    try:
        assert 1 == len({heard(process) for process in processes})  # all opened the same log
        for process in processes:
            tell(process)
        assert ["done"] * PROCESSES == [heard(process) for process in processes]
    finally:
        for each in children:
            each.__exit__(None, None, None)
    with opened(tmp_path) as log:
        found = ids_of(log)
    for number in range(PROCESSES):
        mine = [one - 1000 * number for one in found if one // 1000 == number]
        assert list(range(COMMITS)) == mine


@pytest.mark.skipif(
    sys.platform == "win32", reason="there are no named pipes; readers look by themselves"
)
def test_woken_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that waits comes back when another process publishes, without looking again by itself."""
    monkeypatch.setattr(sqlite_process, "RECHECK_S", WAIT_S)
    with opened(tmp_path) as log, child(__file__, "publish", tmp_path) as process:
        heard(process)
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        for number in range(3):
            threading.Timer(0.05, tell, [process]).start()
            batch = source.poll(10, WAIT_S)
            assert batch is not None
            assert [number] == batch.rows.column("id").to_pylist()


@pytest.mark.fault
@pytest.mark.skipif(
    sys.platform == "win32", reason="there are no named pipes; readers look by themselves"
)
def test_dead_bells_are_removed(tmp_path: Path) -> None:
    """A reader that was killed leaves its bell, which the next publication removes; a closed one takes it along."""
    with opened(tmp_path) as log:
        folder = sqlite_process.folder_of(log.path)
        with child(__file__, "read", tmp_path) as process:
            heard(process)
            assert 1 == len(list(folder.glob("*.bell")))
            process.kill()
            process.wait()
        publish(log, 1)
        assert [] == list(folder.glob("*.bell"))
        log.source(EVENTS, "readers")
        assert 1 == len(list(folder.glob("*.bell")))
    assert [] == list(folder.glob("*.bell"))


def test_without_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder knows no named pipes, readers look by themselves, often; and are woken within the process."""

    def refuse(*_: object) -> None:
        raise OSError("no pipes here")

    monkeypatch.setattr("os.mkfifo", refuse, raising=False)
    with opened(tmp_path) as log, child(__file__, "publish", tmp_path) as process:
        heard(process)
        source = log.source(EVENTS, "readers")
        source.open({"0": None})
        for expected, action in (([0], lambda: tell(process)), ([7], lambda: publish(log, 7))):
            threading.Timer(0.05, action).start()
            batch = source.poll(10, WAIT_S)
            assert batch is not None
            assert expected == batch.rows.column("id").to_pylist()


def _claim(data_dir: Path) -> None:
    with opened(data_dir) as log:
        print(" ".join(sorted(log.claim(STAGE, ["0", "1"], "child"))), flush=True)
        sys.stdin.read()


def _write(data_dir: Path, number: str) -> None:
    with opened(data_dir) as log:
        print(log.identity, flush=True)
        sys.stdin.readline()
        for commit in range(COMMITS):
            publish(log, 1000 * int(number) + commit)
        print("done", flush=True)


def _publish(data_dir: Path) -> None:
    with opened(data_dir) as log:
        print("ready", flush=True)
        for number, _ in enumerate(sys.stdin):
            publish(log, number)


def _read(data_dir: Path) -> None:
    log = open_log("sqlite:", "kit", LogOptions(data_dir, SystemClock()))
    source = log.source(EVENTS, "child")
    source.open({"0": None})
    print("ready", flush=True)
    source.poll(1, WAIT_S)


if __name__ == "__main__":
    what, place, *more = sys.argv[1:]
    {"claim": _claim, "write": _write, "publish": _publish, "read": _read}[what](Path(place), *more)  # type: ignore[operator]
