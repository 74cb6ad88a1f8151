"""Laws of leases: how they end, and what becomes of an item that nobody can finish."""

from qanat.clock import Clock
from qanat.interfaces import Store, WorkSource
from qanat.testing.laws_store import StoreLawsBase
from qanat.testing.laws_work import (
    LONG_S,
    OVER_S,
    QUEUE,
    SCOPE,
    SHORT_S,
    QueueLaws,
    done,
    ids,
    put,
    take,
)


class LeaseLaws(QueueLaws, StoreLawsBase):
    """A lease ends by finish, by release or by time; an item that was claimed too often goes
    aside.
    """

    def test_lease_runs_out(self, store: Store, clock: Clock) -> None:
        """When its lease is over an unfinished item comes again, as the next attempt."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        take(queue, lease_s=SHORT_S, owner="a")
        clock.sleep(OVER_S)
        assert [("a", 2)] == [(item.id, item.attempt) for item in take(queue, owner="b")]

    def test_extend_returns_ours(self, store: Store, clock: Clock) -> None:
        """An extended lease holds longer, and `extend` returns the items that are still ours."""
        put(store, self.item("a", clock), self.item("b", clock))
        queue = store.due(QUEUE)
        found = take(queue, lease_s=LONG_S / 100)
        done(store, "b")
        assert ["a"] == ids(list(queue.extend("a", found, LONG_S)))
        assert [] == list(queue.extend("somebody else", found, LONG_S))

    def test_extended_lease_holds(self, store: Store, clock: Clock) -> None:
        """Extended, a lease outlives its first end; shortened, it ends sooner."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        found = take(queue, lease_s=LONG_S)
        queue.extend("a", found, SHORT_S)
        clock.sleep(OVER_S)
        (again,) = take(queue, owner="b", lease_s=LONG_S)
        queue.extend("b", [again], LONG_S)
        clock.sleep(OVER_S)
        assert [] == take(queue, owner="c")

    def test_lost_lease(self, store: Store, clock: Clock) -> None:
        """What another has claimed since isn't ours any more, and can't be taken from him by giving
        it back.
        """
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        lost = take(queue, lease_s=SHORT_S, owner="a")
        clock.sleep(OVER_S)
        take(queue, owner="b")
        assert [] == list(queue.extend("a", lost, LONG_S))
        queue.release(lost, 0.0, "too late")
        assert [] == take(queue, owner="c")

    def test_release_gives_back(self, store: Store, clock: Clock) -> None:
        """A released item can be claimed again at once, by anybody."""
        put(store, self.item("a", clock))
        queue = store.due(QUEUE)
        queue.release(take(queue), 0.0, "again")
        assert [("a", 2)] == [(item.id, item.attempt) for item in take(queue, owner="b")]

    def test_release_with_delay(self, store: Store, clock: Clock) -> None:
        """A released item comes again after the delay and not before."""
        put(store, self.item("a", clock), self.item("b", clock))
        queue = store.due(QUEUE)
        first, second = take(queue)
        queue.release([first], LONG_S, "much later")
        queue.release([second], SHORT_S, "soon")
        clock.sleep(OVER_S)
        assert [second.id] == ids(list(queue.claim("b", 10, LONG_S, clock.now())))

    def _use_up(self, queue: WorkSource) -> None:
        """Claim and release until the item has been claimed as often as it may."""
        for attempt in range(1, self.attempts_max + 1):
            (item,) = take(queue)
            assert attempt == item.attempt
            queue.release([item], 0.0, f"reason {attempt}")

    def test_goes_aside(self, store: Store, clock: Clock) -> None:
        """After `attempts_max` claims a released item goes aside with its last reason; others
        aren't touched.
        """
        put(store, self.item("bad", clock))
        queue = store.due(QUEUE)
        self._use_up(queue)
        put(store, self.item("good", clock))
        assert ["good"] == ids(take(queue))
        ((item, reason),) = queue.aside()
        assert ("bad", b"bad\0", SCOPE, self.attempts_max) == (
            item.id,
            item.payload,
            item.scope,
            item.attempt,
        )
        assert f"reason {self.attempts_max}" == reason

    def test_aside_is_drained(self, store: Store, clock: Clock) -> None:
        """What went aside doesn't hold up a barrier, and can be finished."""
        put(store, self.item("bad", clock))
        queue = store.due(QUEUE)
        self._use_up(queue)
        assert queue.drained(SCOPE)
        done(store, "bad")
        assert [] == list(queue.aside())

    def test_killer_goes_aside(self, store: Store, clock: Clock) -> None:
        """An item goes aside also when every lease of it ran out: perhaps it kills whoever works on
        it.
        """
        put(store, self.item("killer", clock))
        queue = store.due(QUEUE)
        for _ in range(self.attempts_max):
            assert ["killer"] == ids(take(queue, lease_s=SHORT_S))
            clock.sleep(OVER_S)
        assert [] == take(queue)
        assert ["killer"] == [item.id for item, _ in queue.aside()]
        assert queue.drained(SCOPE)
