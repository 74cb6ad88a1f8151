"""Telling somebody that a run has died: by a command, by a webhook, both bounded in time and attempts."""

import http.client
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from socket import gethostname
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from qanat.errors import ConfigError, QanatError
from qanat.service.death import Death
from qanat.settings import Duration, LogFormat, LogLevel
from qanat.telemetry import log

# Between attempts: 1 s, 2 s, 4 s …
DELAY_FIRST_S = 1.0
# Answers after which trying again can't help; a redirection among them, which would take the token elsewhere.
_FINAL = frozenset(range(300, 500)) - {408, 429}


class DeathSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell that a run has died."""

    on_death: Annotated[
        str,
        msgspec.Meta(
            description="A command to run when a run dies, without a shell; it gets the reason as QANAT_DEATH_REASON,"
            " the sentence as QANAT_DEATH_TEXT, everything as JSON on standard input."
        ),
    ] = ""
    on_death_url: Annotated[
        str,
        msgspec.Meta(
            description="A webhook, https:// or http://, that gets the same JSON by POST; a secret, so better the variable."
        ),
    ] = ""
    on_death_token: Annotated[
        str,
        msgspec.Meta(description="What the webhook gets as `Authorization: Bearer …`; likewise."),
    ] = ""
    on_death_timeout: Annotated[
        Duration, msgspec.Meta(description="How long an attempt to tell may take.")
    ] = Duration(10.0)
    on_death_attempts: Annotated[
        int, msgspec.Meta(description="How often it is tried.", ge=1, le=10)
    ] = 3
    log_format: Annotated[LogFormat, msgspec.Meta(description="Log lines as text or as JSON.")] = (
        LogFormat.TEXT
    )
    log_level: Annotated[
        LogLevel, msgspec.Meta(description="How much is logged to standard error.")
    ] = LogLevel.WARNING


class _NotTold(QanatError):
    """An attempt failed. The message names no address and no secret.

    Attributes:
        final: Trying again can't help.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message)


def check(settings: DeathSettings) -> None:
    """Refuse a command or an address that can't be used, before anybody relies on it.

    Raises:
        ConfigError: Without the address, which is a secret.
    """
    if settings.on_death_url:
        try:
            split = urlsplit(settings.on_death_url)
            usable = split.scheme in {"http", "https"} and split.hostname and (split.port or 1)
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError("--on-death-url", "…", "an address that begins with https://")
    if not settings.on_death_timeout > 0:
        raise ConfigError("--on-death-timeout", settings.on_death_timeout, "above 0 seconds")
    try:
        shlex.split(settings.on_death)
    except ValueError as error:
        raise ConfigError("--on-death", settings.on_death, f"a command ({error})") from error


def tell(death: Death, settings: DeathSettings, at: datetime) -> bool:
    """Tell everybody that the settings name; return whether all of them heard it."""
    fields = {**death.fields(), "host": gethostname(), "at": at.isoformat()}
    body = json.dumps(fields).encode() + b"\n"
    ways: list[tuple[str, Callable[[], None]]] = []
    timeout_s = float(settings.on_death_timeout)
    if settings.on_death:
        ways.append(("command", lambda: _run(settings.on_death, death, body, timeout_s)))
    if settings.on_death_url:
        ways.append(("webhook", lambda: _bounded(lambda: _post(settings, body), timeout_s)))
    heard = [_insistently(way, attempt, settings.on_death_attempts) for way, attempt in ways]
    return all(heard)


def _insistently(way: str, attempt: Callable[[], None], attempts_max: int) -> bool:
    for number in range(1, attempts_max + 1):
        try:
            attempt()
        except _NotTold as error:
            log(
                "death.not_told",
                level=logging.ERROR,
                way=way,
                attempt=number,
                reason=error.message,
            )
            if error.final or number == attempts_max:
                return False
            time.sleep(DELAY_FIRST_S * 2 ** (number - 1))
        else:
            log("death.told", way=way)
            return True
    return False


def _run(command: str, death: Death, body: bytes, timeout_s: float) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _SECRETS},
        "QANAT_DEATH_NAME": death.name,
        "QANAT_DEATH_REASON": death.reason,
        "QANAT_DEATH_TEXT": death.text,
    }
    try:
        process = subprocess.Popen(
            command if sys.platform == "win32" else shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise _NotTold(f"the command can't be started: {error.strerror}", final=True) from error
    try:
        process.communicate(body, timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        raise _NotTold(f"the command didn't end within {timeout_s:g} s") from None
    if process.returncode:
        raise _NotTold(f"the command ended with {process.returncode}")


# The command is told what happened, not how others are told.
_SECRETS = frozenset({"QANAT_ON_DEATH_URL", "QANAT_ON_DEATH_TOKEN"})


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command, and what it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _bounded(attempt: Callable[[], None], timeout_s: float) -> None:
    """Give up after `timeout_s` in all: a socket's own limit holds for each of its steps, however many there are."""
    outcome: list[_NotTold | None] = []

    def run() -> None:
        try:
            attempt()
        except _NotTold as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run, name="webhook", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise _NotTold(f"the webhook didn't answer within {timeout_s:g} s")
    failure = outcome[0] if outcome else _NotTold("the webhook can't be used", final=True)
    if failure is not None:
        raise failure


def _post(settings: DeathSettings, body: bytes) -> None:
    """Post without following a redirection: it would take the token elsewhere."""
    split = urlsplit(settings.on_death_url)
    kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json", "User-Agent": "qanat"}
    if settings.on_death_token:
        headers["Authorization"] = f"Bearer {settings.on_death_token}"
    target = f"{split.path or '/'}{'?' if split.query else ''}{split.query}"
    connection = kind(str(split.hostname), split.port, timeout=float(settings.on_death_timeout))
    try:
        connection.request("POST", target, body, headers)
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        # Not its whole text: that of a certificate names the host, that of a header its value.
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        reason = reason or type(error).__name__
        raise _NotTold(f"the webhook can't be reached: {reason}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise _NotTold(f"the webhook answered {status}", final=status in _FINAL)
