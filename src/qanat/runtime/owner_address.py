"""Where the process that holds a store can be reached: the file that says so, and the socket.

The file lies where the database does, `NAME.owner.json`, readable by its user alone. On POSIX the
socket is a UNIX one beside it; on Windows it is TCP on loopback. The file holds a random token too,
which every request has to show.
"""

import contextlib
import json
import os
import secrets
import socket
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

# macOS allows 104 bytes for the path of a UNIX socket, Linux 108, both with a final zero.
SOCKET_PATH_BYTES_MAX = 100
# Clients that wait for one of the owner's threads.
BACKLOG = 128
PROTOCOL = 1

_FOLDER_PREFIX = "qanat-"


class Transport(StrEnum):
    """How the socket is made."""

    UNIX = "unix"
    TCP = "tcp"  # on loopback


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """Who holds a store, as its file says. Not believed before it has answered.

    Attributes:
        instance: Random; the owner's greeting repeats it.
        address: The socket's path, or `127.0.0.1:PORT`.
        token: What a request has to show.
        started_at: ISO 8601, UTC.
    """

    pipeline: str
    pid: int
    host: str
    started_at: str
    instance: str
    transport: Transport
    address: str
    token: str
    protocol: int = PROTOCOL


@dataclass(slots=True)
class Listening:
    """A socket that listens, and what goes with it when it is closed."""

    listener: socket.socket
    transport: Transport
    address: str
    folder: Path | None = None

    def close(self) -> None:
        """Close the socket and remove its traces; twice is harmless."""
        self.listener.close()
        if self.transport is Transport.UNIX:
            Path(self.address).unlink(missing_ok=True)
        if self.folder is not None and self.folder.exists():
            self.folder.rmdir()


def owner_file(data_dir: Path, pipeline: str, store_url: str) -> Path:
    """Name the owner's file of a pipeline's store.

    Beside the database: whoever names the same database finds the same owner, and two stores of one
    folder never meet.
    """
    scheme, _, file = store_url.partition(":")
    if scheme == "duckdb" and file:
        database = Path(file).expanduser().absolute()
        return database.with_name(f"{database.name}.owner.json")
    return data_dir / f"{pipeline}.owner.json"


def usual_transport() -> Transport:
    """Return what this system offers. Python has no UNIX sockets on Windows."""
    return Transport.UNIX if os.name == "posix" else Transport.TCP


def listen(place: Path, transport: Transport) -> Listening:
    """Listen for the owner whose file is `place`.

    A path that is too long for a socket, or a file system that has none (some network mounts), is
    evaded into a private temporary folder.
    """
    if transport is Transport.TCP:
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        return Listening(listener, transport, f"127.0.0.1:{listener.getsockname()[1]}")
    beside = place.absolute().with_suffix(".sock")
    if len(os.fsencode(beside)) <= SOCKET_PATH_BYTES_MAX:
        with contextlib.suppress(OSError):
            return _listen_unix(beside, None)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    return _listen_unix(folder / "owner.sock", folder)


def connect(record: OwnerRecord, timeout_s: float) -> socket.socket:
    """Connect to an owner; OSError when nobody is there."""
    if record.transport is Transport.TCP:
        host, _, port = record.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(record.address)
    except OSError:
        connection.close()
        raise
    return connection


def write_record(place: Path, record: OwnerRecord) -> None:
    """Write the owner's file, at once and for its user's eyes alone."""
    draft = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
    draft.replace(place)


def read_record(place: Path) -> OwnerRecord | None:
    """Read the owner's file; None when there is none, or none that this user and this version can
    read.
    """
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
        record = OwnerRecord(**{**values, "transport": Transport(values["transport"])})
    except (OSError, ValueError, KeyError, TypeError):
        # Who can't reach the owner goes on to the database itself, whose lock then says that
        # somebody holds it.
        return None
    return record if record.protocol == PROTOCOL else None


def remove_record(place: Path, instance: str) -> None:
    """Remove the owner's file, unless it is another owner's by now."""
    record = read_record(place)
    if record is not None and record.instance == instance:
        place.unlink(missing_ok=True)


def remove_leftovers(record: OwnerRecord) -> None:
    """Remove the temporary folder of an owner that was killed. What it left beside the database is
    replaced anyway.
    """
    folder = Path(record.address).parent
    ours = folder.name.startswith(_FOLDER_PREFIX) and folder.parent == Path(tempfile.gettempdir())
    if record.transport is Transport.UNIX and record.host == socket.gethostname() and ours:
        Path(record.address).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _listen_unix(path: Path, folder: Path | None) -> Listening:
    # A socket that a killed owner left: whoever holds the store's lock, as we do, may take its
    # place.
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        # Before listen(): nobody could connect yet, whatever the umask was.
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return Listening(listener, Transport.UNIX, str(path), folder)
