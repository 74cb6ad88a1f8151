"""Tables with transactions."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from qanat.clock import Clock
from qanat.interfaces.outputs import Change, Commit, Output, Scalar
from qanat.interfaces.sources import WorkSource
from qanat.records import Item, Partition, Progress, Staged, Worker
from qanat.tables import Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to open a store; each store module has `open_store(url, pipeline, options) -> Store`.

    Attributes:
        data_dir: The folder in which embedded stores keep their files, and the owner its socket.
        memory_bytes: What the store may use in this process beside the interpreter (0: its own default).
        threads: How many threads it may use in this process.
        attempts_max: After so many claims an item of a queue goes aside.
        read_only: Open to look only: nothing is created, migrated or locked against writers longer than a query.
    """

    data_dir: Path
    clock: Clock
    memory_bytes: int = 0
    threads: int = 2
    attempts_max: int = 5
    read_only: bool = False


class Reader(Protocol):
    """One consistent moment of a store. Never sees half a transaction, nor staged rows."""

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> "pa.Table":
        """Run a statement that only reads; parameters are written `$name`.

        Raises:
            ConfigError: The statement isn't valid, or it writes.
        """
        ...

    def stream(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None
    ) -> "pa.RecordBatchReader":
        """Like `query`, batch by batch, for results that don't fit in memory."""
        ...


class Transaction(Commit, Protocol):
    """One commit in the making: rows, dead letters, ledger and progress together. Leaving without commit() rolls back."""

    def enter(self, item_ids: Sequence[str]) -> frozenset[str]:
        """Enter ids into the ledger (in sorted order, against deadlocks); return those that were there already."""
        ...

    def withdraw(self, item_ids: Sequence[str]) -> frozenset[str]:
        """Take ids out of the ledger, to undo; return those that were there."""
        ...

    def write(
        self,
        table: Table,
        rows: "pa.Table",
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> "pa.Table":
        """Write `rows` (columns by name; `constants` are columns with one value) and return those that took effect.

        Rows with equal keys in one call: `Add` sums them, `Upsert` lets the last win, `Latest` the newest (of equal versions
        the first), `InsertNew` keeps the first. `Upsert` replaces the whole row: columns that aren't given become null.

        Raises:
            QanatError: A key is violated, or a column isn't declared.
        """
        ...

    def merge(
        self,
        table: Table,
        parts: Sequence[Staged],
        mode: WriteMode,
        constants: Mapping[str, Scalar] | None = None,
    ) -> int:
        """Write all rows of staged parts like `write`, with sorted keys; return how many rows were merged in.

        The parts stay until `discard`, so that they can go into several tables.

        Raises:
            QanatError: A part isn't there any more.
        """
        ...

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> "pa.Table":
        """Read inside the transaction, its own writes included."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run a statement that writes, in the SQL that DuckDB and PostgreSQL share; return the rows it touched."""
        ...

    def lock(self, name: str, *, shared: bool = False) -> None:
        """Wait until no other transaction holds `name`; held until this one ends. Those that share it hold it together."""
        ...

    def progress(self, stage: str) -> Mapping[Partition, Progress]:
        """Return how far a stage has come, in each partition that it has moved on in."""
        ...

    def drop(self, table: Table) -> None:
        """Remove a table that nobody else uses, with its rows; harmless when it isn't there."""
        ...

    def swap(self, live: Table, rebuilt: Table) -> None:
        """Let `live` hold the rows of `rebuilt`, a table of equal columns and keys, which is gone then.

        Readers see the one or the other, those of a snapshot always what was there when it was opened. Rows that others are
        writing into `live` meanwhile, uncommitted, may be lost: keep them away before (see `qanat.runtime.live`).

        Raises:
            QanatError: One of them isn't there, or their columns differ.
        """
        ...

    def enqueue(self, queue: str, items: Sequence[Item]) -> None:
        """Add items to a queue of this store; an id that is there already stays as it is."""
        ...

    def finish(self, queue: str, item_ids: Sequence[str]) -> None:
        """Remove items from a queue, as done, in this transaction. Unknown ids are ignored."""
        ...


class Store(Output[Transaction], Protocol):
    """Tables with transactions. Any thread may call; a transaction belongs to the thread that began it."""

    def migrate(self, tables: Sequence[Table]) -> Sequence[Change]:
        """Bring Qanat's own tables and the declared ones up to date; empty when there was nothing to do.

        Raises:
            Fatal: The store was made by a newer Qanat, or a declared column has another type there.
        """
        ...

    def snapshot(self, limit_s: float = 0.0) -> AbstractContextManager[Reader]:
        """Open a consistent moment to read from: now, not at the first query. Never blocks writers, nor is blocked by them.

        Args:
            limit_s: A statement that takes longer is ended with `Retryable`, at the latest a second after; 0 for no limit, as
                the runtime itself reads.
        """
        ...

    def in_demand(self) -> bool:
        """Tell whether many read with a limit at present, whose answers small commits would hold up: then those rest.

        Never where readers and writers don't share this process.
        """
        ...

    def stage(self, table: Table, rows: "pa.Table", attempt: UUID, part: int) -> Staged:
        """Keep rows of the shape of `table` (which needn't be a table of the store) durably, invisible to readers.

        The same (table, attempt, part) replaces.
        """
        ...

    def staged(self, table: Table, attempt: UUID) -> Sequence[Staged]:
        """Return the parts that are staged under `attempt`, ordered by part."""
        ...

    def discard(self, attempt: UUID) -> None:
        """Drop everything that is staged under `attempt`; harmless when there is nothing."""
        ...

    def due(self, queue: str) -> WorkSource:
        """Open a queue of due items that lives in this store."""
        ...

    def workers(self) -> Sequence[Worker]:
        """Tell which processes work here now, by claims or leases, the oldest first. Always empty where one process alone can."""
        ...
