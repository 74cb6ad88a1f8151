"""`metering` as a user meets it: real processes, real stores, every fixed name."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

STORES = ["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)]
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class User:
    """Somebody at a terminal, with a folder of files and a store."""

    root: Path
    store: str

    @property
    def incoming(self) -> Path:
        return self.root / "in"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self._command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
        )

    def do(self, *arguments: str, expect: int = 0) -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            self._command(*arguments),
            capture_output=True,
            text=True,
            cwd=self.root,
            timeout=120,
            check=False,
        )
        assert expect == done.returncode, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def run_once(self, *arguments: str, expect: int = 0) -> str:
        return self.do(
            "run", "metering", "--input", str(self.incoming), "--once", *arguments, expect=expect
        )

    def sql(self, statement: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.do("sql", "metering", statement, "--json"))
        return rows

    def put(self, name: str, content: bytes) -> None:
        """Hand over a file."""
        self.incoming.mkdir(exist_ok=True)
        temporary = self.incoming / f".{name}.part"
        temporary.write_bytes(content)
        temporary.rename(self.incoming / name)

    def _command(self, *arguments: str) -> list[str]:
        options = [] if arguments[0] in {"show", "generate"} else self._place()
        at = arguments.index("--") if "--" in arguments else len(arguments)
        return [sys.executable, "-m", "qanat", *arguments[:at], *options, *arguments[at:]]

    def _place(self) -> list[str]:
        return ["--data-dir", str(self.root / "data"), "--store", self.store]


@pytest.fixture(params=STORES)
def user(request: pytest.FixtureRequest, tmp_path: Path) -> User:
    url = "duckdb:" if request.param == "duckdb" else request.getfixturevalue("postgres_fresh")
    return User(tmp_path, url)


@pytest.fixture
def running(user: User) -> Iterator[subprocess.Popen[str]]:
    """A run that watches the folder, with the HTTP service."""
    user.incoming.mkdir(exist_ok=True)
    process = user.start(
        "run", "metering", "--input", str(user.incoming), "--serve", "--port", "0",
        "--log-level", "info", "--log-format", "json",
    )  # fmt: skip
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def await_rows(user: User, statement: str, expected: object) -> None:
    """Ask until the answer is as expected."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while (rows := user.sql(statement)) != expected:
        assert time.monotonic() < deadline_s, f"{rows} instead of {expected}"
        time.sleep(0.1)


def test_once(user: User) -> None:
    """Files are drained; totals, usage, dead letters and status tell exactly what was in them."""
    user.put("a.txt", b"7 5\n007 10\n8 999999999999999999\r\nbad line\n\n9 1")
    user.put("b.txt", b"7 1\n" + b"8 999999999999999999\n" * 20)
    user.run_once("--bad-share-max", "0.5")
    totals = user.sql("select consumer, amount, parts from totals order by consumer")
    amounts = {7: 16, 8: 21 * 999_999_999_999_999_999, 9: 1}
    assert amounts == {row["consumer"]: row["amount"] for row in totals}
    assert [2, 2, 1] == [row["parts"] for row in totals]
    usage = user.sql(
        "select consumer, granularity, sum(amount) as amount from usage group by 1, 2 order by 1"
    )
    assert [(c, "hour", a) for c, a in amounts.items()] == [tuple(row.values()) for row in usage]
    letters = json.loads(user.do("dead-letters", "metering", "--json"))
    assert [("a.txt", 4, 33, "bad line"), ("a.txt", 5, 42, "")] == [
        (row["file"], row["line"], row["offset"], row["raw"])
        for row in sorted(letters, key=lambda r: r["line"])
    ]
    status = json.loads(user.do("status", "--json"))
    assert "counted" in json.dumps(status)
    assert sorted(["a.txt", "b.txt"]) == sorted(
        path.name for path in (user.incoming / "done").iterdir()
    )


