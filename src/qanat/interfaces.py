"""The interfaces between the runtime and the world. Read this first.

Each docstring is a contract: who calls, when, whether it may block, what empty means, what each error makes the runtime do.
`qanat.testing` has one suite of laws per interface; an implementation is right when it passes them.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar
from uuid import UUID

from qanat.clock import Clock
from qanat.records import Batch, Item, Move, Partition, Position, Progress, Staged, Worker
from qanat.tables import Column, Table, Topic, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa

Scalar = int | float | str | bytes | bool | datetime | None
"""A bound parameter, or a column's constant value."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an output can do; the plan computes each edge's guarantee from it.

    Attributes:
        transactional: Rows, ledger and progress commit together or not at all.
        shared: Several processes may have it open at once, and share the work.
    """

    transactional: bool
    shared: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One step that `migrate` took: the table, and what was done to it in words."""

    table: str
    action: str


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


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to open a log; each log module has `open_log(url, pipeline, options) -> Log`.

    Attributes:
        data_dir: The folder in which embedded logs keep their files.
    """

    data_dir: Path
    clock: Clock
    read_only: bool = False


class Source(Protocol):
    """An ordered stream: partitions, each a sequence of rows with positions. One thread uses it.

    Attributes:
        repeats: True when a resume yields the row at the position again, so that the plan demands a de-duplication key.
    """

    repeats: bool

    def incarnation(self) -> str:
        """Name this life of the source. Another name than the one stored with progress stops the stage."""
        ...

    def partitions(self) -> Sequence[Partition]:
        """Name the partitions there are now; the set may grow, never shrink."""
        ...

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        """Begin to read the named partitions after the given positions (None: from the start). Replaces an earlier open."""
        ...

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        """Return the next rows, or None when there were none within `wait_s`.

        Raises:
            SourceLost: The history doesn't reach back to where reading should go on.
            Retryable: The connection failed; the runtime opens again from stored progress.
        """
        ...

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        """Learn, after the commit, what may be forgotten. Nothing is ever resumed from it; may be repeated."""
        ...

    def lag(self) -> Mapping[Partition, int | None]:
        """Return the rows not yet polled per partition; None where that can't be known."""
        ...

    def close(self) -> None:
        """Give everything back; closing twice is harmless."""
        ...


class WakingSource(Source, Protocol):
    """A source that can be waited for without asking again and again, and woken from that by another thread."""

    def wake(self) -> None:
        """Make a `poll` that waits return now, or the next one not wait."""
        ...


class WorkSource(Protocol):
    """Items in any order, perhaps given twice; the ledger makes each count once. Any thread may use it."""

    def claim(self, owner: str, items_max: int, lease_s: float, now: datetime) -> Sequence[Item]:
        """Lease up to `items_max` items due at `now` to `owner`, oldest due first; empty when there are none.

        A lease ends by finish, by release, by the store's clock after `lease_s`, or as soon as its owner is known to be dead.
        """
        ...

    def extend(self, owner: str, items: Sequence[Item], lease_s: float) -> Sequence[Item]:
        """Lengthen the leases; return the items that are still ours."""
        ...

    def release(self, items: Sequence[Item], delay_s: float, reason: str) -> None:
        """Give items back unfinished, to be claimed again after `delay_s`; by who doesn't hold them, nothing.

        After `attempts_max` claims an item goes aside, whether its leases were released or ran out.
        """
        ...

    def aside(self) -> Sequence[tuple[Item, str]]:
        """Return the items that were set aside, each with its last reason."""
        ...

    def drained(self, scope: str) -> bool:
        """Tell whether nothing of `scope` is open, leased or delayed (a barrier). Items set aside don't count."""
        ...


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


