"""The in-memory store: a whole `Store` for tests, without files and without waiting.

It judges the write modes in plain Python, apart from the other stores, so that those can be
compared with it.

```python
store = open_store("memory:", "my-pipeline", StoreOptions(tmp_path, FakeClock()))
```
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pyarrow as pa

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Capabilities, Change, Scalar, StoreOptions
from qanat.records import Partition, Progress, Staged, Worker
from qanat.tables import Table
from qanat.testing.memory_database import SCHEMA_VERSION, MemoryDatabase, State
from qanat.testing.memory_queue import MemoryWork
from qanat.testing.memory_sql import MemorySql
from qanat.testing.memory_transaction import UNMOVED, MemoryTransaction, given_rows

_SCHEME = "memory:"

_named: dict[tuple[str, str], MemoryDatabase] = {}
_named_lock = threading.Lock()


def open_store(url: str, pipeline: str, options: StoreOptions) -> "MemoryStore":
    """Open a store in memory.

    Args:
        url: `memory:` for a database of its own, gone with the store; `memory:NAME` for one that
        this process keeps under
            that name, so that it can be opened again.
        pipeline: Each pipeline has its own database.
        options: As for every store.

    Raises:
        ConfigError: The URL has another scheme.
    """
    if not url.startswith(_SCHEME):
        raise ConfigError("store", url, "memory: or memory:NAME")
    name = url.removeprefix(_SCHEME)
    if not name:
        return MemoryStore(options)
    with _named_lock:
        return MemoryStore(options, _named.setdefault((name, pipeline), MemoryDatabase()))


class MemoryReader:
    """One moment of the in-memory store. SQL runs in a private DuckDB that is filled at the first
    statement.
    """

    def __init__(self, database: MemoryDatabase, state: State) -> None:
        self._database = database
        self._state = state
        self._sql: MemorySql | None = None

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> pa.Table:
        return self._engine().query(sql, parameters)

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None
    ) -> pa.RecordBatchReader:
        return self._engine().stream(sql, parameters)

    def close(self) -> None:
        """Drop the private DuckDB."""
        if self._sql is not None:
            self._sql.close()

    def _engine(self) -> MemorySql:
        if self._sql is None:
            self._sql = self._database.sql(self._state)
        return self._sql


class MemoryStore:
    """A `Store` whose database is a Python object. Give the `database` of another one to open it
    again.

    A transaction waits while another one is open, as on DuckDB.
    """

    capabilities = Capabilities(transactional=True, shared=False)

    def __init__(self, options: StoreOptions, database: MemoryDatabase | None = None) -> None:
        self.database = database or MemoryDatabase()
        self.identity = self.database.identity
        self._options = options
        self._handle = uuid4()
        if self.database.schema_version > SCHEMA_VERSION:
            raise Fatal(
                f"a newer Qanat made the store: it has schema version "
                f"{self.database.schema_version}, and this one knows {SCHEMA_VERSION}",
                hint="Install that Qanat or a later one.",
            )

    def migrate(self, tables: Sequence[Table]) -> Sequence[Change]:
        self._check_writable()
        with self.database.writing:
            state = self.database.state.copy()
            changes = [change for table in tables for change in _migrate(state, table)]
            with self.database.guard:
                self.database.state = state
        return changes

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        me = (self._handle, owner)
        with self.database.guard:
            claims, stored = self.database.claims, self.database.state.progress
            ours = [name for name in partitions if claims.setdefault((stage, name), me) == me]
            return {name: stored.get((stage, name), UNMOVED) for name in ours}

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        with self.database.guard:
            for name in partitions:
                if self.database.claims.get((stage, name)) == (self._handle, owner):
                    del self.database.claims[stage, name]

    def begin(self, stage: str, commit_id: UUID) -> AbstractContextManager[MemoryTransaction]:
        self._check_writable()
        return self._begin(stage, commit_id)

    @contextmanager
    def _begin(self, stage: str, commit_id: UUID) -> Iterator[MemoryTransaction]:
        with self.database.writing:
            yield MemoryTransaction(self.database, stage, commit_id)

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        with self.database.guard:
            return (stage, commit_id) in self.database.state.commits

    def in_demand(self) -> bool:
        return False

    @contextmanager
    def snapshot(self, limit_s: float = 0.0) -> Iterator[MemoryReader]:
        with self.database.guard:
            reader = MemoryReader(self.database, self.database.state)
        try:
            yield reader
        finally:
            reader.close()

    def stage(self, table: Table, rows: pa.Table, attempt: UUID, part: int) -> Staged:
        self._check_writable()
        kept = given_rows(table, rows)
        with self.database.guard:
            self.database.staged[table.name, attempt, part] = kept
        return Staged(table.name, attempt, part, len(kept))

    def staged(self, table: Table, attempt: UUID) -> Sequence[Staged]:
        with self.database.guard:
            found = [
                Staged(*key, len(rows))
                for key, rows in self.database.staged.items()
                if key[:2] == (table.name, attempt)
            ]
        return sorted(found, key=lambda staged: staged.part)

    def discard(self, attempt: UUID) -> None:
        with self.database.guard:
            for key in [key for key in self.database.staged if key[1] == attempt]:
                del self.database.staged[key]

    def due(self, queue: str) -> MemoryWork:
        return self.database.queue(queue).view(self._options.clock, self._options.attempts_max)

    def workers(self) -> Sequence[Worker]:
        return ()

    def close(self) -> None:
        with self.database.guard:
            held = [
                key for key, (handle, _) in self.database.claims.items() if handle == self._handle
            ]
            for key in held:
                del self.database.claims[key]

    def _check_writable(self) -> None:
        if self._options.read_only:
            raise ConfigError("read_only", True, "False to write", "Open the store without it.")


def _migrate(state: State, table: Table) -> Iterator[Change]:
    """Bring one table up to date in `state`; yield what was done."""
    before = state.tables.get(table.name)
    if before is None:
        state.tables[table.name], state.rows[table.name] = table, []
        yield Change(table.name, "created")
        return
    known = {column.name: column for column in before.columns}
    for column in table.columns:
        if column.name not in known:
            known[column.name] = column
            yield Change(table.name, f"added column {column.name}")
        elif known[column.name].type != column.type:
            raise Fatal(
                f"{table.name}.{column.name} is {known[column.name].type} in the store "
                f"and declared {column.type}",
                hint="Declare it as it is, or give the new one another name.",
            )
    added = [column for column in known.values() if column.name not in before.names]
    if added and not all(column.nullable for column in added) and state.rows[table.name]:
        raise Fatal(f"{table.name} has rows, so that {added[0].name} has to be nullable")
    nulls = {column.name: None for column in added}
    state.tables[table.name] = replace(before, columns=tuple(known.values()))
    state.rows[table.name] = [{**row, **nulls} for row in state.rows[table.name]]
