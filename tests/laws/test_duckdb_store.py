"""DuckDB keeps the laws of a store."""

from pathlib import Path

import pytest
from qanat.stores.duckdb import open_store as open_duckdb

from qanat.clock import Clock
from qanat.interfaces import StoreOptions
from qanat.testing.laws import OpenStore, StoreLaws


class TestDuckdbStore(StoreLaws):
    """All laws, each on a file of its own."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock) -> OpenStore:
        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        return lambda: open_duckdb(f"duckdb:{tmp_path / 'law.duckdb'}", "law", options)