class Commit(Protocol):
    """What the transactions of stores and logs have in common. Leaving without commit() rolls back."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        """Move progress, first of all, by compare-and-set on the version.

        Raises:
            Fenced: Another version is stored; nothing of this transaction will be written.
        """
        ...

    def commit(self) -> None:
        """Make all of it durable.

        Raises:
            Fenced: Lost a race; nothing was written.
            CommitUnknown: The reply was lost; ask `outcome` with the commit id.
            TooLarge: It doesn't fit; nothing was written.
            Retryable: It failed for now (deadlock, connection, full disk); nothing was written.
        """
        ...


class LogTransaction(Commit, Protocol):
    """One commit of a log: records and progress together. Leaving without commit() rolls back."""

    def publish(self, topic: Topic, rows: "pa.Table") -> None:
        """Append `rows` (the topic's columns, by name) as records, in order within each partition.

        Raises:
            ConfigError: A column isn't the topic's, or its type is another one.
        """
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


TransactionT_co = TypeVar("TransactionT_co", bound=Commit, covariant=True)


class Output(Protocol[TransactionT_co]):
    """What a stage commits to: a store or a log. Any thread may call; a transaction belongs to the thread that began it."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def identity(self) -> str:
        """A UUID made with it and kept in it: tells one database or log from another."""
        ...

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        """Claim partitions for `owner`; return progress of those that are ours now. Given up by `release` or with the process."""
        ...

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        """Give partitions back; those that aren't ours are ignored."""
        ...

    def begin(self, stage: str, commit_id: UUID) -> AbstractContextManager[TransactionT_co]:
        """Begin a transaction of `stage`. May block while another one writes."""
        ...

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        """Tell whether the transaction with `commit_id` committed; never false while it still could."""
        ...

    def close(self) -> None:
        """Give back files and connections; closing twice is harmless."""
        ...


class Span(NamedTuple):
    """What a log holds of one partition: offsets from `start` to before `end`."""

    start: int
    end: int


class Trimmed(NamedTuple):
    """What retention did to one partition of a topic.

    Attributes:
        removed: Records that went.
        held: Records that are due to go and stay, because a reader isn't past them.
        held_by: That reader; empty when none is.
    """

    topic: str
    partition: Partition
    removed: int
    held: int
    held_by: str


class Log(Output[LogTransaction], Protocol):
    """Topics: partitions of records with offsets that increase and are never reused. Survives `kill -9` once committed.

    Records come in batches that are written and read whole. Several processes may have one log open.
    """

    def create(self, topics: Sequence[Topic]) -> Sequence[Change]:
        """Make the topics that aren't there; empty when there was nothing to do.

        Raises:
            Fatal: A topic is there with other columns or more partitions, or a newer Qanat made the log.
        """
        ...

    def source(self, topic: Topic, group: str) -> WakingSource:
        """Open a topic to be read by the consumer group `group` (the name of the stage that reads).

        A position is the offset of the next record, in decimal digits. Rows have the topic's columns, then `_partition`
        (text) and `_offset` (int64). `incarnation` is the log's identity with the topic's own: a topic that was made anew, or
        a log that was, has another. `acknowledge` keeps the group's offsets for retention. A poll that waits is woken by a
        publication, of this or another process.
        """
        ...

    def spans(self, topic: Topic) -> Mapping[Partition, Span]:
        """Return what each partition holds now."""
        ...

    def size_bytes(self, topic: Topic) -> int:
        """Return how large the topic's records are as stored."""
        ...

    def trim(self, topics: Sequence[Topic], now: datetime) -> Sequence[Trimmed]:
        """Forget what the topics needn't keep, up to the slowest group that has acknowledged there; give the space back."""
        ...

    def forget(self, topic: Topic, group: str) -> None:
        """Let retention no longer wait for a group; it counts again when it opens the topic again."""
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
            limit_s: A statement that takes longer is ended with `Retryable`, at the latest a second after; 0 for no limit.
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


class Statement(Protocol):
    """A statement that was checked; `qanat.sql.check` makes it."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its result, in order."""
        ...

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the parameters in it."""
        ...

    def text_for(self, engine: str) -> str:
        """Return what an engine runs.

        Raises:
            ConfigError: There is no text for it.
        """
        ...


class Engine(Protocol):
    """What runs transforms in SQL. One thread uses it: each stage has its own."""

    def check(
        self, statement: Statement, inputs: Mapping[str, Sequence[Column]]
    ) -> Sequence[Column]:
        """Have the engine itself look at a statement, before there are rows; return the columns of its result.

        Raises:
            Fatal: The engine doesn't accept it.
        """
        ...

    def run(
        self,
        statement: Statement,
        relations: Mapping[str, "pa.Table"],
        parameters: Mapping[str, Scalar] | None = None,
    ) -> "pa.Table":
        """Run a statement over `relations`; return its rows in the types of its columns.

        Relations and parameters that it doesn't name are ignored.

        Raises:
            TooLarge: It doesn't fit into memory; the runtime halves the batch.
            Retryable: It failed for now.
            Fatal: The engine refuses it, or a value can't be computed (an integer that doesn't fit).
        """
        ...

    def close(self) -> None:
        """Give back what it holds; closing twice is harmless."""
        ...
