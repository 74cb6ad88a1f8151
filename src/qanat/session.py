"""One way to a pipeline's store, whoever holds it.

```python
with open_session(PIPELINE, settings, SystemClock()) as session:
    rows = session.query("select * from totals where consumer = $consumer", {"consumer": 7})
```

An embedded database lets one process in. While a run holds it, a session asks the run; otherwise it
opens the database itself, to read only and for no longer than it reads. It looks anew with each
request, so that runs may come and go while a session lasts. A store that processes share is simply
opened.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qanat.clock import Clock
from qanat.errors import Busy, ConfigError
from qanat.interfaces import Capabilities, Scalar, Store
from qanat.pipeline import Pipeline
from qanat.records import Worker
from qanat.runtime.owner import Owner, no_such_operation
from qanat.runtime.owner_address import OwnerRecord, owner_file
from qanat.runtime.owner_client import find_owner
from qanat.runtime.owner_route import PATIENCE_S, RETRY_S, OwnerRoute
from qanat.runtime.owner_wire import Json, Operation
from qanat.settings import CommonSettings
from qanat.wiring import open_store, scheme_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Json",
    "NothingYet",
    "Operation",
    "Session",
    "capabilities_of",
    "held",
    "holder",
    "open_session",
    "open_to_hold",
    "owning",
    "store_text",
]

# Stores that one process has open at a time.
EXCLUSIVE = frozenset({"duckdb", "memory"})


class NothingYet(ConfigError):
    """There is no database: nothing was counted here yet."""

    def __init__(self, pipeline: str, settings: CommonSettings) -> None:
        super().__init__(
            "the store",
            store_text(settings),
            f"one in which {pipeline} was run",
            hint="Nothing was counted here yet; or is it --store or --data-dir? "
            f"Begin with `qanat run {pipeline}`.",
        )


class Session(Protocol):
    """Reads from a pipeline's store and has operations carried out on it. Any thread may use it."""

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        """Run a statement that only reads, on one consistent moment; parameters are written
        `$name`.

        Args:
            sql: The statement.
            parameters: By name.
            limit_s: What takes longer is ended with `Retryable`; 0 for no limit.

        Raises:
            ConfigError: The statement isn't valid, or nothing was counted yet.
            Busy: Another process holds the store and doesn't answer for it.
        """
        ...

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "AbstractContextManager[pa.RecordBatchReader]":
        """Like `query`, batch by batch. What goes wrong later is raised while reading."""
        ...

    def call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        """Have an operation carried out, by whoever holds the store.

        Raises:
            ConfigError: There is no such operation, or nothing was counted yet.
            CommitUnknown: The process that held the store ended before it answered.
            QanatError: What the operation raised.
        """
        ...

    def workers(self) -> Sequence[Worker]:
        """Tell which processes work on the store now, the oldest first.

        Raises:
            ConfigError: Nothing was counted yet.
            Busy: Another process holds the store and doesn't answer for it.
        """
        ...

    def close(self) -> None:
        """Give back what is open; twice is harmless."""
        ...


@contextmanager
def open_session(
    pipeline: Pipeline,
    settings: CommonSettings,
    clock: Clock,
    *,
    operations: Mapping[str, Operation] | None = None,
) -> Iterator[Session]:
    """Open a session with the store of `pipeline`.

    Args:
        pipeline: Whose tables.
        settings: Where they are.
        clock: Handed to a store that is opened.
        operations: What `call` can do when this process carries it out. The process that holds the
            store has its own.

    Raises:
        ConfigError: The store's URL is of no known kind.
    """
    offered = operations or {}
    session: Session
    if scheme_of(settings.store) in EXCLUSIVE:
        session = OwnerRoute(
            place=_place(pipeline, settings),
            open_to_read=lambda: _open_to_read(pipeline, settings, clock),
            open_to_write=lambda: _open_to_write(pipeline, settings, clock, offered),
            operations=offered,
            clock=clock,
        )
    else:
        session = _SharedSession(pipeline, settings, clock, offered)
    try:
        yield session
    finally:
        session.close()


def capabilities_of(settings: CommonSettings) -> Capabilities:
    """Tell what the settings' store can do, without opening it.

    Raises:
        ConfigError: The store's URL is of no known kind.
    """
    return Capabilities(transactional=True, shared=scheme_of(settings.store) not in EXCLUSIVE)


def store_text(settings: CommonSettings) -> str:
    """Name the store for people: without a password, and with the folder of an embedded one."""
    scheme, _, rest = settings.store.partition(":")
    if rest.startswith("//"):
        return f"{scheme}://{rest[2:].rpartition('@')[2].partition('?')[0]}"
    return settings.store if rest else f"{settings.store}{settings.data_dir}"


@contextmanager
def owning(
    store: Store,
    pipeline: Pipeline,
    settings: CommonSettings,
    clock: Clock,
    operations: Mapping[str, Operation],
) -> Iterator[None]:
    """Answer for an open store until the end of the context, so that other processes' sessions work
    meanwhile.

    Nothing is done for a store that processes share.
    """
    if store.capabilities.shared:
        yield
        return
    data_dir, url = Path(settings.data_dir), settings.store
    with Owner(store, operations, data_dir, pipeline.name, clock, store_url=url):
        yield


