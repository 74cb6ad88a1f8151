"""Who works on a pipeline's tables: each process says so with the connection that holds its claims.

A lock that they all share tells which connections those are, and the server takes it back with the connection. The name of
the connection tells the process: the server knows a number of its own, and at most an address.
"""

import os
import socket
from datetime import datetime

from qanat.records import Worker
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_locks import LockNames

_NAME_BYTES_MAX = 63  # the server cuts off what is longer
_HOST_BYTES_MAX = 40


def announce(connection: Connection, locks: LockNames) -> None:
    """Show, until the connection ends or gives up its locks, that this process works here."""
    process = f"{os.getpid()}@{socket.gethostname()[:_HOST_BYTES_MAX]}"
    connection.execute(
        "select set_config('application_name',"
        " concat_ws(' ', nullif(left(current_setting('application_name'), %s), ''), cast(%s as text)), false),"
        " pg_advisory_lock_shared(%s)",
        [_NAME_BYTES_MAX - len(process) - 1, process, locks.working()],
    )


def find(connection: Connection, locks: LockNames) -> list[Worker]:
    """Return those who work here, the oldest first."""
    found = connection.execute(
        # A row is a connection that holds the lock.
        "select a.application_name, a.backend_start from pg_locks l join pg_stat_activity a using (pid)"
        " where l.locktype = 'advisory' and l.objsubid = 1 and l.granted"
        " and (l.classid::bigint << 32) | l.objid::bigint = %s"
        " and l.database = (select oid from pg_database where datname = current_database())"
        " order by a.backend_start, l.pid",
        [locks.working()],
    ).fetchall()
    return [_worker(name, since) for name, since in found]


def _worker(name: str, since: datetime | None) -> Worker:
    """Read the name that `announce` gave. When another user's process connected the server doesn't tell everybody."""
    pid, _, host = name.rpartition(" ")[2].partition("@")
    return Worker(host, int(pid), since)
