"""What the tests of the PostgreSQL store share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import PostgresStore, open_store
from qanat.tables import Table


@contextmanager
def opened(url: str, folder: Path, *tables: Table, pipeline: str = "") -> Iterator[PostgresStore]:
    """Open a store of a pipeline (default: a new one), with these tables."""
    options = StoreOptions(folder, SystemClock(), attempts_max=3)
    store = open_store(url, pipeline or f"p_{uuid4().hex[:12]}", options)
    try:
        store.migrate(tables)
        yield store
    finally:
        store.close()
