"""`metering` on a folder behind a server, as a user meets it: real processes, OpenSSH, FTP with TLS."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from qanat.prove.ftp_server import USER, FtpServer
from tests.remote_services import Sshd, free_port

LINES = b"1 10\n2 20\n1 5\n"
PASSWORD = "secret word"


@dataclass(frozen=True)
class User:
    """Somebody with a server to fetch from."""

    root: Path
    server: Sshd
    store: str = "duckdb:"

    @property
    def folder(self) -> Path:
        return self.root / "remote"

    @property
    def url(self) -> str:
        return self.server.address(self.folder).url

    def environment(self, failpoints: str = "") -> dict[str, str]:
        return {
            **os.environ,
            "QANAT_FAILPOINTS": failpoints,
            "QANAT_REMOTE_KEY": str(self.server.key),
            "QANAT_REMOTE_HOST_KEY": self.server.host_key,
            "QANAT_STORE": self.store,
        }

    def do(self, *arguments: str, expect: int = 0, failpoints: str = "") -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "qanat", *arguments],
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment(failpoints),
            timeout=120,
            check=False,
        )
        assert expect == done.returncode, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def run_once(self, *arguments: str, expect: int = 0, failpoints: str = "") -> str:
        return self.do(
            "run", "metering", "--input", self.url, "--once", *arguments,
            expect=expect, failpoints=failpoints,
        )  # fmt: skip

    def sql(self, statement: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.do("sql", "metering", statement, "--json"))
        return rows

    def totals(self) -> dict[object, object]:
        rows = self.sql("select consumer, cast(amount as bigint) as amount from totals")
        return {row["consumer"]: row["amount"] for row in rows}

    def put(self, name: str, content: bytes = LINES) -> None:
        """Hand over a file."""
        temporary = self.folder / f"{name}.part"
        temporary.write_bytes(content)
        temporary.rename(self.folder / name)

    def names(self, under: str = "") -> list[str]:
        return sorted(path.name for path in (self.folder / under).iterdir() if path.is_file())


@pytest.fixture
def user(tmp_path: Path, sftp_server: Sshd) -> User:
    (tmp_path / "remote").mkdir()
    return User(tmp_path, sftp_server)


def test_from_end_to_end(user: User) -> None:
    """Counted once, moved on the server, summed again from there, taken out, counted again."""
    user.put("a.txt")
    user.put("bad.txt", b"x\n" * 9 + LINES)
    user.run_once(expect=1)
    assert {1: 15, 2: 20} == user.totals()
    assert ([], ["a.txt"], ["bad.txt"]) == (user.names(), user.names("done"), user.names("failed"))
    assert json.loads(user.do("verify", "a.txt", "--json"))["equal"] is True
    user.do("undo", "a.txt")
    assert {} == user.totals()
    user.do("requeue", "a.txt")
    assert ["a.txt"] == user.names()
    user.run_once()
    assert {1: 15, 2: 20} == user.totals()
    (told,) = json.loads(user.do("status", "metering", "--json"))["pipelines"][0]["remote"]
    assert {"url": user.url, "problem": None, "fetching": [], "fetched": 0} == told


@pytest.mark.fault
@pytest.mark.parametrize("after", ["move", "keep", "delete"])
@pytest.mark.parametrize("point", ["count.after_commit", "move.before", "move.after"])
def test_killed_between_the_commit_and_the_server(user: User, after: str, point: str) -> None:
    """The file isn't fetched and counted again, though its copy is gone as well."""
    user.put("a.txt")
    user.run_once("--after", after, expect=-9, failpoints=f"{point}=kill")
    (spool,) = (user.root / "qanat-data" / "metering-remote").iterdir()
    shutil.rmtree(spool)
    user.run_once("--after", after)
    assert {1: 15, 2: 20} == user.totals()
    assert [{"n": 1}] == user.sql("select count(*) as n from files")
    assert (["a.txt"] if after == "keep" else []) == user.names()
    if after == "move":
        assert ["a.txt"] == user.names("done")


