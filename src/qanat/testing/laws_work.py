"""Laws of a queue of due items that lives in a store."""

from datetime import timedelta
from uuid import uuid4

from qanat.clock import Clock
from qanat.interfaces import Store, WorkSource
from qanat.records import Item
from qanat.testing.laws_store import (
    FAR,
    STAGE,
    OpenStore,
    StoreLawsBase,
    committed,
    together,
)

QUEUE = "law_queue"
SCOPE = "scope"
LONG_S = 600.0
"""A lease that doesn't end within a law."""
SHORT_S = 0.1
"""A lease that a law lets end: by the real clock where the store has no other, therefore short."""
OVER_S = 0.25
"""Until then a short lease is over."""


def put(store: Store, *items: Item) -> None:
    """Enqueue items in a transaction of their own."""
    committed(store, lambda tx: tx.enqueue(QUEUE, items))


def done(store: Store, *ids: str) -> None:
    """Finish items in a transaction of its own."""
    committed(store, lambda tx: tx.finish(QUEUE, ids))


def take(
    queue: WorkSource, count: int = 100, lease_s: float = LONG_S, owner: str = "a"
) -> list[Item]:
    """Claim whatever may be claimed, with `now` so late that all of it is due."""
    return list(queue.claim(owner, count, lease_s, FAR))


def ids(items: list[Item]) -> list[str]:
    """Return the ids in order."""
    return [item.id for item in items]