def test_again(user: User) -> None:
    """A second run counts nothing twice; the same content under another name is held, exit code 1, and requeued."""
    user.put("a.txt", b"7 5\n")
    user.run_once()
    user.run_once()
    user.put("b.txt", b"7 5\n")
    told = user.run_once(expect=1)
    assert "b.txt is held" in told
    assert [{"amount": 5}] == user.sql("select amount from totals")
    user.do("requeue", "b.txt")
    user.run_once()
    assert [{"amount": 10}] == user.sql("select amount from totals")


def test_verify_and_undo(user: User) -> None:
    """A counted file is verified, taken out, and counted again."""
    user.put("a.txt", b"7 5\n")
    user.put("b.txt", b"8 6\nbad\n8 1\n" + b"8 1\n" * 20)
    user.run_once()
    assert "equal" in user.do("verify", "b.txt")
    user.do("undo", "b.txt")
    assert [{"consumer": 7, "amount": 5}] == user.sql("select consumer, amount from totals")
    assert [{"n": 1}] == user.sql("select count(*) as n from usage")
    user.do("undo", "b.txt", expect=2)
    user.do("requeue", "b.txt")
    user.run_once()
    assert [{"amount": 5}, {"amount": 27}] == user.sql(
        "select amount from totals order by consumer"
    )


def test_replay(user: User) -> None:
    """A dead letter is corrected and counted, once."""
    user.put("a.txt", b"7 5\nx\n" + b"7 1\n" * 20)
    user.run_once()
    (letter,) = json.loads(user.do("dead-letters", "metering", "--json"))
    assert "consumer amount" in user.do("replay", "metering", letter["id"], expect=2)
    user.do("replay", "metering", letter["id"], "--as", "7 100")
    user.do("replay", "metering", letter["id"], "--as", "7 100", expect=2)
    assert [{"amount": 125}] == user.sql("select amount from totals")


def test_replayed_letters_outlive_an_undo(user: User) -> None:
    """What was added by hand stays when files are taken out and counted again, and is never added twice."""
    user.put("a.txt", b"7 5\nx\nzz\n" + b"7 1\n" * 30)
    user.put("b.txt", b"9 3\n" * 20)
    user.run_once()
    added, dropped = json.loads(user.do("dead-letters", "metering", "--json"))
    user.do("replay", "metering", added["id"], "--as", "9 100")
    user.do("replay", "metering", dropped["id"], "--drop")
    for file in ("b.txt", "a.txt"):
        user.do("undo", file)
    everything = "select consumer, amount from totals"
    assert [{"consumer": 9, "amount": 100}] == user.sql(everything)
    assert [{"consumer": 9, "amount": 100}] == user.sql("select consumer, amount from usage")
    user.do("requeue", "a.txt")
    user.run_once()
    assert [] == json.loads(user.do("dead-letters", "metering", "--json"))
    user.do("replay", "metering", added["id"], "--as", "9 100", expect=2)
    assert [{"consumer": 7, "amount": 35}, {"consumer": 9, "amount": 100}] == user.sql(
        f"{everything} order by consumer"
    )


