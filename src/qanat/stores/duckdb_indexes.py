"""Indexes of tables that were exchanged: made after the commit, as soon as DuckDB can.

A table with an index can't be renamed, and on one with updates that some snapshot still looks behind no index can be made. So a
rebuilt table takes its place without, and gets its indexes after the first transaction that ends when nothing is in the way.
Until then rows are found by scanning; a process that ends before leaves it to the next `migrate`.
"""

import threading

from qanat.clock import Clock
from qanat.errors import Retryable
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_declared import add_indexes
from qanat.tables import Table

RETRY_S = 1.0


class LateIndexes:
    """The tables that miss indexes. Its caller lets one thread write at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, Table] = {}
        self._next_s = float("-inf")

    def want(self, table: Table) -> None:
        """Note a table that was exchanged."""
        with self._lock:
            self._waiting[table.name] = table
            self._next_s = float("-inf")

    def make(self) -> None:
        """Make what is missing, if it can be made now."""
        if not self._waiting or self._clock.monotonic() < self._next_s:
            return
        with self._lock:
            tables = list(self._waiting.values())
        for table in tables:
            try:
                self._database.run(lambda connection, t=table: add_indexes(connection, t))  # type: ignore[misc]
            except Retryable:
                self._next_s = self._clock.monotonic() + RETRY_S
                return
            with self._lock:
                self._waiting.pop(table.name, None)
