"""Announcing a file to a run."""

import socket
from pathlib import Path

from qanat.clock import Clock
from qanat.errors import ConfigError, QanatError
from qanat.runtime.announce_address import check_system
from qanat.runtime.announce_words import Answer, request_line
from qanat.runtime.owner_address import SOCKET_PATH_BYTES_MAX

# An answer is one object with a name, a time and a sentence.
ANSWER_BYTES_MAX = 64 << 10


class NobodyListens(QanatError):
    """No run listens at this socket."""


class NoAnswer(QanatError):
    """The answer didn't come: the file may be registered, or not. Announcing it again is safe."""


def announce(socket_path: Path, file: Path, clock: Clock, wait_s: float) -> Answer:
    """Announce one file and return the answer.

    Args:
        socket_path: What the run was started with.
        file: It is sent as an absolute path.
        clock: Measures the wait.
        wait_s: How long the answer is waited for: a registration waits for the commit that is going on.

    Raises:
        NobodyListens: No run listens there, or this user may not announce.
        NoAnswer: The run ended, or took too long.
        ConfigError: There is no such socket on this system.
    """
    check_system(socket_path)
    deadline_s = clock.monotonic() + wait_s
    with _connected(socket_path, wait_s) as connection:
        try:
            connection.sendall(request_line(file.absolute()))
            line = _line(connection, clock, deadline_s)
            return Answer.of_line(line)
        except (OSError, ValueError) as error:
            raise NoAnswer(
                f"no answer about {file}: it may be registered, or not ({error}).",
                hint="Announce it again: that is safe, and tells what has become of it.",
            ) from error


def _connected(path: Path, wait_s: float) -> socket.socket:
    if len(str(path).encode(errors="surrogateescape")) > SOCKET_PATH_BYTES_MAX:
        raise ConfigError("--announce", str(path), f"at most {SOCKET_PATH_BYTES_MAX} bytes long")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(wait_s)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise NobodyListens(
            f"nobody can be reached at {path}: {error.strerror or error}.",
            hint=f"Is `qanat run … --announce {path}` running, and may this user announce there? "
            "Without it the file is found by a look into the folder.",
        ) from error
    return connection


def _line(connection: socket.socket, clock: Clock, deadline_s: float) -> bytes:
    received = bytearray()
    while b"\n" not in received:
        left_s = deadline_s - clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("it took too long")
        connection.settimeout(left_s)
        piece = connection.recv(4096)
        if not piece or len(received) > ANSWER_BYTES_MAX:
            raise ConnectionResetError("the run hung up")
        received += piece
    return bytes(received)
