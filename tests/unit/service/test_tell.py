"""A death is told by real commands and a real webhook, in bounded time, and without its secrets."""

import json
import logging
import shlex
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.service import tell as telling
from qanat.service.death import Death
from qanat.service.tell import DeathSettings, check, tell
from qanat.settings import Duration
from qanat.telemetry import LOGGER, log_to

DEATH = Death("metering", "signal", signal="SIGKILL")
AT = datetime(2026, 11, 26, tzinfo=UTC)
SECRET = "c29tZXRoaW5nIHNlY3JldA"


class Hook(ThreadingHTTPServer):
    """A webhook that answers as it is told, and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[str, str, dict[str, object]]] = []
        self.go_on = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/{SECRET}?key={SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers.get("Authorization", "")
        self.server.got.append((self.path, token, json.loads(body)))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if not status:
            self.server.go_on.wait(60)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name that it has there
        pass


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A webhook on loopback."""
    monkeypatch.setattr(telling, "DELAY_FIRST_S", 0.01)
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def logged(tmp_path: Path) -> Iterator[Path]:
    """What is logged meanwhile."""
    handlers, level = list(LOGGER.handlers), LOGGER.level
    place = tmp_path / "log"
    with place.open("w") as stream:
        log_to(stream, as_json=True, level="debug")
        yield place
    LOGGER.handlers[:] = handlers
    LOGGER.setLevel(level)
    assert SECRET not in place.read_text()


def events(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in place.read_text().splitlines()]


def to(hook: Hook, timeout_s: float = 30, token: str = SECRET) -> DeathSettings:
    return DeathSettings(
        on_death_url=hook.url, on_death_token=token, on_death_timeout=Duration(timeout_s)
    )


def test_the_webhook_gets_everything(hook: Hook, logged: Path) -> None:
    """One POST, with the token, the path as it is, and the death as JSON."""
    assert tell(DEATH, to(hook), AT)
    ((path, token, body),) = hook.got
    assert f"/hooks/{SECRET}?key={SECRET}" == path
    assert f"Bearer {SECRET}" == token
    assert ("signal", "SIGKILL", AT.isoformat()) == (body["reason"], body["signal"], body["at"])
    assert ["death.told"] == [event["event"] for event in events(logged)]


@pytest.mark.parametrize(
    ("answers", "heard", "asked"),
    [
        ([500, 503], True, 3),  # the third one is heard
        ([429], True, 2),
        ([500, 500, 500], False, 3),  # as often as the settings say
        ([404], False, 1),  # the same request can't do better
        ([302], False, 1),  # the token goes nowhere else
    ],
)
def test_attempts_are_counted(hook: Hook, answers: list[int], heard: bool, asked: int) -> None:
    """What may pass is tried again, bounded; what can't isn't."""
    hook.answers = answers
    assert heard is tell(DEATH, to(hook), AT)
    assert asked == len(hook.got)
    assert {f"/hooks/{SECRET}?key={SECRET}"} == {path for path, _, _ in hook.got}


def test_a_webhook_that_never_answers(hook: Hook, logged: Path) -> None:
    """Each attempt ends."""
    hook.answers = [0, 0, 0]
    assert not tell(DEATH, to(hook, timeout_s=0.2), AT)
    reasons = {str(event["reason"]) for event in events(logged)}
    assert reasons <= {
        "the webhook didn't answer within 0.2 s",
        "the webhook can't be reached: TimeoutError",
    }


def test_nobody_listens(hook: Hook, logged: Path) -> None:
    """What is logged names neither the address nor a secret."""
    hook.socket.close()
    assert not tell(DEATH, to(hook, token=f"{SECRET}\n"), AT)
    assert all("webhook can't be reached" in str(event["reason"]) for event in events(logged))


def test_a_command_gets_everything(tmp_path: Path) -> None:
    """The reason by variables, all of it on standard input; never how others are told."""
    told = tmp_path / "it's told"
    code = (
        "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(repr("
        "(os.environ['QANAT_DEATH_REASON'], sys.stdin.read(), 'QANAT_ON_DEATH_URL' in os.environ)))"
    )
    settings = DeathSettings(on_death=python(code, str(told)))
    assert tell(DEATH, settings, AT)
    reason, given, knows = eval(told.read_text())
    assert ("signal", False) == (reason, knows)
    assert DEATH.text == json.loads(given)["text"]


@pytest.mark.skipif(sys.platform == "win32", reason="process groups as POSIX has them")
def test_a_command_that_never_ends(tmp_path: Path, logged: Path) -> None:
    """It is ended, and what it started with it."""
    child = "import time; time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    settings = DeathSettings(
        on_death=python(code), on_death_timeout=Duration(0.5), on_death_attempts=1
    )
    assert not tell(DEATH, settings, AT)
    assert ["the command didn't end within 0.5 s"] == [e["reason"] for e in events(logged)]


def test_a_command_that_fails_or_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: Path
) -> None:
    """The one is tried again, the other can't be."""
    monkeypatch.setattr(telling, "DELAY_FIRST_S", 0.01)
    assert not tell(DEATH, DeathSettings(on_death=python("raise SystemExit(3)")), AT)
    assert not tell(DEATH, DeathSettings(on_death=str(tmp_path / "missing")), AT)
    assert [1, 2, 3, 1] == [event["attempt"] for event in events(logged)]
    assert logging.getLevelName(logging.ERROR).lower() == events(logged)[0]["level"]


def test_nobody_is_to_be_told() -> None:
    """Without a command or an address there is nothing to fail."""
    assert tell(DEATH, DeathSettings(), AT)


@pytest.mark.parametrize(
    "settings",
    [
        DeathSettings(on_death_url=f"ftp://{SECRET}"),
        DeathSettings(on_death_url=f"https:/{SECRET}"),
        DeathSettings(on_death_url=f"https://host:{SECRET}/"),
        DeathSettings(on_death="echo 'open"),
        DeathSettings(on_death_timeout=Duration(0)),
    ],
)
def test_mistakes_are_told_before(settings: DeathSettings) -> None:
    """And without the secret."""
    with pytest.raises(ConfigError) as caught:
        check(settings)
    assert SECRET not in str(caught.value)


def python(code: str, *arguments: str) -> str:
    return shlex.join([sys.executable, "-c", code, *arguments])
