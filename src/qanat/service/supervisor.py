"""A parent that watches a run: tells of its death, whatever killed it, and starts it again."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Annotated

import msgspec

from qanat.clock import Clock
from qanat.service.death import Death, memory_kills, told_by_parent
from qanat.service.listener import Listener
from qanat.service.notify import WATCHDOG_S
from qanat.service.service import has_terminal
from qanat.service.signals import handled
from qanat.service.stopping import SIGNALLED
from qanat.service.tell import DeathSettings, tell
from qanat.settings import Duration
from qanat.telemetry import log

# How often it is looked whether the run still lives.
LOOK_EVERY_S = 0.2
# What a run has beyond its own time to stop, and after SIGABRT to write down where it hung, before it is killed.
GRACE_S = 15.0
# The delay before a restart doubles up to this; a run that lived longer than it begins again with the first delay.
RESTART_DELAY_MAX_S = 300.0
# Wrong use: the same command would end the same way.
_USELESS = 2

_SECRETS = frozenset({"QANAT_ON_DEATH", "QANAT_ON_DEATH_URL", "QANAT_ON_DEATH_TOKEN"})


class SuperviseSettings(DeathSettings, frozen=True, kw_only=True):
    """Every setting of a supervisor."""

    restart: Annotated[
        bool, msgspec.Meta(description="Start a run that died again; never one with --once.")
    ] = True
    restart_after: Annotated[
        Duration,
        msgspec.Meta(description="How long to wait before; doubled with each death, up to 5 min."),
    ] = Duration(5.0)
    watchdog: Annotated[
        Duration,
        msgspec.Meta(
            description="End a run that got nowhere for so long; 0 for never. Not on Windows."
        ),
    ] = Duration(WATCHDOG_S)


@dataclass(slots=True)
class Supervisor:
    """Watches one run after the other.

    Attributes:
        command: What is started.
        stop_timeout_s: How long the run may take for its own orderly stop.
        once: It ends by itself, and isn't started again.
    """

    name: str
    command: Sequence[str]
    settings: SuperviseSettings
    clock: Clock
    stop_timeout_s: float
    once: bool
    environment: Mapping[str, str]
    _asked: threading.Event = field(default_factory=threading.Event)
    # To be handed on to the run, each once: two requests to stop end it at once.
    _signals: "SimpleQueue[int]" = field(default_factory=SimpleQueue)
    _asked_at_s: float = 0.0

    def run(self) -> int:
        """Start, watch and start again, until it ends in order or is asked to stop; return the exit code."""
        asked = self._asked
        delay_s = float(self.settings.restart_after)
        with (
            closing(Listener(float(self.settings.watchdog))) as listener,
            handled(self._handlers()),
        ):
            while True:
                began_s = self.clock.monotonic()
                code, death = self._one(listener, asked)
                if death is not None:
                    log("supervise.ended", level=logging.ERROR, reason=death.text)
                    tell(death, self.settings, self.clock.now())
                if death is None or not self._again(code) or asked.is_set():
                    return code if code >= 0 else SIGNALLED - code
                if self.clock.monotonic() - began_s > RESTART_DELAY_MAX_S:
                    delay_s = float(self.settings.restart_after)
                if asked.wait(delay_s):
                    return 0
                delay_s = min(2 * delay_s, RESTART_DELAY_MAX_S)

    def _again(self, code: int) -> bool:
        return self.settings.restart and not self.once and code != _USELESS

    def _one(self, listener: Listener, asked: threading.Event) -> tuple[int, Death | None]:
        """Carry out one run; return its exit code, and how it died if it did."""
        listener.forget()
        kills = memory_kills()
        environment = listener.environment(self.environment)
        process = subprocess.Popen(
            self.command,
            env={name: value for name, value in environment.items() if name not in _SECRETS},
            # Ctrl-C is for us, and we hand it on: else it would count as two, which ends a run at once.
            start_new_session=sys.platform != "win32",
        )
        log("supervise.started", process=process.pid)
        hung = False
        while process.poll() is None:
            listener.hear(LOOK_EVERY_S)
            while not self._signals.empty():
                process.send_signal(self._signals.get())
            if listener.hung() and not hung:
                hung = True
                log("supervise.hung", level=logging.ERROR, process=process.pid)
                self._abort(process)
            if (
                asked.is_set()
                and time.monotonic() - self._asked_at_s > self.stop_timeout_s + GRACE_S
            ):
                process.kill()
        code = int(process.returncode)
        if asked.is_set():
            return code, None
        out_of_memory = memory_kills() > kills
        return code, told_by_parent(self.name, code, hung=hung, out_of_memory=out_of_memory)

    def _abort(self, process: "subprocess.Popen[bytes]") -> None:
        """End a run that hangs: with SIGABRT, at which it logs where each thread is."""
        process.send_signal(signal.SIGABRT)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()

    def _handlers(self) -> dict[int, Callable[[], None]]:
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: lambda: self._stop(signal.SIGINT),
            signal.SIGTERM: lambda: self._stop(signal.SIGTERM),
        }
        if sys.platform != "win32":
            handlers[signal.SIGHUP] = self._hung_up
        return handlers

    def _hung_up(self) -> None:
        if has_terminal():
            self._stop(signal.SIGTERM)
        else:
            self._signals.put(signal.SIGHUP)

    def _stop(self, number: int) -> None:
        if not self._asked.is_set():
            self._asked_at_s = time.monotonic()
            self._asked.set()
        # On Windows Ctrl-C reaches the run by itself.
        if sys.platform != "win32" or number != signal.SIGINT:
            self._signals.put(number)


def environment() -> dict[str, str]:
    """Return the environment of this process, for its runs."""
    return dict(os.environ)
