"""What a process shares about one log file: the turn to write, and the bell that wakes readers.

Within the process the bell is a condition. Between processes it is a named pipe per process that reads, in the folder beside
the log: who commits writes a byte into each. A pipe whose reader died says so to the next who rings.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from qanat.bell import Bell
from qanat.logs.sqlite_recent import Recent

# A process that is killed between its commit and ringing wakes nobody; after this long readers look by themselves.
RECHECK_S: Final = 2.0
# Where there are no named pipes (Windows, some mounted folders), the publications of other processes are looked for this often.
RECHECK_DEAF_S: Final = 0.05

_BELL: Final = ".bell"
_PIPE_BYTES: Final = 4096


class Shared:
    """The handles of one process on one file have one of these; see `joined`.

    Attributes:
        folder: Beside the log; holds the bells of processes, and locks.
        turn: Held by the thread that writes.
        recent: What was published in this process a moment ago.
    """

    def __init__(self, path: Path) -> None:
        self.folder = folder_of(path)
        self.turn = threading.Lock()
        self.bell = Bell()
        self.recent = Recent()
        self.handles = 0
        self._key = path
        self._guard = threading.Lock()
        self._pipe: _Pipe | None = None
        self._deaf = False

    @property
    def recheck_s(self) -> float:
        """How long to trust in the bell."""
        return RECHECK_DEAF_S if self._deaf or self._pipe is None else RECHECK_S

    def listen(self) -> None:
        """Hear other processes from now on, where that can be."""
        with self._guard:
            if self._pipe is None and not self._deaf:
                try:
                    self._pipe = _Pipe(self.folder, self.bell)
                except (OSError, AttributeError, NotImplementedError):
                    self._deaf = True

    def ring(self) -> None:
        """Wake the readers of every process."""
        self.bell.ring()
        own = self._pipe.path.name if self._pipe else ""
        for path in _bells(self.folder):
            if path.name != own:
                _ring_at(path)

    def leave(self) -> None:
        """Say that a handle is closed; the last one stops listening."""
        with _registry_lock:
            self.handles -= 1
            if self.handles:
                return
            _registry.pop(self._key, None)
        self.recent.clear()
        with self._guard:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None
                self._deaf = True


class _Pipe:
    """A named pipe and the thread that reads it."""

    def __init__(self, folder: Path, bell: Bell) -> None:
        self.path = folder / f"{os.getpid()}-{uuid4().hex[:12]}{_BELL}"
        self._bell = bell
        self._closing = False
        # It gets its name when somebody listens: before that, others would take it for a dead one's.
        unnamed = self.path.with_suffix(".new")
        os.mkfifo(unnamed, 0o600)
        self._read = os.open(unnamed, os.O_RDONLY | os.O_NONBLOCK)
        # Our own end for writing keeps the pipe open when others leave it.
        self._write = os.open(unnamed, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(self._read, True)
        unnamed.rename(self.path)
        self._thread = threading.Thread(target=self._listen, name="log bell", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing:
            os.read(self._read, _PIPE_BYTES)
            self._bell.ring()

    def close(self) -> None:
        self._closing = True
        with suppress(OSError):
            self.path.unlink()
        with suppress(BlockingIOError):  # full: it is awake then
            os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)


def _bells(folder: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(_BELL):
                yield folder / entry.name


def _ring_at(path: Path) -> None:
    try:
        pipe = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody listens: its process is dead
            with suppress(OSError):
                path.unlink()
        return
    with suppress(OSError):  # full: it will wake anyway
        os.write(pipe, b"\0")
    os.close(pipe)


_registry: dict[Path, Shared] = {}
_registry_lock = threading.Lock()


def joined(path: Path) -> Shared:
    """Return what this process shares about a file; `leave` it in the end."""
    key = path.resolve()
    with _registry_lock:
        shared = _registry.setdefault(key, Shared(key))
        shared.handles += 1
        return shared


def folder_of(path: Path) -> Path:
    """Return the folder beside a log in which processes meet."""
    return path.with_name(f"{path.name}.d")
