"""A place whose files can be announced over a real socket, for the tests beside this file."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qanat.clock import SystemClock
from qanat.runtime.announce import Announcements
from qanat.runtime.announce_address import AnnounceAddress
from qanat.runtime.announce_server import AnnounceLimits, AnnounceServer
from qanat.runtime.commit import Committer
from qanat.runtime.discover import Registrar
from qanat.telemetry import Telemetry
from tests.unit.runtime.plain_files import Place

ANSWERED_S_MAX = 60.0


def announcements(place: Place) -> Announcements:
    committer = Committer(place.store, "words", "count", SystemClock(), Telemetry())
    return Announcements(place.folder, Registrar(place.folder, committer))


@contextmanager
def listening(
    place: Place, path: Path, limits: AnnounceLimits | None = None
) -> Iterator[Announcements]:
    answering = announcements(place)
    with AnnounceServer(AnnounceAddress(path), answering, SystemClock(), limits):
        yield answering


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWERED_S_MAX)
    connection.connect(str(path))
    return connection


def said(connection: socket.socket) -> dict[str, Any]:
    """Read everything up to the end; it has to be one line."""
    received = b""
    while piece := connection.recv(4096):
        received += piece
    assert received.endswith(b"\n")
    answer: dict[str, Any] = json.loads(received)
    return answer


def ask(path: Path, line: bytes) -> dict[str, Any]:
    """Send bytes, and nothing more; return the answer."""
    with connected(path) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        return said(connection)


def registered(place: Place) -> list[object]:
    return [row[0] for row in place.query("select name from files order by id")]
