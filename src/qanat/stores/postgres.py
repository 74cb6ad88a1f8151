"""PostgreSQL as a store: a server (`postgresql://…`), or the one that comes in a wheel (`postgresql+local:DIR`).

Everything of a pipeline lies in a schema with its name, so that pipelines share a database. The parts are in modules of their
own: how a connection is made and what its errors mean (`postgres_connect`), Qanat's own tables (`postgres_schema`), the
declared ones (`postgres_declared`), the write modes (`postgres_modes`, and for millions of sums `postgres_sums`), staging
(`postgres_staging`), queues (`postgres_due`), claims (`postgres_claims`) and who has any (`postgres_workers`), reading
(`postgres_read`).

PostgreSQL 14 or later, without a proxy that shares a connection between transactions: claims belong to connections.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from qanat.errors import CommitUnknown, ConfigError
from qanat.interfaces import Capabilities, Change, Reader, StoreOptions, Transaction
from qanat.records import Partition, Progress, Staged, Worker
from qanat.stores import (
    postgres_declared,
    postgres_read,
    postgres_schema,
    postgres_staging,
    postgres_transaction,
    postgres_workers,
)
from qanat.stores.postgres_claims import Claims
from qanat.stores.postgres_connect import Connection, checked, driver, translated
from qanat.stores.postgres_due import PostgresDue
from qanat.stores.postgres_local import LocalServer, start_server
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_outcome import Outcomes
from qanat.stores.postgres_pool import Endpoint, Pool
from qanat.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

_LOCAL = "postgresql+local:"
_LOCAL_FOLDER = "postgres"  # in the data folder, where the URL names none
# From the first on: the ids of old commits are removed, also by a process that runs for weeks.
_FORGET_EVERY = 10_000


def open_store(url: str, pipeline: str, options: StoreOptions) -> "PostgresStore":
    """Open the store of `pipeline`; unless it is only to be read, Qanat's own tables are made or brought up to date.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` as libpq reads it, or `postgresql+local:DIR` (without DIR:
            `postgres` in the data folder).
        pipeline: The name of the schema.
        options: As for every store.

    Raises:
        ConfigError: The URL can't be used, or to be read there is nothing.
        MissingExtra: A driver isn't installed.
        Retryable: The server can't be reached now.
        Fatal: A newer Qanat made the store.
    """
    schema = postgres_schema.check_schema(pipeline)
    driver("postgres-local" if url.startswith(_LOCAL) else "postgres")
    if not url.startswith(_LOCAL):
        return PostgresStore(Endpoint(checked(url), schema), options)
    server = _local_server(url, options)
    return PostgresStore(Endpoint(server.url, schema, server), options)


class PostgresStore:
    """A pipeline's schema in a database."""

    capabilities = Capabilities(transactional=True, shared=True)

    def __init__(self, endpoint: Endpoint, options: StoreOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._locks = LockNames(endpoint.schema)
        self._writers = Pool(endpoint, read_only=options.read_only)
        self._readers = Pool(endpoint, read_only=True)
        self._claims = Claims(endpoint, self._locks)
        self._outcomes = Outcomes(endpoint, self._locks)
        self._transactions = itertools.count()
        self._upgraded: list[Change] = []
        try:
            with self._connected() as connection:
                if not options.read_only:
                    self._upgraded = postgres_schema.upgrade(connection, endpoint.schema)
                self.identity = postgres_schema.identity(connection)
        except BaseException:
            self.close()
            raise

    def migrate(self, tables: Sequence[Table]) -> Sequence[Change]:
        self._check_writable()
        with self._connected() as connection:
            upgraded, self._upgraded = self._upgraded, []
            upgraded += postgres_schema.upgrade(connection, self._endpoint.schema)
            return upgraded + postgres_declared.migrate(connection, self._endpoint.schema, tables)

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        self._check_writable()
        return self._claims.claim(stage, partitions, owner)

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        self._claims.release(stage, partitions, owner)

    def begin(self, stage: str, commit_id: UUID) -> AbstractContextManager[Transaction]:
        self._check_writable()
        return self._begin(stage, commit_id)

    @contextmanager
    def _begin(self, stage: str, commit_id: UUID) -> Iterator[Transaction]:
        if next(self._transactions) % _FORGET_EVERY == 0:
            # Before, not after: what goes wrong here mustn't look as if the transaction had.
            with self._connected() as connection:
                postgres_transaction.forget_old_commits(connection)
        try:
            with postgres_transaction.begin(self._writers, self._locks, stage, commit_id) as begun:
                yield begun
        except CommitUnknown:
            self._outcomes.lost(commit_id)
            raise

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        return self._outcomes.committed(stage, commit_id)

    def in_demand(self) -> bool:
        return False

    def snapshot(self, limit_s: float = 0.0) -> AbstractContextManager[Reader]:
        return postgres_read.snapshot(self._readers, limit_s)

    def stage(self, table: Table, rows: "pa.Table", attempt: UUID, part: int) -> Staged:
        self._check_writable()
        staged = Staged(table.name, attempt, part, rows.num_rows)
        with self._connected() as connection:
            postgres_staging.stage(connection, self._locks, table, rows, staged)
        return staged

    def staged(self, table: Table, attempt: UUID) -> Sequence[Staged]:
        with self._connected() as connection:
            return postgres_staging.staged(connection, table, attempt)

    def discard(self, attempt: UUID) -> None:
        self._check_writable()
        with self._connected() as connection:
            postgres_staging.discard(connection, attempt)

    def due(self, queue: str) -> PostgresDue:
        options = self._options
        return PostgresDue(
            queue, self._writers, self._claims, self._locks, options.clock, options.attempts_max
        )

    def workers(self) -> Sequence[Worker]:
        with self._connected() as connection:
            return postgres_workers.find(connection, self._locks)

    def close(self) -> None:
        self._claims.close()
        self._writers.close()
        self._readers.close()
        if self._endpoint.local is not None:
            self._endpoint.local.close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection outside of any transaction."""
        connection = self._writers.take_idle()
        try:
            with translated(connection):
                yield connection
        finally:
            self._writers.put_back(connection)

    def _check_writable(self) -> None:
        if self._options.read_only:
            raise ConfigError("read_only", True, "False to write", "Open the store without it.")


def _local_server(url: str, options: StoreOptions) -> LocalServer:
    place = url.removeprefix(_LOCAL).removeprefix("//")
    directory = Path(place).expanduser() if place else options.data_dir / _LOCAL_FOLDER
    if options.read_only and not directory.exists():
        raise ConfigError("the store", url, "one that exists", "Run the pipeline once to make it.")
    return start_server(directory)
