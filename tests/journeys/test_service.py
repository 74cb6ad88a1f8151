"""A run as a service: what its manager hears, when it doesn't, and how it stops, reloads and dies. Real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.manager import Managed, managed, put

pytestmark = pytest.mark.skipif(os.name != "posix", reason="service managers as POSIX has them")

RUN = ("run", "metering", "--input", "in", "--data-dir", "data")
# Longer than any step of a small file takes, once the kernel is compiled.
WATCHDOG_S = 4.0
# Before anything is computed: a step that never returns.
HANG = "register.before_commit=sleep:3600"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an empty one for files."""
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.fixture
def service(place: Path) -> Iterator[Managed]:
    """A run at work."""
    with managed(RUN, place, WATCHDOG_S) as found:
        found.wait_for("READY=1")
        yield found


def qanat(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "qanat", *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=120, check=False
    )


def totals(place: Path) -> list[dict[str, int]]:
    asked = qanat(place, "sql", "metering", "select * from totals", "--json", "--data-dir", "data")
    found: list[dict[str, int]] = json.loads(asked.stdout)
    return found


def test_ready_is_said_when_it_is_true(service: Managed, place: Path) -> None:
    """The first thing it says; then the store is open, the folder claimed, and others are answered."""
    assert "READY=1" == service.messages[0]
    described = json.loads(
        qanat(place, "status", "metering", "--json", "--data-dir", "data").stdout
    )
    assert service.process.pid == described["pipelines"][0]["workers"][0]["pid"]
    with managed(RUN, place, WATCHDOG_S) as second:
        assert 1 == second.ended()
        assert [] == second.rest()


def test_idle_is_alive(service: Managed) -> None:
    """Without any file, signs of life come one after the other, and the status says why nothing happens."""
    lines = service.wait_for("WATCHDOG=1", 4)
    assert "STATUS=waiting for files, 0 files done" in lines


@pytest.mark.fault
@pytest.mark.slow
def test_a_hung_step_is_not_alive(place: Path) -> None:
    """Once a thread got nowhere for too long no sign of life is given, whatever else still runs; SIGABRT tells where."""
    with managed(RUN, place, WATCHDOG_S, QANAT_FAILPOINTS=HANG) as hung:
        hung.wait_for("READY=1")
        hung.wait_for("WATCHDOG=1")
        put(place / "in", "a.txt", b"7 5\n")
        hung.wait_for("STATUS=count got nowhere")
        assert "WATCHDOG=1" not in hung.wait_for("STATUS=count got nowhere", 3)
        hung.ask(signal.SIGABRT)
        assert -signal.SIGABRT == hung.ended()
        assert "service.stalled stage=count" in hung.log()
        assert "in _act" in hung.log()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.postgres
def test_a_store_that_blocks_is_not_alive(place: Path, postgres_fresh: str) -> None:
    """A database that doesn't answer withholds the sign of life, and brings it back when it answers again."""
    import psycopg

    environment = {"QANAT_STORE": postgres_fresh}
    with managed(RUN, place, WATCHDOG_S, **environment) as blocked:
        blocked.wait_for("READY=1")
        with psycopg.connect(postgres_fresh) as other:
            other.execute("lock table metering.files in access exclusive mode")
            put(place / "in", "a.txt", b"7 5\n")
            blocked.wait_for("STATUS=count got nowhere")
            assert "WATCHDOG=1" not in blocked.wait_for("STATUS=count got nowhere", 3)
        blocked.wait_for("WATCHDOG=1", 2)
        blocked.ask(signal.SIGTERM)
        assert 0 == blocked.ended()


def test_it_stops_in_order(service: Managed, place: Path) -> None:
    """SIGTERM: it says that it stops, and ends with 0, although a file failed meanwhile."""
    put(place / "in", "bad.txt", b"no line\n")
    service.wait_for("STATUS=waiting for files, 1 files done")
    service.ask(signal.SIGTERM)
    assert 0 == service.ended()
    assert "STOPPING=1" in service.rest()
    assert "bad.txt is failed" in service.log()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("how", ["asked again", "time is over"])
def test_a_stop_that_hangs_ends(place: Path, how: str) -> None:
    """At a second SIGTERM, or after --stop-timeout; nothing is half done."""
    timeout = "1h" if how == "asked again" else "1s"
    arguments = (*RUN, "--stop-timeout", timeout)
    with managed(arguments, place, WATCHDOG_S, QANAT_FAILPOINTS=HANG) as hung:
        hung.wait_for("READY=1")
        put(place / "in", "a.txt", b"7 5\n")
        hung.wait_for("STATUS=count got nowhere")
        hung.ask(signal.SIGTERM)
        hung.wait_for("STOPPING=1")
        if how == "asked again":
            hung.ask(signal.SIGTERM)
        assert 128 + signal.SIGTERM == hung.ended()
        assert f"service.stop_forced reason={how}" in hung.log()
    assert 0 == qanat(place, *RUN, "--once").returncode
    assert [{"consumer": 7, "amount": 5, "parts": 1}] == totals(place)


