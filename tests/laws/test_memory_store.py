"""The in-memory store keeps the laws that the other stores keep."""

from pathlib import Path
from uuid import uuid4

import pytest

from qanat.clock import Clock
from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Store, StoreOptions
from qanat.testing import FakeClock
from qanat.testing.laws import OpenStore, StoreLaws
from qanat.testing.memory_database import SCHEMA_VERSION, MemoryDatabase
from qanat.testing.memory_store import MemoryStore, open_store


class TestMemoryStore(StoreLaws):
    """All laws; also those of two handles, which one database in one process can have."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: Clock) -> OpenStore:
        options = StoreOptions(tmp_path, clock, attempts_max=self.attempts_max)
        database = MemoryDatabase()
        return lambda: MemoryStore(options, database)

    def second_handle(self, store: Store, open_store: OpenStore) -> Store:
        return open_store()

    def make_newer(self, store: Store) -> None:
        assert isinstance(store, MemoryStore)
        store.database.schema_version = SCHEMA_VERSION + 1


class TestOpenStore:
    """`open_store`, as for every store."""

    def test_name_keeps_the_database(self, tmp_path: Path) -> None:
        """A name opens the same database again, for the same pipeline; without one each is
        its own.
        """
        options = StoreOptions(tmp_path, FakeClock())
        name = f"memory:{uuid4()}"
        assert identity(name, options) == identity(name, options)
        assert identity(name, options) != identity(name, options, pipeline="another")
        assert identity("memory:", options) != identity("memory:", options)

    def test_other_scheme(self, tmp_path: Path) -> None:
        """Another scheme is refused."""
        with pytest.raises(ConfigError, match="memory:NAME"):
            open_store("duckdb:x", "pipeline", StoreOptions(tmp_path, FakeClock()))

    def test_read_only(self, tmp_path: Path) -> None:
        """Opened to look only, it refuses whatever writes."""
        store = open_store("memory:", "p", StoreOptions(tmp_path, FakeClock(), read_only=True))
        with pytest.raises(ConfigError, match="read_only"):
            store.migrate([])
        with pytest.raises(ConfigError, match="read_only"):
            store.begin("stage", uuid4())
        with store.snapshot() as reader:
            assert [1] == reader.query("select 1 as one").column("one").to_pylist()

    def test_transaction_within_a_transaction(self, tmp_path: Path) -> None:
        """A thread that would wait for itself is told so."""
        store = open_store("memory:", "p", StoreOptions(tmp_path, FakeClock()))
        with (
            store.begin("stage", uuid4()),
            pytest.raises(Fatal, match="wait for itself"),
            store.begin("stage", uuid4()),
        ):
            pytest.fail("begun twice")
        with store.begin("stage", uuid4()) as transaction:
            transaction.commit()


def identity(url: str, options: StoreOptions, pipeline: str = "pipeline") -> str:
    """Open a store and tell its identity."""
    return open_store(url, pipeline, options).identity
