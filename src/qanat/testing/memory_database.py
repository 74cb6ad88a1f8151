"""What an in-memory store keeps: its committed state, and what lives beside transactions."""

import threading
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from qanat.errors import Fatal
from qanat.records import Progress, Staged
from qanat.tables import Table
from qanat.testing.memory_arrow import Row
from qanat.testing.memory_queue import MemoryQueue
from qanat.testing.memory_sql import Engine, MemorySql

SCHEMA_VERSION = 1
"""A database with a greater one was made by a newer Qanat."""


@dataclass(slots=True)
class State:
    """One committed moment. Lists of rows are replaced, never changed, so a copy of the
    dictionaries is a snapshot.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    progress: dict[tuple[str, str], Progress] = field(default_factory=dict)
    ledger: set[str] = field(default_factory=set)
    commits: set[tuple[str, UUID]] = field(default_factory=set)

    def copy(self) -> "State":
        """Return a state that can go its own way."""
        return State(
            dict(self.tables),
            dict(self.rows),
            dict(self.progress),
            set(self.ledger),
            set(self.commits),
        )


class Writing:
    """Lets one thread write at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writer: int | None = None

    def __enter__(self) -> None:
        if self._writer == threading.get_ident():
            raise Fatal("this thread has a transaction open already; it would wait for itself")
        self._lock.acquire()
        self._writer = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._writer = None
        self._lock.release()


class MemoryDatabase:
    """What stays when a `MemoryStore` is closed. Several may be opened on one database, also at
    once.

    Attributes:
        identity: A UUID made with the database.
        schema_version: Raise it to see what a store made by a newer Qanat does.
    """

    def __init__(self) -> None:
        self.identity = str(uuid4())
        self.schema_version = SCHEMA_VERSION
        self.state = State()
        self.writing = Writing()
        self.guard = threading.RLock()
        """Held for moments only: around `state` when it is exchanged, and around what follows."""
        self.claims: dict[tuple[str, str], tuple[UUID, str]] = {}
        """(stage, partition) → (handle, owner)."""
        self.staged: dict[tuple[str, UUID, int], list[Row]] = {}
        self.queues: dict[str, MemoryQueue] = {}
        self._engine = Engine()

    def sql(self, state: State) -> MemorySql:
        """Return the tables of a state in a DuckDB database of their own; close it."""
        return MemorySql(
            self._engine, ((table, state.rows[name]) for name, table in state.tables.items())
        )

    def queue(self, name: str) -> MemoryQueue:
        """Return the queue called `name`; it begins empty."""
        with self.guard:
            return self.queues.setdefault(name, MemoryQueue())

    def part(self, staged: Staged) -> list[Row]:
        """Return the rows of a staged part.

        Raises:
            Fatal: It isn't staged (any more).
        """
        with self.guard:
            found = self.staged.get((staged.table, staged.attempt, staged.part))
        if found is None:
            raise Fatal(
                f"part {staged.part} of {staged.table} isn't staged under {staged.attempt}",
                hint="Stage it again: merging without it would lose its rows.",
            )
        return found