class QueueLaws(StoreLawsBase):
    """Items go in with a transaction, are claimed by one owner at a time, and go out with a
    transaction.
    """

    def item(self, name: str, clock: Clock, due_s: float = 0.0, key: str | None = None) -> Item:
        """Return an item that is due `due_s` from now."""
        due_at = clock.now() + timedelta(seconds=due_s)
        return Item(name, SCOPE, name.encode() + b"\0", due_at, order_key=key)

    def test_empty_queue(self, store: Store) -> None:
        """A queue that nothing was put into is empty and drained."""
        queue = store.due(QUEUE)
        assert [] == take(queue)
        assert queue.drained(SCOPE)
        assert [] == list(queue.aside())

    def test_comes_as_it_went(self, store: Store, clock: Clock) -> None:
        """A claimed item is what was put in, and says that this is its first attempt."""
        item = self.item("a", clock, key="k")
        put(store, item)
        (found,) = take(store.due(QUEUE))
        assert Item("a", SCOPE, b"a\0", item.due_at, 1, "k") == found

    def test_oldest_due_first(self, store: Store, clock: Clock) -> None:
        """Items come in the order in which they were due, no more than were asked for."""
        put(store, *(self.item(f"{n}", clock, due_s=(n * 3) % 7) for n in range(1, 7)))
        queue = store.due(QUEUE)
        assert ["5", "3"] == ids(take(queue, 2))
        assert ["1", "6", "4", "2"] == ids(take(queue))

    def test_not_before_due(self, store: Store, clock: Clock) -> None:
        """An item isn't given out before `now` has come to its due time."""
        put(store, self.item("soon", clock, 10.0), self.item("later", clock, 20.0))
        queue = store.due(QUEUE)
        start = clock.now()
        assert [] == list(queue.claim("a", 10, LONG_S, start))
        found = queue.claim("a", 10, LONG_S, start + timedelta(seconds=15))
        assert ["soon"] == ids(list(found))

    def test_queues_are_apart(self, store: Store, clock: Clock) -> None:
        """An item belongs to one queue; the same id in another is another item."""
        put(store, self.item("a", clock))
        other = Item("a", SCOPE, b"other", clock.now())
        committed(store, lambda tx: tx.enqueue("another", [other]))
        assert [b"other"] == [item.payload for item in take(store.due("another"))]
        committed(store, lambda tx: tx.finish("another", ["a"]))
        assert ["a"] == ids(take(store.due(QUEUE)))

    def test_same_id_stays(self, store: Store, clock: Clock) -> None:
        """An id that is there already stays as it is, leased or not, also within one call."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        changed = Item("a", "other scope", b"changed", clock.now())
        twice = Item("b", SCOPE, b"first", clock.now()), Item("b", SCOPE, b"second", clock.now())
        put(store, changed, *twice)
        assert [b"a\0", b"first"] == sorted(item.payload for item in take(queue))
        put(store, changed)
        assert [] == take(queue)

    def test_leased_to_one(self, store: Store, clock: Clock) -> None:
        """What is leased isn't given out again, to nobody."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        assert ["a"] == ids(take(queue, owner="a"))
        assert [] == take(queue, owner="b")
        assert [] == take(queue, owner="a")

    def test_threads_share(self, store: Store, clock: Clock) -> None:
        """Threads that claim at the same moment never get the same item, and together all of
        them.
        """
        put(store, *(self.item(f"{n:02d}", clock) for n in range(20)))
        self._share(store, [store] * 4)

    def test_handles_share(self, store: Store, open_store: OpenStore, clock: Clock) -> None:
        """The same between two handles."""
        put(store, *(self.item(f"{n:02d}", clock) for n in range(20)))
        other = self.second_handle(store, open_store)
        self._share(store, [store, other])
        other.close()

    def _share(self, store: Store, handles: list[Store]) -> None:
        def work(number: int) -> list[str]:
            queue = handles[number].due(QUEUE)
            mine: list[str] = []
            while found := take(queue, 3, owner=f"owner {number}"):
                mine += ids(found)
            return mine

        got = [name for mine in together(len(handles), work) for name in mine]
        left = ids(take(store.due(QUEUE)))
        assert [f"{n:02d}" for n in range(20)] == sorted(got + left)

    def test_finish_removes(self, store: Store, clock: Clock) -> None:
        """A finished item is gone; ids that aren't there are ignored."""
        put(store, self.item("a", clock), self.item("b", clock))
        queue = store.due(QUEUE)
        take(queue)
        done(store, "a", "unknown")
        assert not queue.drained(SCOPE)
        done(store, "b", "a")
        assert queue.drained(SCOPE)

    def test_finish_rolled_back(self, store: Store, clock: Clock) -> None:
        """A finish, or an enqueue, that didn't commit hasn't happened."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        found = take(queue)
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.finish(QUEUE, ["a"])
            transaction.enqueue(QUEUE, [self.item("b", clock)])
        assert not queue.drained(SCOPE)
        queue.release(found, 0.0, "again")
        assert ["a"] == ids(take(queue))

    def test_finish_and_enqueue(self, store: Store, clock: Clock) -> None:
        """Within a transaction they happen in their order: an id may leave and come again."""
        put(store, self.item("a", clock))
        take(store.due(QUEUE))
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.finish(QUEUE, ["a"])
            transaction.enqueue(QUEUE, [self.item("a", clock), self.item("b", clock)])
            transaction.finish(QUEUE, ["b"])
            transaction.commit()
        assert [("a", 1)] == [(item.id, item.attempt) for item in take(store.due(QUEUE))]

    def test_drained_is_a_barrier(self, store: Store, clock: Clock) -> None:
        """A scope is drained when nothing of it is open, leased or delayed; other scopes don't
        count.
        """
        put(store, self.item("a", clock, due_s=1000.0))
        put(store, Item("other", "other scope", b"", clock.now()))
        queue = store.due(QUEUE)
        assert not queue.drained(SCOPE)
        found = [item for item in take(queue) if item.scope == SCOPE]
        assert not queue.drained(SCOPE)
        queue.release(found, 1000.0, "delayed")
        assert not queue.drained(SCOPE)
        done(store, "a")
        assert queue.drained(SCOPE)
        assert not queue.drained("other scope")
        assert queue.drained("a scope that never was")

    def test_ordered_by_key(self, store: Store, clock: Clock) -> None:
        """Items with one order key are claimed one at a time, in order of id; others aren't held
        up.
        """
        put(store, self.item("k2", clock, key="k"), self.item("k1", clock, due_s=5.0, key="k"))
        put(
            store,
            self.item("k3", clock, key="k"),
            self.item("x", clock),
            self.item("j9", clock, key="j"),
        )
        queue = store.due(QUEUE)
        assert {"k1", "x", "j9"} == set(ids(take(queue)))
        assert [] == take(queue)
        done(store, "k1")
        assert ["k2"] == ids(take(queue))
        done(store, "k2", "x")
        assert ["k3"] == ids(take(queue))

    def test_ordered_waits_for_the_first(self, store: Store, clock: Clock) -> None:
        """An item waits also for an earlier one of its key that isn't due yet or was given back."""
        put(store, self.item("k1", clock, due_s=1000.0, key="k"), self.item("k2", clock, key="k"))
        queue = store.due(QUEUE)
        assert [] == list(queue.claim("a", 10, LONG_S, clock.now()))
        queue.release(take(queue), 1000.0, "not yet")
        assert [] == list(queue.claim("a", 10, LONG_S, clock.now()))
        done(store, "k1")
        assert ["k2"] == ids(list(queue.claim("a", 10, LONG_S, clock.now())))

    def test_queue_survives_reopening(
        self, store: Store, open_store: OpenStore, clock: Clock
    ) -> None:
        """Items are there after closing and opening again, with the attempts they had."""
        put(store, self.item("a", clock), self.item("b", clock))
        queue = store.due(QUEUE)
        queue.release(take(queue, 1), 0.0, "again")
        store.close()
        again = open_store()
        assert {"a": 2, "b": 1} == {item.id: item.attempt for item in take(again.due(QUEUE))}
        again.close()