def test_replay_after_a_requeue(user: User) -> None:
    """A file that failed and was counted after all leaves letters of the same id behind; the open one is meant."""
    user.put("a.txt", b"7 5\nx\n")
    user.run_once(expect=1)
    user.do("requeue", "a.txt")
    user.run_once("--bad-share-max", "1")
    (letter,) = json.loads(user.do("dead-letters", "metering", "--json"))
    user.do("replay", "metering", letter["id"], "--as", "7 100")
    assert [{"amount": 105}] == user.sql("select amount from totals")
    assert [{"state": "replayed"}, {"state": "superseded"}] == user.sql(
        "select state from dead_letters order by state"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_as_a_shell_completes_them(user: User) -> None:
    """A file is found by its raw name as well as by the one that the tables show."""
    raw = ("new\nline.txt", "back\\slash.txt", "-dash.txt")
    for number, name in enumerate(raw):
        user.put(name, b"7 %d\n" % number)
    user.run_once()
    for name in (*raw, "new\\x0aline.txt", "back\\\\slash.txt"):
        assert "equal" in user.do("verify", "--", name)


def test_while_running(user: User, running: subprocess.Popen[str]) -> None:
    """Every command works while a run holds the store; a file that arrives is counted at once."""
    for _ in range(200):
        time.sleep(0.05)
        if (user.root / "data").exists() and "totals" in _tables(user):
            break
    user.put("a.txt", b"7 5\nbad\n" + b"7 1\n" * 20)
    await_rows(user, "select amount from totals", [{"amount": 25}])
    user.put("b.txt", b"7 5\nbad\n" + b"7 1\n" * 20)
    await_rows(
        user, "select state from files order by id", [{"state": "counted"}, {"state": "held"}]
    )
    user.do("requeue", "b.txt")
    await_rows(user, "select amount from totals", [{"amount": 50}])
    user.do("undo", "a.txt")
    user.do("rollup", "metering", "--days-after", "1d")
    assert [{"amount": 25}] == user.sql("select amount from totals")
    assert 2 == len(json.loads(user.do("dead-letters", "metering", "--json", "--state", "all")))
    assert json.loads(user.do("usage", "metering", "--json"))["usage"][0]["amount"] == 25
    address = _address(running)
    assert "25" == httpx.get(f"{address}/api/metering/totals/7").json()["amount"]
    assert "qanat_commits_total" in httpx.get(f"{address}/metrics").text


def test_stops_in_order(user: User, running: subprocess.Popen[str]) -> None:
    """SIGTERM ends a run in order, exit code 0; nothing is left in its data folder that says otherwise."""
    _address(running)
    running.send_signal(signal.SIGTERM)
    assert 0 == running.wait(30)
    assert [] == list((user.root / "data").glob("*owner*"))


def test_two_instances(user: User, running: subprocess.Popen[str]) -> None:
    """On DuckDB the second instance exits 1 and says who holds the file; on PostgreSQL both share."""
    _address(running)
    if user.store == "duckdb:":
        assert str(running.pid) in user.run_once(expect=1)
    else:
        user.put("a.txt", b"7 5\n")
        user.run_once()
        await_rows(user, "select amount from totals", [{"amount": 5}])


def test_another_store_on_the_folder(user: User, running: subprocess.Popen[str]) -> None:
    """While a run lives, another store may not count its files."""
    _address(running)
    other = User(user.root, "duckdb:" + str(user.root / "other.duckdb"))
    told = other.run_once(expect=1)
    assert str(running.pid) in told


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("--on-bad", ["--on-bad", "perhaps"]),
        ("--store", ["--store", "oracle:x"]),
        ("--max-keys", ["--max-keys", "5"]),
        ("loopback", ["--serve", "--host", "0.0.0.0"]),
    ],
)
def test_wrong_use(expected: str, arguments: list[str], tmp_path: Path) -> None:
    """Wrong use exits 2 with what would be right, before anything is changed."""
    (tmp_path / "in").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "qanat", "run", "metering", "--input", "in", "--once", *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
    )  # fmt: skip
    assert 2 == done.returncode, done.stderr
    assert expected in done.stderr
    assert ["in"] == [path.name for path in tmp_path.iterdir()]
    assert [] == list((tmp_path / "in").iterdir())


def _tables(user: User) -> str:
    done = subprocess.run(
        user._command("sql", "metering", "select count(*) as totals from totals", "--json"),
        capture_output=True, text=True, cwd=user.root, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout


def _address(process: subprocess.Popen[str]) -> str:
    """Return the address at which a run serves, from its log."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{") and json.loads(line)["event"] == "serve.listening":
            address: str = json.loads(line)["address"]
            return address
    raise AssertionError("the run ended before it served")