@pytest.mark.fault
def test_the_status_tells_how_far_it_is(user: User) -> None:
    """Killed in the middle of a file, the run leaves what it has; the next one goes on there."""
    content = b"7 1\n" * 500_000
    user.put("large.txt", content)
    user.run_once(expect=-9, failpoints="fetch.partial=kill@3")
    told = user.do("status", "metering")
    assert f"large.txt: 783,360 of {len(content):,} bytes (39%)" in told
    user.run_once()
    assert {7: 500_000} == user.totals()


def test_who_is_unknown_is_refused(user: User) -> None:
    """At once, with the way out, and without having made anything of the files."""
    environment = {**user.environment(), "QANAT_REMOTE_HOST_KEY": "", "HOME": str(user.root)}
    command = [sys.executable, "-m", "qanat", "run", "metering", "--input", user.url]
    done = subprocess.run(
        command, env=environment, cwd=user.root, capture_output=True, text=True, check=False
    )
    assert 2 == done.returncode
    assert f"--remote-host-key {user.server.host_key}" in done.stderr


def test_a_password_in_the_url_is_refused(user: User) -> None:
    """And it isn't shown."""
    told = user.do("run", "metering", "--input", "ftp://me:secret@host/", expect=2)
    assert "without a password" in told
    assert "secret" not in told


def test_ftps(tmp_path: Path, certificate: Path) -> None:
    """A whole run over TLS, told everything by qanat.toml and the environment; no secret is left behind."""
    folder = tmp_path / "remote"
    folder.mkdir()
    (folder / "a.txt").write_bytes(LINES)
    with FtpServer(folder, PASSWORD, certificate=certificate) as server:
        (tmp_path / "qanat.toml").write_text(
            f'[metering]\ninput = "ftps://{USER}@127.0.0.1:{server.port}/"\n'
            f'remote-ca = "{certificate}"\nlog-level = "debug"\n'
        )
        environment = {**os.environ, "QANAT_REMOTE_PASSWORD": PASSWORD}
        printed = ""
        for arguments in (["run", "metering", "--once"], ["verify", "a.txt"], ["status"]):
            done = subprocess.run(
                [sys.executable, "-m", "qanat", *arguments],
                env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            printed += done.stdout + done.stderr
            assert 0 == done.returncode, printed
    assert "1 counted" in printed
    assert PASSWORD not in printed
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.postgres
def test_instances_that_share_a_store(user: User, postgres_fresh: str) -> None:
    """One fetches; another one, from wherever, is refused, and may when the first is gone."""
    shared = User(user.root, user.server, postgres_fresh)
    shared.put("a.txt")
    command = ["run", "metering", "--input", shared.url]
    first = subprocess.Popen(
        [sys.executable, "-m", "qanat", *command],
        cwd=shared.root, env=shared.environment(), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (shared.folder / "done" / "a.txt").exists():
            assert first.poll() is None
            time.sleep(0.05)
        told = shared.do(*command, "--once", "--data-dir", "elsewhere", expect=1)
        assert "another instance fetches" in told
    finally:
        first.terminate()
        assert 0 == first.wait(timeout=60)
    shared.put("b.txt", b"3 1\n")
    shared.do(*command, "--once", "--data-dir", "elsewhere")
    assert {1: 15, 2: 20, 3: 1} == shared.totals()


def test_nothing_connects_unless_asked(user: User) -> None:
    """What a local folder needs, and looking at the state, touch no server."""
    (user.root / "in").mkdir()
    (user.root / "in" / "a.txt").write_bytes(LINES)
    user.do("run", "metering", "--input", "in", "--once")
    address = f"sftp://127.0.0.1:{free_port()}/in"
    process = subprocess.Popen(
        [sys.executable, "-m", "qanat", "run", "metering", "--input", address],
        cwd=user.root, env=user.environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert "remote.retried" in process.stderr.readline()  # it waits for the server, and says so
        assert address in user.do("status", "metering")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert 0 == process.returncode
