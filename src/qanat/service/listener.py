"""The other side of `notify.py`: hears what a run says of itself."""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from qanat.service.notify import (
    INTERVAL_VARIABLE,
    PROCESS_VARIABLE,
    SOCKET_VARIABLE,
    START_TIMEOUT_S,
)
from qanat.telemetry import log

# More than any message of ours.
MESSAGE_BYTES_MAX = 4096


class Listener:
    """A socket in a folder of this user's own, for one run at a time. Where there are no such sockets it hears nothing.

    Attributes:
        ready: The run said that it is at work.
        stopping: It said that it ends.
    """

    def __init__(self, watchdog_s: float) -> None:
        self.ready = False
        self.stopping = False
        self._watchdog_s = watchdog_s
        self._heard_s = time.monotonic()
        self._socket: socket.socket | None = None
        self._folder: Path | None = None
        if sys.platform != "win32":
            self._folder = Path(tempfile.mkdtemp(prefix="qanat-notify-"))
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(str(self._folder / "socket"))

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a run that talks to this socket."""
        ours = {SOCKET_VARIABLE, INTERVAL_VARIABLE, PROCESS_VARIABLE}
        environment = {name: value for name, value in base.items() if name not in ours}
        if self._folder is not None:
            environment[SOCKET_VARIABLE] = os.fspath(self._folder / "socket")
            environment[INTERVAL_VARIABLE] = str(int(self._watchdog_s * 1e6))
        return environment

    def forget(self) -> None:
        """A run begins: what the one before it said doesn't count."""
        self.hear(0.0)
        self.ready = self.stopping = False
        self._heard_s = time.monotonic()

    def hear(self, timeout_s: float) -> None:
        """Take in what was said, waiting up to `timeout_s` for the first message."""
        if self._socket is None:
            time.sleep(timeout_s)
            return
        self._socket.settimeout(timeout_s)
        try:
            while True:
                self._take(self._socket.recv(MESSAGE_BYTES_MAX))
                self._socket.settimeout(0.0)
        except (TimeoutError, BlockingIOError):
            return

    def hung(self) -> bool:
        """Tell whether a run that is at work gave no sign of life for the watchdog's time, or never came to work."""
        if not self._watchdog_s or self.stopping or self._socket is None:
            return False
        limit_s = self._watchdog_s if self.ready else START_TIMEOUT_S
        return time.monotonic() - self._heard_s > limit_s

    def close(self) -> None:
        """Remove the socket."""
        if self._socket is not None and self._folder is not None:
            self._socket.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, message: bytes) -> None:
        for line in message.splitlines():
            if line == b"READY=1" and not self.ready:
                self.ready = True
                log("supervise.ready")
            self.stopping |= line == b"STOPPING=1"
            if line in {b"READY=1", b"WATCHDOG=1"}:
                self._heard_s = time.monotonic()
