"""PostgreSQL keeps the laws of a store."""

from pathlib import Path
from uuid import uuid4

import pytest

from qanat.clock import Clock, SystemClock
from qanat.interfaces import StoreOptions
from qanat.testing.laws import OpenStore, StoreLaws

pytestmark = pytest.mark.postgres


class TestPostgresStore(StoreLaws):
    """All laws, each in a schema of its own: a pipeline of its own in the module's database."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The real one: leases go by the database's clock."""
        return SystemClock()

    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock, postgres_url: str) -> OpenStore:
        from qanat.stores.postgres import open_store

        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        pipeline = f"law_{uuid4().hex[:12]}"
        return lambda: open_store(postgres_url, pipeline, options)