def open_to_hold(
    pipeline: Pipeline, settings: CommonSettings, clock: Clock, *, threads: int = 2
) -> Store:
    """Open the store to work with it for long, as a run does.

    Readers that have an embedded database open for a moment are waited for; a process that answers
    for it isn't.

    Raises:
        Busy: Another process holds it. Nothing was changed.
        ConfigError: The store's URL is of no known kind.
    """
    deadline_s = clock.monotonic() + PATIENCE_S
    while True:
        try:
            return open_store(pipeline.name, settings, clock, threads=threads)
        except Busy:
            if clock.monotonic() >= deadline_s or holder(pipeline, settings) is not None:
                raise
        clock.sleep(RETRY_S)


def holder(pipeline: Pipeline, settings: CommonSettings) -> OwnerRecord | None:
    """Tell which process holds the store and answers for it; None when there is none, or the store
    is shared.

    Raises:
        Busy: There is one, and it doesn't answer.
    """
    if scheme_of(settings.store) not in EXCLUSIVE:
        return None
    connection = find_owner(_place(pipeline, settings))
    if connection is None:
        return None
    connection.close()
    return connection.record


def held(store: Store, operations: Mapping[str, Operation] | None = None) -> Session:
    """Return a session with a store that this process holds open: the shortest way, for what a run serves itself.

    It doesn't close the store.
    """
    return _HeldSession(store, operations or {})


class _HeldSession:
    """A session with an open store."""

    def __init__(self, store: Store, operations: Mapping[str, Operation]) -> None:
        self._store = store
        self._operations = operations

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        with self._store.snapshot(limit_s) as reader:
            return reader.query(sql, parameters)

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "Iterator[pa.RecordBatchReader]":
        with self._store.snapshot(limit_s) as reader:
            yield reader.stream(sql, parameters)

    def call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        if operation not in self._operations:
            raise no_such_operation(operation, self._operations)
        return self._operations[operation](self._store, **arguments)

    def workers(self) -> Sequence[Worker]:
        me = Worker(socket.gethostname(), os.getpid(), None)
        return self._store.workers() or (me,)

    def close(self) -> None:
        """Nothing: whoever opened the store closes it."""


class _SharedSession:
    """A session with a store that processes share: opened at the first use, to look only until
    something is called.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: CommonSettings,
        clock: Clock,
        operations: Mapping[str, Operation],
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._clock = clock
        self._operations = operations
        self._opening = threading.Lock()
        self._stores: dict[bool, Store] = {}

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        with self._store(writable=False).snapshot(limit_s) as reader:
            return reader.query(sql, parameters)

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "Iterator[pa.RecordBatchReader]":
        with self._store(writable=False).snapshot(limit_s) as reader:
            yield reader.stream(sql, parameters)

    def call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        if operation not in self._operations:
            raise no_such_operation(operation, self._operations)
        return self._operations[operation](self._store(writable=True), **arguments)

    def workers(self) -> Sequence[Worker]:
        return self._store(writable=False).workers()

    def close(self) -> None:
        with self._opening:
            for store in self._stores.values():
                store.close()
            self._stores.clear()

    def _store(self, *, writable: bool) -> Store:
        with self._opening:
            if writable not in self._stores:
                # To look first, also before writing: it fails where nothing was counted yet, and
                # creates nothing.
                if False not in self._stores:
                    self._stores[False] = _open_to_read(self._pipeline, self._settings, self._clock)
                if writable:
                    store = open_store(self._pipeline.name, self._settings, self._clock)
                    self._stores[True] = store
                    store.migrate(self._pipeline.tables)
            return self._stores[writable]


def _place(pipeline: Pipeline, settings: CommonSettings) -> Path:
    return owner_file(Path(settings.data_dir), pipeline.name, settings.store)


def _open_to_read(pipeline: Pipeline, settings: CommonSettings, clock: Clock) -> Store:
    _check_there(pipeline, settings)
    try:
        return open_store(pipeline.name, settings, clock, read_only=True)
    except ConfigError as error:
        if error.setting == "the store" and _database(pipeline, settings) is None:
            raise NothingYet(pipeline.name, settings) from error  # the server has no such pipeline
        raise


def _check_there(pipeline: Pipeline, settings: CommonSettings) -> None:
    database = _database(pipeline, settings)
    if database is not None and not database.exists():
        raise NothingYet(pipeline.name, settings)


def _database(pipeline: Pipeline, settings: CommonSettings) -> Path | None:
    """Name the file that holds the tables; None where no file does."""
    scheme, _, file = settings.store.partition(":")
    if scheme != "duckdb":
        return None
    return Path(file).expanduser() if file else Path(settings.data_dir) / f"{pipeline.name}.duckdb"


@contextmanager
def _open_to_write(
    pipeline: Pipeline,
    settings: CommonSettings,
    clock: Clock,
    operations: Mapping[str, Operation],
) -> Iterator[Store]:
    _check_there(pipeline, settings)
    with closing(open_store(pipeline.name, settings, clock)) as store:
        store.migrate(pipeline.tables)
        with owning(store, pipeline, settings, clock, operations):
            yield store
