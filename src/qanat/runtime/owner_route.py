"""Reaching a store that one process has open at a time: through its owner, or by opening it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qanat.clock import Clock
from qanat.errors import Busy
from qanat.interfaces import Scalar, Store
from qanat.records import Worker
from qanat.runtime.owner import no_such_operation
from qanat.runtime.owner_address import read_record
from qanat.runtime.owner_client import OwnerConnection, find_owner
from qanat.runtime.owner_wire import Disconnected, Json, Operation

if TYPE_CHECKING:
    import pyarrow as pa

# A process that opens the database answers for it a few milliseconds later; one that ends needs
# about as long.
PATIENCE_S = 2.0
RETRY_S = 0.05
# For readers of this very process: an operation waits for them before it opens the database to
# write.
READERS_WAIT_S = 10.0

T = TypeVar("T")


@dataclass(slots=True)
class OwnerRoute:
    """A session (see `qanat.session`) with a store that one process has open at a time. Any thread
    may use it.

    Each request looks for an owner anew. Where there is none, the store is opened for the request
    alone.

    Attributes:
        place: The owner's file.
        open_to_read: Opens the store to look only.
        open_to_write: Opens the store, and answers for it meanwhile.
    """

    place: Path
    open_to_read: Callable[[], Store]
    open_to_write: Callable[[], AbstractContextManager[Store]]
    operations: Mapping[str, Operation]
    clock: Clock
    _readers: "_Readers" = field(default_factory=lambda: _Readers())  # noqa: PLW0108 - defined below

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        """See `Session`."""
        with self.stream(sql, parameters, limit_s=limit_s) as reader:
            return reader.read_all()

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "Iterator[pa.RecordBatchReader]":
        """See `Session`."""
        with ExitStack() as held:

            def ask(owner: OwnerConnection) -> "pa.RecordBatchReader":
                return held.enter_context(owner.stream(sql, parameters, limit_s))

            def look() -> "pa.RecordBatchReader":
                with ExitStack() as opening:
                    store = opening.enter_context(self._readers.reading(self.open_to_read))
                    moment = opening.enter_context(store.snapshot(limit_s))
                    reader = moment.stream(sql, parameters)
                    held.push(opening.pop_all())
                    return reader

            yield self._reach(ask, look, held)

    def call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        """See `Session`."""

        def ask(owner: OwnerConnection) -> dict[str, Json]:
            return owner.call(operation, arguments)

        def do() -> dict[str, Json]:
            if operation not in self.operations:
                raise no_such_operation(operation, self.operations)
            with self._readers.writing(), self.open_to_write() as store:
                return self.operations[operation](store, **arguments)

        with ExitStack() as held:
            return self._reach(ask, do, held)

    def workers(self) -> Sequence[Worker]:
        """See `Session`: who holds the store is the only one."""
        owner = find_owner(self.place)
        if owner is None:
            return ()
        owner.close()
        record = owner.record
        return (Worker(record.host, record.pid, datetime.fromisoformat(record.started_at)),)

    def close(self) -> None:
        """See `Session`: nothing is kept open between requests."""

    def _reach(
        self, ask: Callable[[OwnerConnection], T], alone: Callable[[], T], held: ExitStack
    ) -> T:
        """Ask the owner, or do it alone; again for a while, when the store is held and nobody
        answers for it yet.
        """
        deadline_s = self.clock.monotonic() + PATIENCE_S
        while True:
            owner = find_owner(self.place)
            problem: Busy | Disconnected
            try:
                if owner is None:
                    return alone()
            except Busy as busy:
                problem = busy
            else:
                held.callback(owner.close)
                try:
                    return ask(owner)
                except Disconnected as lost:
                    problem = lost
            if self.clock.monotonic() >= deadline_s:
                raise self._unreachable(problem) from problem
            self.clock.sleep(RETRY_S)

    def _unreachable(self, problem: Busy | Disconnected) -> Busy:
        record = read_record(self.place)
        named = record and f"process {record.pid} on {record.host}, since {record.started_at}"
        if isinstance(problem, Disconnected):
            return Busy(
                f"the store is held by {named or 'another process'}, which hangs up: {problem}"
            )
        if named:
            hint = f"{self.place} names {named}, which doesn't answer. {problem.hint}"
            return Busy(problem.message, hint=hint.rstrip())
        return problem


class _Readers:
    """Keeps this process's readers and its writer apart: one process can't have an embedded
    database open in both ways. Whoever is told `Busy` is soon answered by the writer, which is an
    owner.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._writing = False
        self._count = 0
        self._store: Store | None = None

    @contextmanager
    def reading(self, open_to_read: Callable[[], Store]) -> Iterator[Store]:
        """Give the store that all who read now share; the first opens it, the last closes it."""
        with self._changed:
            self._check_not_writing()
            if self._store is None:
                self._store = open_to_read()
            self._count += 1
            store = self._store
        try:
            yield store
        finally:
            with self._changed:
                self._count -= 1
                if not self._count:
                    self._store = None
                    store.close()
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Wait until nobody reads; let nobody else read or write within the context."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._count, READERS_WAIT_S):
                raise Busy("results are still being read from the store in this process.")
            self._check_not_writing()
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False

    def _check_not_writing(self) -> None:
        if self._writing:
            raise Busy("another thread of this process writes to the store.")
