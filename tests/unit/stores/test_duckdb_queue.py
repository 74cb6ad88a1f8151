"""Leases of a DuckDB queue end with the process that had them; what was claimed too often goes aside."""

from pathlib import Path
from uuid import uuid4

import pytest

from qanat.interfaces import StoreOptions
from qanat.records import Item
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.testing.clock import FakeClock

ATTEMPTS_MAX = 2
HOUR_S = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def opened(data_dir: Path, clock: FakeClock) -> DuckdbStore:
    store = open_store("duckdb:", "p", StoreOptions(data_dir, clock, attempts_max=ATTEMPTS_MAX))
    store.migrate([])
    return store


def put(store: DuckdbStore, *items: Item) -> None:
    with store.begin("stage", uuid4()) as transaction:
        transaction.enqueue("q", items)
        transaction.commit()


def test_a_new_process_frees_leases(tmp_path: Path, clock: FakeClock) -> None:
    """What was leased when the former process ended can be claimed at once, as the next attempt."""
    store = opened(tmp_path, clock)
    put(store, Item("a", "s", b"", clock.now()))
    assert ["a"] == [item.id for item in store.due("q").claim("me", 5, HOUR_S, clock.now())]
    store.close()
    store = opened(tmp_path, clock)
    (item,) = store.due("q").claim("me again", 5, HOUR_S, clock.now())
    assert 2 == item.attempt
    store.close()
    store = opened(tmp_path, clock)
    queue = store.due("q")
    assert [] == list(queue.claim("and again", 5, HOUR_S, clock.now()))
    assert ["a"] == [item.id for item, _ in queue.aside()]
    assert queue.drained("s")
    store.close()


def test_many_at_once(tmp_path: Path, clock: FakeClock) -> None:
    """Thousands of items go in with one transaction, in any order, and come out in theirs."""
    store = opened(tmp_path, clock)
    keys = [None, "k1", "k2"]
    items = [
        Item(f"{n:05d}", "s", str(n).encode(), clock.now(), 0, keys[n % 3]) for n in range(3000)
    ]
    put(store, *reversed(items))
    found = store.due("q").claim("me", 3000, HOUR_S, clock.now())
    expected = [item for item in items if item.order_key is None or item.id in {"00001", "00002"}]
    assert [(item.id, item.payload) for item in expected] == [
        (item.id, item.payload) for item in found
    ]
    store.close()


def test_claims_beside_a_transaction(tmp_path: Path, clock: FakeClock) -> None:
    """Claiming and extending don't wait for the transaction that is open, even in the same thread."""
    store = opened(tmp_path, clock)
    put(store, Item("a", "s", b"", clock.now()), Item("b", "s", b"", clock.now()))
    queue = store.due("q")
    with store.begin("stage", uuid4()) as transaction:
        found = queue.claim("me", 1, HOUR_S, clock.now())
        transaction.enqueue("q", [Item("c", "s", b"", clock.now())])
        assert found == queue.extend("me", found, HOUR_S)
        transaction.finish("q", [found[0].id])
        transaction.commit()
    assert ["b", "c"] == [item.id for item in queue.claim("me", 5, HOUR_S, clock.now())]
    store.close()
