"""Announcing files to a run, between real processes: what was answered is counted, whoever dies in between."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from tests.docs.pages import blocks
from tests.docs.test_examples import executed
from tests.journeys.test_metering import START_TIMEOUT_S, STORES, User, await_rows

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Python has no UNIX sockets there")

SOCKET = "announce.sock"


@pytest.fixture(params=STORES)
def user(request: pytest.FixtureRequest, tmp_path: Path) -> User:
    url = "duckdb:" if request.param == "duckdb" else request.getfixturevalue("postgres_fresh")
    (tmp_path / "in").mkdir()
    return User(tmp_path, url)


@pytest.fixture
def on_duckdb(tmp_path: Path) -> User:
    """Where the store makes no difference."""
    (tmp_path / "in").mkdir()
    return User(tmp_path, "duckdb:")


@contextmanager
def listening(user: User, failpoints: str = "") -> Iterator[subprocess.Popen[str]]:
    """A run that takes nothing but what is announced: there are no side files."""
    command = user._command(
        "run", "metering", "--input", "in", "--ready", "side-file", "--announce", SOCKET,
        "--log-level", "info", "--log-format", "json",
    )  # fmt: skip
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=user.root,
        env={**os.environ, "QANAT_FAILPOINTS": failpoints},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if '"announce.listening"' in line:
                break
        else:
            raise AssertionError("the run ended before it listened")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def written(user: User, name: str, content: bytes) -> str:
    """Write a file under its name, as a careless writer does."""
    (user.incoming / name).write_bytes(content)
    return f"in/{name}"


def announced(user: User, *files: str, expect: int = 0) -> list[dict[str, object]]:
    """Announce files with a process of its own; return the answers."""
    done = subprocess.run(
        [sys.executable, "-m", "qanat", "announce", *files, "--announce", SOCKET, "--json"],
        capture_output=True, text=True, cwd=user.root, timeout=120, check=False,
    )  # fmt: skip
    assert expect == done.returncode, done.stdout + done.stderr
    answers: list[dict[str, object]] = json.loads(done.stdout or "[]")
    return answers


def test_announced(user: User) -> None:
    """A file that nothing else would take is registered, counted, and told as that when it is announced again."""
    with listening(user):
        assert ["registered"] == [
            a["state"] for a in announced(user, written(user, "a.txt", b"7 5\n"))
        ]
        await_rows(user, "select amount from totals", [{"amount": 5}])
        answers = announced(user, "in/a.txt", "in/b.txt", "/etc/passwd", expect=1)
        assert ["counted", "missing", "outside"] == [a.get("state") or a["reason"] for a in answers]
    user.run_once()
    assert [{"amount": 5}] == user.sql("select amount from totals")


@pytest.mark.fault
@pytest.mark.parametrize("point", ["register.before_commit", "register.after_commit"])
def test_killed_before_the_answer(point: str, user: User) -> None:
    """The writer is told that it can't be known; announced to the next run, at the same path, the file counts once."""
    file = written(user, "a.txt", b"7 5\n")
    with listening(user, f"{point}=kill") as process:
        assert [] == announced(user, file, expect=1)
        assert -signal.SIGKILL == process.wait(60)
    assert (user.root / SOCKET).exists()
    with listening(user):
        assert "ok" == announced(user, file)[0]["answer"]
        await_rows(user, "select amount from totals", [{"amount": 5}])
    assert [{"n": 1}] == user.sql("select count(*) as n from files")
    assert [] == list(user.root.glob(f"{SOCKET}*"))


def test_example_in_python(on_duckdb: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows for Python speaks to a real run."""
    monkeypatch.chdir(on_duckdb.root)
    page = dict(blocks("python", "run"))["docs/sources.md"]
    example = vars(executed("docs/sources.md", page))["announce"]
    announce = cast("Callable[[str, str], dict[str, object]]", example)
    file = written(on_duckdb, "a.txt", b"7 5\n")
    with listening(on_duckdb):
        assert ("ok", "a.txt") == tuple(announce(SOCKET, file)[key] for key in ("answer", "name"))


def test_strangers_disturb_nobody(on_duckdb: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage, half messages and silent connections, more than are answered at a time, leave a real run at work."""
    monkeypatch.chdir(on_duckdb.root)
    file = written(on_duckdb, "a.txt", b"7 5\n")
    with listening(on_duckdb) as process:
        connections = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for number, connection in enumerate(connections):
            connection.connect(SOCKET)
            connection.sendall((b"", b"in/a", b"\0\n", b"a" * 50_000)[number % 4])
        assert "ok" == announced(on_duckdb, file)[0]["answer"]
        for connection in connections:
            connection.close()
        await_rows(on_duckdb, "select amount from totals", [{"amount": 5}])
        assert process.poll() is None


def test_second_run_at_one_path(on_duckdb: User) -> None:
    """A run of another folder and store is refused at a path at which one listens; the first goes on."""
    (on_duckdb.root / "other").mkdir()
    with listening(on_duckdb) as process:
        done = subprocess.run(
            [sys.executable, "-m", "qanat", "run", "metering", "--once", "--input", "other",
             "--data-dir", "other-data", "--announce", SOCKET],
            capture_output=True, text=True, cwd=on_duckdb.root, timeout=120, check=False,
        )  # fmt: skip
        assert (1, True) == (done.returncode, str(process.pid) in done.stderr)
        assert "ok" == announced(on_duckdb, written(on_duckdb, "a.txt", b"7 5\n"))[0]["answer"]


def test_once(on_duckdb: User) -> None:
    """A run that ends by itself listens as long as it lasts; a kept socket setting is no hindrance."""
    on_duckdb.put("b.txt", b"7 5\n" * 1000)
    process = on_duckdb.start(
        "run", "metering", "--input", "in", "--once", "--announce", SOCKET, "--rate-limit", "1000"
    )
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not (on_duckdb.root / SOCKET).exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    answer = announced(on_duckdb, written(on_duckdb, "a.txt", b"8 5\n"))[0]
    assert answer["state"] in {"registered", "counted"}
    assert 0 == process.wait(120)
    process.communicate()
    on_duckdb.run_once()
    assert [{"consumer": 7, "amount": 5000}, {"consumer": 8, "amount": 5}] == on_duckdb.sql(
        "select consumer, amount from totals order by consumer"
    )
    assert [] == list(on_duckdb.root.glob(f"{SOCKET}*"))


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("at most 96 bytes", ["--announce", "a" * 97]),
        ("mkdir -p 'nowhere'", ["--announce", "nowhere/a.sock"]),
        ("--announce-group", ["--announce", "a.sock", "--announce-group", "no-such-group"]),
        ("no --announce", ["--announce-group", "root"]),
    ],
)
def test_wrong_use(expected: str, arguments: list[str], on_duckdb: User) -> None:
    """Wrong use exits 2 with what would be right, before anything is changed."""
    assert expected in on_duckdb.run_once(*arguments, expect=2)
    assert ["in"] == [path.name for path in on_duckdb.root.iterdir()]
