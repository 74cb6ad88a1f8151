"""Connections to one log file: each is used by one thread at a time, and kept for the next one."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from qanat.errors import Fatal, Retryable
from qanat.logs import sqlite_schema
from qanat.logs.sqlite_errors import translated
from qanat.logs.sqlite_process import Shared

# How long a writer waits for those of other threads, then for those of other processes, before it gives its batch back to the
# runtime: longer than any commit takes, shorter than anybody waits for a sign of life.
TURN_S_MAX: Final = 10.0
BUSY_S_MAX: Final = 10.0
# Beyond so many idle connections the next one is closed: hardly ever do more threads ask at the same moment.
IDLE_MAX: Final = 8

_Identity = tuple[int, int]


class LogFile:
    """One file. Any thread may use it.

    A file that was replaced under its name is noticed: what is asked next is asked of the new one.
    """

    def __init__(self, path: Path, shared: Shared, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._shared = shared
        self._guard = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._identity: _Identity | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open one moment of the log. Blocks nobody."""
        with self._connection() as connection:
            connection.execute("begin")
            yield connection
            connection.execute("commit")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that commits in the end, or not at all; waits for its turn.

        Raises:
            Retryable: Others write for too long, or the disk is full.
        """
        with self._turn(), self._connection() as connection:
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")

    @contextmanager
    def maintaining(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for statements that are transactions of their own, in turn with other writers."""
        with self._turn(), self._connection() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; those in use when they are given back."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Queue up with the other threads: SQLite's own waiting is by sleeping, which is neither fair nor quick."""
        if not self._shared.turn.acquire(timeout=TURN_S_MAX):
            raise Retryable(f"{self.path.name} is busy: other threads write to it")
        try:
            yield
        finally:
            self._shared.turn.release()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        identity = self._present()
        connection = self._taken(identity)
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()  # rolls back
            raise translated(error, self.path) from error
        except BaseException:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("rollback")
            self._give_back(connection, identity)
            raise
        self._give_back(connection, identity)

    def _present(self) -> _Identity:
        """Return which file has our name now.

        Raises:
            Fatal: None has.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            hint = "Somebody removed or moved it. Stop, and put it back."
            raise Fatal(f"the log {self.path} is gone: {error.strerror}", hint=hint) from error
        return found.st_dev, found.st_ino

    def _taken(self, identity: _Identity) -> sqlite3.Connection:
        with self._guard:
            if self._closed:
                raise Fatal("the log is closed")
            stale: list[sqlite3.Connection] = []
            if identity != self._identity:
                stale, self._idle, self._identity = self._idle, [], identity
                self._shared.recent.clear()  # another file may have other records at these places
            connection = self._idle.pop() if self._idle else None
        for one in stale:
            one.close()
        return connection or connect(self.path, read_only=self.read_only)

    def _give_back(self, connection: sqlite3.Connection, identity: _Identity) -> None:
        with self._guard:
            if not self._closed and identity == self._identity and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the file; it has to be there.

    Raises:
        ConfigError: It can't be opened.
    """
    mode = "ro" if read_only else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S_MAX,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            sqlite_schema.prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise translated(error, path) from error
    return connection
