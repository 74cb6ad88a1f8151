"""What became of a COMMIT whose reply was lost."""

import threading
import time
from uuid import UUID

from qanat.errors import Retryable
from qanat.stores.postgres_connect import Connection, translated
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_pool import Endpoint

# A transaction that is still being committed needs moments. One whose COMMIT never arrived would sit there until the server finds
# out that its client is gone; after this time the server is told.
_PATIENCE_S = 2.0
_WAIT_S_MAX = 60.0


class Outcomes:
    """Answers for one store handle."""

    def __init__(self, endpoint: Endpoint, locks: LockNames) -> None:
        self._endpoint = endpoint
        self._locks = locks
        self._lost: set[UUID] = set()
        self._lock = threading.Lock()

    def lost(self, commit_id: UUID) -> None:
        """Note that the reply to this COMMIT was lost: nobody will go on with its transaction."""
        with self._lock:
            self._lost.add(commit_id)

    def committed(self, stage: str, commit_id: UUID) -> bool:
        """Tell whether the transaction committed; waits until it is decided.

        Raises:
            Retryable: It isn't decided yet, or the server can't be asked.
        """
        number = self._locks.commit(commit_id)
        deadline = time.monotonic() + _WAIT_S_MAX
        connection = self._endpoint.connect()
        try:
            with translated(connection):
                # The transaction holds this lock from its first statement to its end, and gives it back after it has become
                # visible: who has the lock sees what was decided.
                while not _locked(connection, number):
                    if time.monotonic() > deadline:
                        raise Retryable(f"commit {commit_id} isn't decided yet.", after_s=1.0)
                    if commit_id in self._lost:
                        _end_holder(connection, number)
                found = connection.execute(
                    "select from qanat_commits where commit_id = %s and stage = %s",
                    [commit_id, stage],
                ).fetchall()
        finally:
            connection.close()
        with self._lock:
            self._lost.discard(commit_id)
        return bool(found)


def _locked(connection: Connection, number: int) -> bool:
    """Wait a moment for the lock; tell whether we had it."""
    import psycopg

    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{int(_PATIENCE_S * 1000)}ms'".encode())
            connection.execute("select pg_advisory_xact_lock(%s)", [number])
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _end_holder(connection: Connection, number: int) -> None:
    """End the connection that holds the lock: its client is gone. If it is in the midst of its COMMIT, that is completed."""
    connection.execute(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1"
        " and granted and (classid::bigint << 32) | objid::bigint = %s"
        " and database = (select oid from pg_database where datname = current_database())",
        [number],
    )
