"""One transaction on PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from qanat.errors import CommitUnknown, Fatal, Fenced, Retryable
from qanat.interfaces import Scalar
from qanat.records import Item, Move, Partition, Progress, Staged
from qanat.stores import postgres_progress, postgres_read, postgres_swap
from qanat.stores.postgres_connect import Connection, meaning, translated
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_merge import merge
from qanat.stores.postgres_pool import Pool
from qanat.stores.postgres_types import quoted
from qanat.stores.postgres_write import Writer
from qanat.tables import Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

# The outcome of a COMMIT is asked for within minutes; at ten commits a second these are 900,000 rows.
_COMMITS_KEPT = "1 day"


class PostgresTransaction:
    """One commit in the making, on a connection that nobody else uses meanwhile."""

    def __init__(
        self, connection: Connection, locks: LockNames, stage: str, commit_id: UUID
    ) -> None:
        self._connection = connection
        self._locks = locks
        self._stage = stage
        self._commit_id = commit_id
        self._writer = Writer(connection, locks)
        self._fenced = False

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        try:
            with self._usable():
                postgres_progress.advance(self._connection, stage, moves)
        except Fenced:
            self._fenced = True
            raise

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        with self._usable():
            return postgres_progress.enter(self._connection, item_ids)

    def withdraw(self, item_ids: Sequence[str]) -> frozenset[str]:
        with self._usable():
            return postgres_progress.withdraw(self._connection, item_ids)

    def write(
        self,
        table: Table,
        rows: "pa.Table",
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> "pa.Table":
        with self._usable():
            return self._writer.write(table, rows, mode, constants or {})

    def merge(
        self,
        table: Table,
        parts: Sequence[Staged],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> int:
        with self._usable():
            return merge(self._connection, self._locks, table, parts, mode, constants or {})

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> "pa.Table":
        with self._usable():
            return postgres_read.query(self._connection, sql, parameters)

    def execute(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> int:
        with self._usable():
            return postgres_read.execute(self._connection, sql, parameters)

    def lock(self, name: str, *, shared: bool = False) -> None:
        wait = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with self._usable():
            self._connection.execute(f"select {wait}(%s)".encode(), [self._locks.named(name)])

    def progress(self, stage: str) -> Mapping[Partition, Progress]:
        with self._usable():
            return postgres_progress.progress(self._connection, stage)

    def drop(self, table: Table) -> None:
        with self._usable():
            self._connection.execute(f"drop table if exists {quoted(table.name)}".encode())

    def swap(self, live: Table, rebuilt: Table) -> None:
        with self._usable():
            postgres_swap.swap(self._connection, live, rebuilt)

    def enqueue(self, queue: str, items: Sequence[Item]) -> None:
        with self._usable():
            postgres_progress.enqueue(self._connection, queue, items)

    def finish(self, queue: str, item_ids: Sequence[str]) -> None:
        with self._usable():
            postgres_progress.finish(self._connection, queue, item_ids)

    def commit(self) -> None:
        import psycopg

        with self._usable():
            self._connection.execute(
                "insert into qanat_commits (commit_id, stage) values (%s, %s)",
                [self._commit_id, self._stage],
            )
        try:
            done = self._connection.execute("commit").statusmessage
        except psycopg.Error as error:
            if self._connection.closed:
                raise CommitUnknown(f"the connection was lost during COMMIT: {error}") from error
            raise meaning(error, lost=False) from error
        if done != "COMMIT":  # the server rolls back a transaction in which a statement had failed
            raise Fatal(f"the server answered {done} to COMMIT; nothing was written.")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Refuse what comes after the end or an error; turn the driver's errors into ours."""
        import psycopg

        if self._fenced:
            raise Fenced
        if self._connection.closed:
            raise Retryable("the connection to PostgreSQL was lost; nothing was written.")
        status = self._connection.info.transaction_status
        if status == psycopg.pq.TransactionStatus.IDLE:
            raise Fatal("this transaction is over; begin another one.")
        if status == psycopg.pq.TransactionStatus.INERROR:
            raise Fatal("a statement of this transaction failed, so nothing of it can be written.")
        with translated(self._connection):
            yield


@contextmanager
def begin(
    pool: Pool, locks: LockNames, stage: str, commit_id: UUID
) -> Iterator[PostgresTransaction]:
    """Begin a transaction; leaving without its commit() rolls back."""
    # Held until the transaction is decided, so that `outcome` can wait for that.
    connection = pool.take("select pg_advisory_xact_lock(%s)", [locks.commit(commit_id)])
    try:
        yield PostgresTransaction(connection, locks, stage, commit_id)
    finally:
        pool.put_back(connection)


def forget_old_commits(connection: Connection) -> None:
    """Remove the ids of commits that nobody can be in doubt about any more."""
    connection.execute(
        "delete from qanat_commits where committed_at < now() - %s::interval", [_COMMITS_KEPT]
    )
