"""The connection that transactions write through, one after the other: what was registered with it stays."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from qanat.duckdb_rows import Relation

# Each table that is written has one or two schemas of rows.
RELATIONS_MAX = 64


class Writer:
    """A connection, and Arrow rows as relations of it.

    To open a connection and to register rows anew for each statement took 4 of the 37 ms of a small batch that writes five
    tables.

    Attributes:
        connection: One thread uses it at a time.
        last_commit: The number of the last commit that was noted through it; 0 as long as it isn't known.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.last_commit = 0
        self._relations: dict[pa.Schema, tuple[str, Relation]] = {}

    @contextmanager
    def rows(self, rows: pa.Table) -> Iterator[str]:
        """Let rows be a relation in the statements of the block; gives its name. Not to be nested for one schema."""
        name, relation = self._relation(rows.schema)
        relation.rows = rows
        try:
            yield name
        finally:
            relation.clear()

    @contextmanager
    def stream(self, batches: pa.RecordBatchReader) -> Iterator[str]:
        """Let batches be a relation that one statement of the block reads; gives its name."""
        name = "qanat_stream"
        self.connection.register(name, batches)
        yield name
        # Not after a failure: nothing more can be done in the transaction, and the connection goes with it.
        self.connection.unregister(name)

    def _relation(self, schema: pa.Schema) -> tuple[str, Relation]:
        known = self._relations.get(schema)
        if known is None:
            if len(self._relations) >= RELATIONS_MAX:
                for name, _ in self._relations.values():
                    self.connection.unregister(name)
                self._relations.clear()
            known = f"qanat_rows_{len(self._relations)}", Relation(schema)
            self.connection.register(*known)
            self._relations[schema] = known
        return known
