"""Where the database is, and the connections that are kept to it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from qanat.errors import Fatal, Retryable
from qanat.stores.postgres_connect import Connection, connect, translated
from qanat.stores.postgres_local import LocalServer

_IDLE_MAX = 4  # connections kept for the next use; more threads than that write at once on no machine of ours


@dataclass(slots=True)
class Endpoint:
    """A database, perhaps on a server that we run ourselves.

    Attributes:
        url: With the password; never to be shown.
        schema: The pipeline's.
    """

    url: str
    schema: str
    local: LocalServer | None = None

    def connect(self, *, read_only: bool = False) -> Connection:
        """Open a connection; a local server that died is started again first.

        Raises:
            Retryable: The server can't be reached now.
            ConfigError: It doesn't let us in.
        """
        try:
            return connect(self.url, self.schema, read_only=read_only)
        except Retryable:
            if self.local is None:
                raise
        self.url = self.local.revive()
        return connect(self.url, self.schema, read_only=read_only)


class Pool:
    """Idle connections of one kind. Any thread may take one; it has it for itself until it gives it back."""

    def __init__(self, endpoint: Endpoint, *, read_only: bool) -> None:
        self._endpoint = endpoint
        self._read_only = read_only
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def take(self, first: str, parameters: Sequence[object] = ()) -> Connection:
        """Return a connection in which the statement `begin …`, and then `first`, were executed.

        A connection that died while it was idle is replaced: nothing had been asked of it yet.
        """
        import psycopg

        connection = self._pop()
        if connection is not None:
            try:
                return self._started(connection, first, parameters)
            except psycopg.OperationalError:
                connection.close()
                self._forget_idle()
        connection = self._endpoint.connect(read_only=self._read_only)
        with translated(connection):
            return self._started(connection, first, parameters)

    def take_idle(self) -> Connection:
        """Return a connection outside of any transaction."""
        connection = self.take("select 1")
        connection.rollback()
        return connection

    def put_back(self, connection: Connection) -> None:
        """Roll back what wasn't committed, and take the connection back; one that is lost is closed."""
        import psycopg

        if not connection.closed:
            try:
                connection.rollback()
            except psycopg.OperationalError:
                connection.close()  # lost meanwhile: the server rolls back
        with self._lock:
            if not (connection.closed or self._closed) and len(self._idle) < _IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the idle connections; those in use close when they are given back."""
        with self._lock:
            self._closed = True
        self._forget_idle()

    def _started(
        self, connection: Connection, first: str, parameters: Sequence[object]
    ) -> Connection:
        isolation = "repeatable read, read only" if self._read_only else "read committed"
        connection.execute(f"begin isolation level {isolation}".encode())
        connection.execute(first.encode(), parameters)
        return connection

    def _pop(self) -> Connection | None:
        with self._lock:
            if self._closed:
                raise Fatal("the store is closed.")
            return self._idle.pop() if self._idle else None

    def _forget_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
