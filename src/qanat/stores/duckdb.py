"""A store in one DuckDB file: nothing to install, one process at a time.

One transaction writes at a time; readers never wait for it. What is committed survives a kill at any moment: DuckDB's log is
synced by every commit, and replayed when the file is opened.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Capabilities, Change, StoreOptions
from qanat.records import Partition, Progress, Staged, Worker
from qanat.stores import duckdb_declared, duckdb_schema
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_deadline import Deadlines
from qanat.stores.duckdb_demand import Demand
from qanat.stores.duckdb_indexes import LateIndexes
from qanat.stores.duckdb_queue import DuckdbQueue, Leases, set_aside_killers
from qanat.stores.duckdb_reading import DuckdbReader
from qanat.stores.duckdb_staging import Staging
from qanat.stores.duckdb_transaction import DuckdbTransaction
from qanat.tables import Table

_SCHEME = "duckdb:"
_UNMOVED = Progress(None, 0, None)


def open_store(url: str, pipeline: str, options: StoreOptions) -> "DuckdbStore":
    """Open the store of a pipeline.

    Args:
        url: `duckdb:FILE`, or `duckdb:` for `PIPELINE.duckdb` in the data folder.
        pipeline: Names the file where the URL doesn't.
        options: As for every store.

    Raises:
        Busy: Another process has the file open; it is named. Nothing was changed.
        ConfigError: The URL is of another kind, the file isn't a DuckDB database, or it is opened to be read and isn't there.
        Fatal: A newer Qanat made the store.
    """
    if not url.startswith(_SCHEME) or url.removeprefix(_SCHEME) == ":memory:":
        raise ConfigError("store", url, "duckdb: or duckdb:FILE")
    name = url.removeprefix(_SCHEME)
    path = Path(name).expanduser() if name else options.data_dir / f"{pipeline}.duckdb"
    return DuckdbStore(path, options)


class DuckdbStore:
    """A `Store`; see there."""

    capabilities = Capabilities(transactional=True, shared=False)

    def __init__(self, path: Path, options: StoreOptions) -> None:
        """Open the file; see `open_store`."""
        self._options = options
        self._database = Database(path, options)
        self._staging = Staging(self._database)
        self._leases = Leases()
        self._indexes = LateIndexes(self._database, options.clock)
        self._writing = threading.Lock()
        self._writer: int | None = None
        # Only one process has the file open: claims needn't outlive it.
        self._claims: dict[tuple[str, Partition], str] = {}
        self._claiming = threading.Lock()
        self._deadlines = Deadlines()
        self._demand = Demand(options.clock)
        try:
            self.identity = self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> str:
        with self._database.transaction(writes=False) as connection, self._database.errors():
            meta = duckdb_schema.Meta.read(connection)
        duckdb_schema.check_version(meta.version)
        if meta.version == len(duckdb_schema.STEPS) and not self._options.read_only:
            set_aside_killers(self._database, self._options.attempts_max)
        return meta.identity or duckdb_schema.new_identity()

    def migrate(self, tables: Sequence[Table]) -> Sequence[Change]:
        self._check_writable()
        with (
            self._only_writer(),
            self._database.transaction(writes=True) as connection,
            self._database.errors(),
        ):
            changes = duckdb_schema.upgrade(connection, self.identity)
            changes += duckdb_declared.migrate(connection, tables)
            if changes:
                connection.execute("commit")
        return changes

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        with self._claiming:
            ours = [
                name
                for name in partitions
                if self._claims.setdefault((stage, name), owner) == owner
            ]
        found = self._database.ask(
            "select part, position, version, incarnation from qanat_progress where stage = $stage",
            {"stage": stage},
        )
        moved = {str(part): _progress(*rest) for part, *rest in found}
        return {name: moved.get(name, _UNMOVED) for name in ours}

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        with self._claiming:
            for name in partitions:
                if self._claims.get((stage, name)) == owner:
                    del self._claims[stage, name]

    def begin(self, stage: str, commit_id: UUID) -> AbstractContextManager[DuckdbTransaction]:
        self._check_writable()
        return self._begin(stage, commit_id)

    @contextmanager
    def _begin(self, stage: str, commit_id: UUID) -> Iterator[DuckdbTransaction]:
        with self._only_writer():
            with self._database.writing() as writer:
                who = (stage, commit_id)
                begun = DuckdbTransaction(self._database, writer, self._leases, who)
                yield begun
                if begun.committed:
                    self._database.keep(writer)
            for table in begun.swapped:
                self._indexes.want(table)
            self._indexes.make()
            self._database.tidy()

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        find = "select 1 from qanat_commits where stage = $stage and id = $id"
        return bool(self._database.ask(find, {"stage": stage, "id": str(commit_id)}))

    def in_demand(self) -> bool:
        return self._demand.is_high()

    @contextmanager
    def snapshot(self, limit_s: float = 0.0) -> Iterator[DuckdbReader]:
        if limit_s:
            self._demand.note()
        with (
            self._database.transaction(writes=False) as connection,
            self._deadlines.within(limit_s, connection.interrupt),
        ):
            yield DuckdbReader(self._database, connection)
        self._database.tidy()

    def stage(self, table: Table, rows: pa.Table, attempt: UUID, part: int) -> Staged:
        self._check_writable()
        return self._staging.stage(table, rows, attempt, part)

    def staged(self, table: Table, attempt: UUID) -> Sequence[Staged]:
        return self._staging.staged(table.name, attempt)

    def discard(self, attempt: UUID) -> None:
        self._check_writable()
        self._staging.discard(attempt)

    def due(self, queue: str) -> DuckdbQueue:
        return DuckdbQueue(self._database, self._leases, self._options, queue)

    def workers(self) -> Sequence[Worker]:
        return ()

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Let one thread write at a time: DuckDB would let several begin, and fail those that meet."""
        me = threading.get_ident()
        if self._writer == me:
            raise Fatal("this thread has a transaction open already; it would wait for itself")
        with self._writing:
            self._writer = me
            try:
                yield
            finally:
                self._writer = None

    def _check_writable(self) -> None:
        if self._options.read_only:
            raise ConfigError("read_only", True, "False to write", "Open the store without it.")


def _progress(position: object, version: object, incarnation: object) -> Progress:
    texts = [None if one is None else str(one) for one in (position, incarnation)]
    return Progress(texts[0], int(str(version)), texts[1])
