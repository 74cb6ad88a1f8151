"""What this process holds: partitions, and the mark by which others see that it lives.

Both are advisory locks of one connection that does nothing else. The server gives them back as soon as it sees the
connection end, and it sees a killed process's at once.
"""

import secrets
import threading
from collections.abc import Mapping, Sequence

from qanat.errors import Retryable
from qanat.records import Partition, Progress
from qanat.stores import postgres_workers
from qanat.stores.postgres_connect import Connection, translated
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_pool import Endpoint


class Claims:
    """The claims of one store handle. Any thread may use it."""

    def __init__(self, endpoint: Endpoint, locks: LockNames) -> None:
        self._endpoint = endpoint
        self._locks = locks
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._owners: dict[tuple[str, Partition], str] = {}
        self._life = 0

    def life(self) -> int:
        """Return the advisory lock that is held as long as this handle lives; a new one after the connection was lost."""
        with self._lock:
            self._ready()
            return self._life

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        """Claim what is free; return the progress of those that are `owner`'s now."""
        with self._lock:
            connection = self._ready()
            with translated(connection):
                ours = [name for name in partitions if self._take(connection, stage, name, owner)]
                return _progress(connection, stage, ours)

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        """Give back what is `owner`'s."""
        with self._lock:
            for name in partitions:
                if self._owners.get((stage, name)) != owner:
                    continue
                del self._owners[stage, name]
                if self._connection is not None and not self._connection.closed:
                    number = self._locks.partition(stage, name)
                    with translated(self._connection):
                        self._connection.execute("select pg_advisory_unlock(%s)", [number])

    def close(self) -> None:
        """Give everything back."""
        with self._lock:
            self._owners.clear()
            if self._connection is None or self._connection.closed:
                return
            try:
                # The server sees the end of a connection a moment later, and somebody may ask before.
                with translated(self._connection):
                    self._connection.execute("select pg_advisory_unlock_all()")
            except Retryable:
                pass  # lost just now, and the locks with it
            self._connection.close()

    def _take(self, connection: Connection, stage: str, name: Partition, owner: str) -> bool:
        # The server would give the lock to this connection twice, so owners in this process are told apart here.
        holder = self._owners.get((stage, name))
        if holder is not None:
            return holder == owner
        number = self._locks.partition(stage, name)
        found = connection.execute("select pg_try_advisory_lock(%s)", [number]).fetchone()
        if found is None or not found[0]:
            return False
        self._owners[stage, name] = owner
        return True

    def _ready(self) -> Connection:
        """The connection, alive. When it had been lost, so were all claims: somebody else may have them by now."""
        if self._connection is not None:
            try:
                with translated(self._connection):
                    self._connection.execute("select 1")
                return self._connection
            except Retryable:
                self._connection.close()
        self._owners.clear()
        self._connection = connection = self._endpoint.connect()
        self._life = secrets.randbits(63)
        with translated(connection):
            connection.execute("select pg_advisory_lock(%s)", [self._life])
            postgres_workers.announce(connection, self._locks)
        return connection


def _progress(
    connection: Connection, stage: str, partitions: Sequence[Partition]
) -> dict[Partition, Progress]:
    found = connection.execute(
        "select partition, position, version, incarnation from qanat_progress"
        " where stage = %s and partition = any(%s)",
        [stage, list(partitions)],
    ).fetchall()
    stored = {name: Progress(*rest) for name, *rest in found}
    return {name: stored.get(name, Progress(None, 0, None)) for name in partitions}
