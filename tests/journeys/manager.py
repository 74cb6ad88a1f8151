"""A service manager as far as a run can tell: a socket that hears, a watchdog's interval, signals."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

# The slowest step is the compiling of the kernel, once, on a machine that others keep busy.
LIMIT_S = 150.0


class Managed:
    """A process that was started as a service, and what it said."""

    def __init__(self, process: "subprocess.Popen[bytes]", heard: socket.socket, log: Path) -> None:
        self.process = process
        self.messages: list[str] = []
        self._heard = heard
        self._log = log

    def wait_for(self, line: str, count: int = 1) -> list[str]:
        """Wait until it said `count` more lines that begin so; return every line it said up to then, since the last call."""
        deadline_s = time.monotonic() + LIMIT_S
        lines: list[str] = []
        while sum(said.startswith(line) for said in lines) < count:
            assert time.monotonic() < deadline_s, f"no {line}: {lines[-20:]} {self.log()}"
            assert self.process.poll() is None, f"it ended without {line}: {self.log()}"
            try:
                lines += self._heard.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
        self.messages += lines
        return lines

    def rest(self) -> list[str]:
        """Return the lines that it said and nobody waited for."""
        lines: list[str] = []
        self._heard.settimeout(0.05)
        try:
            while True:
                lines += self._heard.recv(4096).decode().splitlines()
        except TimeoutError:
            return lines

    def ask(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; return the exit code."""
        return self.process.wait(LIMIT_S)

    def log(self) -> str:
        """Return everything it wrote."""
        return self._log.read_text("utf-8", "replace")

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until it wrote `text` so many times."""
        deadline_s = time.monotonic() + LIMIT_S
        while self.log().count(text) < count:
            assert time.monotonic() < deadline_s, f"no {text}: {self.log()}"
            time.sleep(0.02)


@contextmanager
def managed(
    arguments: Sequence[str], place: Path, watchdog_s: float = 0.0, **environment: str
) -> Iterator[Managed]:
    """Start `qanat` as a service in the folder `place`; end it at the end, if it still runs."""
    with tempfile.TemporaryDirectory(prefix="qanat-test-") as folder:
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = Path(folder, "notify")
        heard.bind(str(address))
        heard.settimeout(0.1)
        log = place / "log"
        process = _started(arguments, place, log, str(address), watchdog_s, environment)
        try:
            yield Managed(process, heard, log)
        finally:
            if process.poll() is None:
                _end(process)
            process.wait()
            heard.close()


def _started(
    arguments: Sequence[str],
    place: Path,
    log: Path,
    address: str,
    watchdog_s: float,
    environment: dict[str, str],
) -> "subprocess.Popen[bytes]":
    watchdog = {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))} if watchdog_s else {}
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "qanat", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=place,
            env={**os.environ, "NOTIFY_SOCKET": address, **watchdog, **environment},
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it, and the run that it may supervise: that has a session of its own, and would go on."""
    parent = psutil.Process(process.pid)
    for each in [*parent.children(recursive=True), parent]:
        each.kill()


def put(folder: Path, name: str, content: bytes) -> None:
    """Hand a file over."""
    (folder / f".{name}").write_bytes(content)
    (folder / f".{name}").rename(folder / name)
