"""What was staged before a crash stays beside what is staged again, and both are merged."""

import os
from uuid import UUID

import pyarrow as pa

from qanat.records import Staged
from qanat.stores.duckdb import DuckdbStore
from qanat.tables import Table
from tests.faults.broken.breaking import replaced

_stage = DuckdbStore.stage


def stage(self: DuckdbStore, table: Table, rows: pa.Table, attempt: UUID, part: int) -> Staged:
    """Stage under another number in each process."""
    return _stage(self, table, rows, attempt, part * 100_000 + os.getpid() % 100_000)


def break_it() -> None:
    """Break this process."""
    replaced(DuckdbStore, "stage", stage)
