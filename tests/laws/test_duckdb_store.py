"""DuckDB keeps the laws of a store."""

from pathlib import Path

import pytest

from qanat.clock import Clock
from qanat.interfaces import Store, StoreOptions
from qanat.stores.duckdb import open_store as open_duckdb
from qanat.testing.laws import OpenStore, StoreLaws
from qanat.testing.laws_store import committed


class TestDuckdbStore(StoreLaws):
    """All laws, each on a file of its own."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock) -> OpenStore:
        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        return lambda: open_duckdb(f"duckdb:{tmp_path / 'law.duckdb'}", "law", options)

    def make_newer(self, store: Store) -> None:
        newer = "update qanat_meta set value = '9999' where key = 'schema_version'"
        assert 1 == committed(store, lambda tx: tx.execute(newer))