def test_it_reloads(place: Path) -> None:
    """SIGHUP takes over what can be taken over, names what can't, and refuses a mistake as a whole."""
    settings = place / "qanat.toml"
    settings.write_text('rate-limit = "1B"\nlog-level = "info"\n')
    with managed(RUN, place) as service:
        service.wait_for("READY=1")
        put(place / "in", "a.txt", b"7 5\n" * 100)
        settings.write_text(
            'rate-limit = "1B"\nrollup-every = "0"\nlog-level = "info"\nrollup-days-after = "7d"\n'
        )
        service.ask(signal.SIGHUP)
        service.wait_for("RELOADING=1")
        service.wait_for("READY=1")
        assert "settings.refused reason=--rollup-every has to be a number above 0" in service.log()
        settings.write_text('store = "postgresql://u:geheim@h/d"\nlog-format = "xml"\n')
        service.ask(signal.SIGHUP)
        service.wait_for("READY=1")
        assert "--log-format has to be one of text, json" in service.log()
        assert "file.counted" not in service.log()
        settings.write_text(
            'rate-limit = "0"\nlog-level = "debug"\nstore = "postgresql://u:geheim@h/d"\n'
        )
        service.ask(signal.SIGHUP)
        service.wait_for("READY=1")
        assert "settings.reloaded changed=log_level,rate_limit" in service.log()
        assert "settings.need_restart names=store" in service.log()
        service.wait_for_log("file.counted")
        assert "geheim" not in service.log()
        service.ask(signal.SIGTERM)
        assert 0 == service.ended()
    assert [("RELOADING=1", "MONOTONIC_USEC=")] == sorted(
        {
            (one, other.partition("=")[0] + "=")
            for one, other in zip(service.messages, service.messages[1:], strict=False)
            if one == "RELOADING=1"
        }
    )


@pytest.mark.fault
@pytest.mark.slow
def test_a_killed_run_is_told_and_started_again(place: Path) -> None:
    """Even SIGKILL, which no program can tell of itself; and the file counts once."""
    command = f"{sys.executable} -c \"import sys; open('told', 'a').write(sys.stdin.read())\""
    arguments = ("supervise", "--on-death", command, "--restart-after", "10ms", *RUN[1:])
    with managed(arguments, place, QANAT_LOG_LEVEL="info") as parent:
        put(place / "in", "a.txt", b"7 5\n")
        parent.wait_for_log("file.settled")
        os.kill(child_of(parent), signal.SIGKILL)
        parent.wait_for_log("supervise.started", 2)
        put(place / "in", "b.txt", b"7 6\n")
        parent.wait_for_log("file.settled", 2)
        parent.ask(signal.SIGTERM)
        assert 0 == parent.ended()
        assert [] == parent.rest()  # the run talked to its parent alone
    (told,) = (place / "told").read_text().splitlines()
    assert ("metering", "SIGKILL") == (json.loads(told)["name"], json.loads(told)["signal"])
    assert [{"consumer": 7, "amount": 11, "parts": 2}] == totals(place)


@pytest.mark.fault
@pytest.mark.slow
def test_a_hung_run_is_ended_by_its_parent(place: Path) -> None:
    """The same watchdog without a service manager."""
    arguments = ("supervise", "--watchdog", f"{WATCHDOG_S}s", "--no-restart", *RUN[1:])
    with managed(arguments, place, QANAT_FAILPOINTS=HANG, QANAT_LOG_LEVEL="info") as parent:
        parent.wait_for_log("supervise.ready")
        put(place / "in", "a.txt", b"7 5\n")
        parent.wait_for_log("supervise.hung")
        assert 128 + signal.SIGABRT == parent.ended()
        assert "metering died: it got nowhere for too long" in parent.log()
        assert "in _act" in parent.log()


def test_wrong_use_is_not_repeated(place: Path) -> None:
    """What can't go better the next time ends the supervisor, with the same exit code."""
    ended = qanat(place, "supervise", "metering", "--input", "missing")
    assert 2 == ended.returncode
    assert "metering died: it ended with an error (exit code 2" in ended.stderr
    assert 2 == qanat(place, "supervise", "metering", "--max-keys", "many").returncode


def test_a_finished_run_ends_its_supervisor(place: Path) -> None:
    """With --once nothing is started again."""
    put(place / "in", "a.txt", b"7 5\n")
    assert 0 == qanat(place, "supervise", *RUN[1:], "--once").returncode
    put(place / "in", "bad.txt", b"no line\n")
    assert 1 == qanat(place, "supervise", *RUN[1:], "--once").returncode


def test_died_tells_what_systemd_says(place: Path) -> None:
    """As ExecStopPost= runs it: nothing after an orderly end, the sentence and the command otherwise."""
    command = [sys.executable, "-m", "qanat", "died", "--name", "unit", "--on-death", "touch told"]
    for result, expected in (("success", False), ("oom-kill", True)):
        environment = {**os.environ, "SERVICE_RESULT": result, "EXIT_STATUS": "KILL"}
        ended = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert 0 == ended.returncode
        assert expected == (place / "told").exists()
        assert expected == ("out of memory" in ended.stderr)


def child_of(parent: Managed) -> int:
    """The process that a supervisor started last, as it logged it."""
    return int(parent.log().rpartition("supervise.started process=")[2].split()[0])
