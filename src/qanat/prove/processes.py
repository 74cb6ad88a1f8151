"""Runs as real processes: started, watched through what they log, killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qanat.errors import QanatError
from qanat.failpoints import VARIABLE

# How often a child's log is looked at; a kill lands that much later than planned at most.
POLL_S = 0.01
# A run over a few megabytes takes seconds; one that takes longer than this hangs.
RUN_S_MAX = 120.0
# The end of what a child said is what tells why it failed.
SAID_BYTES_MAX = 2_000


class Interrupted(QanatError):
    """The proof was stopped."""


class Hung(QanatError):
    """A run didn't end, or didn't get anywhere."""


class Child:
    """One run. One thread uses it."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", log: Path, stopping: threading.Event
    ) -> None:
        self.process = process
        self.started_s = time.monotonic()
        self.events: list[dict[str, object]] = []
        self._log = log
        self._stopping = stopping
        self._offset = 0

    def wait(self, limit_s: float = RUN_S_MAX) -> int:
        """Wait for its end; return the exit code (negative: the signal).

        Raises:
            Hung: It took longer than `limit_s`; it was killed.
            Interrupted: The proof was stopped.
        """
        deadline_s = time.monotonic() + limit_s
        while self.process.poll() is None:
            self._may_go_on(deadline_s, "didn't end")
            time.sleep(POLL_S)
        self.look()
        return int(self.process.returncode)

    def wait_for(self, names: Iterable[str], count: int = 1, limit_s: float = RUN_S_MAX) -> bool:
        """Wait until it has logged `count` events out of `names`; False when it ended before.

        Raises:
            Hung: It took longer than `limit_s`; it was killed.
            Interrupted: The proof was stopped.
        """
        wanted = frozenset(names)
        deadline_s = time.monotonic() + limit_s
        while self.seen(wanted) < count:
            ended = self.process.poll() is not None
            self.look()
            if ended:
                return self.seen(wanted) >= count
            self._may_go_on(deadline_s, f"didn't log {' or '.join(sorted(wanted))}")
            time.sleep(POLL_S)
        return True

    def seen(self, names: Iterable[str]) -> int:
        """Return how many events out of `names` it has logged up to the last look."""
        wanted = frozenset(names)
        return sum(1 for event in self.events if event.get("event") in wanted)

    def wait_for_more(self, names: Iterable[str], limit_s: float = RUN_S_MAX) -> bool:
        """Like `wait_for`, for one more event than it has logged by now."""
        self.look()
        return self.wait_for(names, self.seen(names) + 1, limit_s)

    def pause(self, seconds: float) -> bool:
        """Let it run for `seconds`; False when it ended before."""
        deadline_s = time.monotonic() + seconds
        while (left_s := deadline_s - time.monotonic()) > 0:
            if self.process.poll() is not None:
                return False
            if self._stopping.wait(min(left_s, POLL_S)):
                raise Interrupted
        return self.process.poll() is None

    def wait_until_quiet(self, seconds: float, limit_s: float = RUN_S_MAX) -> None:
        """Wait until it has logged nothing for `seconds`, or has ended.

        Raises:
            Hung: It took longer than `limit_s`; it was killed.
            Interrupted: The proof was stopped.
        """
        deadline_s = time.monotonic() + limit_s
        seen = -1
        while seen != len(self.events):
            seen = len(self.events)
            self._may_go_on(deadline_s, "didn't come to rest")
            if not self.pause(seconds):
                return
            self.look()

    def stop(self) -> int:
        """Ask it to end, and wait for that; return the exit code."""
        self.process.terminate()
        return self.wait()

    def look(self) -> None:
        """Read what it has logged since the last look."""
        with self._log.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        complete = text.rfind(b"\n") + 1
        self._offset += complete
        for line in text[:complete].splitlines():
            if line.startswith(b"{"):
                event = json.loads(line)
                self.events.append({**event, "seen_s": time.monotonic()})

    def kill(self) -> None:
        """End it without a warning, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        self.look()

    def text(self) -> str:
        """Return everything that it wrote."""
        return self._log.read_text("utf-8", "replace")

    def said(self) -> str:
        """Return the end of what it wrote beside its events."""
        lines = self._log.read_bytes().splitlines()
        plain = [line for line in lines if not line.startswith(b"{")]
        return b"\n".join(plain)[-SAID_BYTES_MAX:].decode("utf-8", "replace").strip()

    def _may_go_on(self, deadline_s: float, what: str) -> None:
        if self._stopping.is_set():
            raise Interrupted
        if time.monotonic() > deadline_s:
            self.kill()
            raise Hung(
                f"a run {what} within {time.monotonic() - self.started_s:.0f} s: {self.said()}"
            )


class Children:
    """Starts runs, and ends those that are left. Any thread may use it.

    Args:
        launcher: The command that `qanat`'s arguments follow.
    """

    def __init__(self, launcher: Sequence[str] = ()) -> None:
        self._launcher = tuple(launcher) or (sys.executable, "-m", "qanat")
        self._environment = _clean_environment()
        self._living: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def start(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str], failpoints: str
    ) -> Child:
        """Start a run in the folder of `log`, to which it writes everything.

        Raises:
            Interrupted: The proof was stopped.
        """
        settings = {"QANAT_LOG_FORMAT": "json", "QANAT_LOG_LEVEL": "info", VARIABLE: failpoints}
        with self._lock, log.open("wb") as file:
            if self.stopping.is_set():
                raise Interrupted
            process = subprocess.Popen(
                [*self._launcher, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=log.parent,
                env={**self._environment, **settings, **environment},
                # Ctrl-C is for us alone: it ends the children in an order that leaves nothing behind.
                start_new_session=os.name == "posix",
            )
            self._living = {child for child in self._living if child.poll() is None} | {process}
        return Child(process, log, self.stopping)

    def end_all(self) -> None:
        """Kill what still runs, and start nothing more."""
        with self._lock:
            self.stopping.set()
            for process in self._living:
                process.kill()
                process.wait()


def was_killed(exit_code: int) -> bool:
    """Tell whether a process ended by the kill of a failpoint or of `Child.kill`."""
    if sys.platform == "win32":  # TerminateProcess, with the code that we gave it
        return exit_code in {1, signal.SIGTERM}
    return exit_code == -signal.SIGKILL


def _clean_environment() -> dict[str, str]:
    """The environment without settings of Qanat's, and with paths that hold in any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QANAT_")}
    if kept.get("PYTHONPATH"):
        parts = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(part).resolve()) for part in parts if part)
    return kept
