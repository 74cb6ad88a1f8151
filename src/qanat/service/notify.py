"""The datagrams by which a service tells its manager how it is: `READY=1`, `STATUS=…`, `WATCHDOG=1` and their like.

The protocol is that of sd_notify(3): a datagram of `NAME=value` lines to the UNIX socket that `NOTIFY_SOCKET` names. systemd
speaks it, podman and others do, and so does `qanat supervise`.
"""

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import MutableMapping

from qanat.telemetry import log

SOCKET_VARIABLE = "NOTIFY_SOCKET"
INTERVAL_VARIABLE = "WATCHDOG_USEC"
PROCESS_VARIABLE = "WATCHDOG_PID"

# A manager that doesn't read its socket must not hold up the work; what it missed the next message tells again.
SEND_TIMEOUT_S = 1.0
# How long a run may take until it is at work: a large database may have to be recovered or brought up to date first.
START_TIMEOUT_S = 600.0
# How long a step may take without any sign of life. The longest ones are merges of millions of sums on a busy server.
WATCHDOG_S = 600.0
# The longest status is a line for people.
STATUS_LENGTH_MAX = 200


class Notifier:
    """Tells the service manager. Any thread may use it; without a manager it says nothing.

    Attributes:
        watchdog_s: How often a sign of life is expected; 0 for never.
    """

    def __init__(self, address: str, watchdog_s: float) -> None:
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        if address and sys.platform != "win32":
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(SEND_TIMEOUT_S)

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """Make the one that the environment asks for, and take the variables out: what we start has nothing to tell.

        `WATCHDOG_PID` says for whom the interval is meant; a process that another one started inherits the variables.
        """
        meant = environment.pop(PROCESS_VARIABLE, "")
        interval = environment.pop(INTERVAL_VARIABLE, "")
        ours = not meant or meant == str(os.getpid())
        watchdog_s = int(interval) / 1e6 if ours and interval.isdecimal() else 0.0
        return cls(environment.pop(SOCKET_VARIABLE, ""), watchdog_s)

    @property
    def listening(self) -> bool:
        """Whether there is a manager."""
        return self._socket is not None

    def ready(self) -> None:
        """The service does its work from now on; also after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The settings are read again; `ready` ends it."""
        self._send(
            "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self) -> None:
        """The service ends in order."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """What it does now, in a line."""
        self._send(f"STATUS={text.translate({10: ' ', 13: ' '})[:STATUS_LENGTH_MAX]}")

    def alive(self) -> None:
        """A sign of life."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Say nothing more; twice is harmless."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _send(self, *lines: str) -> None:
        with self._lock:
            if self._socket is None:
                return
            try:
                self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
            except OSError as error:
                # The manager is gone, or busy. It decides what to make of our silence; the work goes on.
                log("service.unheard", level=logging.WARNING, reason=error.strerror or str(error))
