"""PostgreSQL keeps the laws of a store."""

from pathlib import Path
from uuid import uuid4

import pytest

from qanat.clock import Clock, SystemClock
from qanat.interfaces import Store, StoreOptions
from qanat.stores.postgres import open_store as open_postgres
from qanat.testing.laws import OpenStore, StoreLaws
from qanat.testing.laws_store import committed

pytestmark = pytest.mark.postgres


class TestPostgresStore(StoreLaws):
    """All laws, each in a schema of its own: a pipeline of its own in the module's database."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The real one: leases go by the database's clock."""
        return SystemClock()

    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock, postgres_url: str) -> OpenStore:
        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        pipeline = f"law_{uuid4().hex[:12]}"
        return lambda: open_postgres(postgres_url, pipeline, options)

    def make_newer(self, store: Store) -> None:
        newer = "update qanat_meta set value = '9999' where name = 'schema_version'"
        assert 1 == committed(store, lambda tx: tx.execute(newer))
