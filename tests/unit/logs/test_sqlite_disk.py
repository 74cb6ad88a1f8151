"""A full disk and a busy log: nothing is written, and the log can be used on. And space that is given back."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qanat.errors import Retryable
from qanat.interfaces import Span
from qanat.logs import sqlite_file
from qanat.records import Move
from qanat.testing import FakeClock
from tests.unit.logs.sqlite_kit import EVENTS, STAGE, child_environment, ids_of, opened, publish

# What the files may still grow by: a limit of the process behaves as a disk that is full.
ROOM_BYTES = 2**20
# Doesn't get smaller when it is compressed.
NOISE = np.random.default_rng(1).bytes(200_000)


@pytest.mark.fault
@pytest.mark.skipif(sys.platform == "win32", reason="Windows can't limit the size of files")
def test_full_disk(tmp_path: Path) -> None:
    """On a full disk commits are Retryable, say so, and leave what was there; with room the same log goes on."""
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert "the disk is full" in told["reason"]
    assert 0 < told["before"] < 100
    assert told["before"] == told["when full"]
    with opened(tmp_path) as log:
        assert [*range(told["before"]), 1000] == ids_of(log)
        assert told["before"] + 1 == log.claim(STAGE, ["0"], "test")["0"].version


def _run(data_dir: Path) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    told: dict[str, object] = {}
    with opened(data_dir) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
        number = 0
        try:
            while True:
                publish(log, number, body=NOISE, move=Move(number, "life", str(number)))
                number += 1
        except Retryable as error:
            told |= {"reason": error.message, "before": number}
        told["when full"] = log.spans(EVENTS)["0"].end
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        publish(log, 1000, move=Move(number, "life", "end"))
    print(json.dumps(told))


def test_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the log held by another process for too long is Retryable; who has patience gets his turn."""
    with opened(tmp_path) as log, closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with log.file.maintaining() as connection:
            connection.execute("pragma busy_timeout = 50").fetchall()
        with pytest.raises(Retryable, match="another process"):
            publish(log, 1)
        assert {"0": Span(0, 0)} == log.spans(EVENTS)  # readers don't mind
        waiting = threading.Thread(target=publish, args=(log, 2))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        other.execute("rollback")
        waiting.join()
        assert [2] == ids_of(log)
        monkeypatch.setattr(sqlite_file, "TURN_S_MAX", 0.05)
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with log.file.maintaining():
                held.set()
                release.wait()

        holding = threading.Thread(target=hold)
        holding.start()
        held.wait()
        with pytest.raises(Retryable, match="other threads"):
            publish(log, 3)
        release.set()
        holding.join()


def test_file_shrinks(tmp_path: Path) -> None:
    """What retention removes is given back to the disk: the file gets smaller, and so does the write-ahead log."""
    clock = FakeClock()
    with opened(tmp_path, clock) as log:
        wal = log.path.with_name(f"{log.path.name}-wal")
        for number in range(40):
            publish(log, number, body=NOISE)
            clock.advance(1.0)
        full = log.path.stat().st_size + wal.stat().st_size
        kept = replace(EVENTS, keep_s=4.5)
        assert [(36, 0)] == [(one.removed, one.held) for one in log.trim([kept], clock.now())]
        assert full > 40 * len(NOISE)
        assert log.path.stat().st_size < 7 * len(NOISE)
        assert 0 == wal.stat().st_size
        assert list(range(36, 40)) == ids_of(log)
        size = log.path.stat().st_size
        publish(log, 40, body=NOISE)
        assert [36, 37, 38, 39, 40] == ids_of(log)
        assert log.path.stat().st_size == size  # nothing grows before a checkpoint


def test_writers_go_on_while_it_shrinks(tmp_path: Path) -> None:
    """Retention and publications at the same time: nothing that is due stays, nothing that isn't goes."""
    clock = FakeClock()
    with opened(tmp_path, clock) as log:
        for number in range(30):
            publish(log, number, body=NOISE)
        clock.advance(10.0)
        kept = replace(EVENTS, keep_s=5.0)

        def write() -> None:
            for number in range(100, 120):
                publish(log, number, body=NOISE)

        writing = threading.Thread(target=write)
        writing.start()
        log.trim([kept], clock.now())
        writing.join()
        assert list(range(100, 120)) == ids_of(log)
        assert {"0": Span(30, 50)} == log.spans(EVENTS)


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
