"""How many ask a store: counted by the second, of those who read with a limit."""

from pathlib import Path

from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import open_store
from qanat.stores.duckdb_demand import READS_PER_S_MIN, Demand
from qanat.testing import FakeClock


def test_by_the_second() -> None:
    """It is high while the second that passes, or the one before, had enough reads."""
    clock = FakeClock()
    demand = Demand(clock)
    for _ in range(READS_PER_S_MIN - 1):
        demand.note()
    assert not demand.is_high()
    demand.note()
    assert demand.is_high()
    clock.advance(1.0)
    assert demand.is_high()
    clock.advance(1.0)
    assert not demand.is_high()


def test_of_a_store(tmp_path: Path) -> None:
    """What the runtime reads for itself, without a limit, doesn't count."""
    store = open_store("duckdb:", "p", StoreOptions(tmp_path, SystemClock()))
    for _ in range(2 * READS_PER_S_MIN):
        with store.snapshot() as reader:
            reader.query("select 1 as one")
    assert not store.in_demand()
    for _ in range(2 * READS_PER_S_MIN):
        with store.snapshot(limit_s=10.0) as reader:
            reader.query("select 1 as one")
    assert store.in_demand()
    store.close()
