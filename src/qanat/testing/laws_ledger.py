"""Laws of the ledger: an id enters once."""

from uuid import uuid4

from qanat.errors import Retryable
from qanat.interfaces import Store
from qanat.tables import Append
from qanat.testing.laws_store import (
    EVENTS,
    REDO_MAX,
    STAGE,
    OpenStore,
    StoreLawsBase,
    committed,
    contents,
    rows,
    together,
)


class LedgerLaws(StoreLawsBase):
    """An id that entered is there for ever, for every transaction, until it is withdrawn."""

    def test_enters_once(self, store: Store) -> None:
        """`enter` returns those that were there already, and only those."""
        assert frozenset() == committed(store, lambda tx: tx.enter(["a", "b"]))
        assert {"b"} == committed(store, lambda tx: tx.enter(["c", "b"]))
        assert {"a", "b", "c"} == committed(store, lambda tx: tx.enter(["c", "b", "a", "d"]))

    def test_nothing_to_enter(self, store: Store) -> None:
        """No ids is no work."""
        assert frozenset() == committed(store, lambda tx: tx.enter([]))
        assert frozenset() == committed(store, lambda tx: tx.withdraw([]))

    def test_enter_within_one_transaction(self, store: Store) -> None:
        """An id given twice in one call enters once; a second call in the same transaction finds
        it.
        """
        with store.begin(STAGE, uuid4()) as transaction:
            assert frozenset() == transaction.enter(["a", "a"])
            assert {"a"} == transaction.enter(["a"])
            transaction.commit()
        assert {"a"} == committed(store, lambda tx: tx.enter(["a"]))

    def test_odd_ids(self, store: Store) -> None:
        """An id is its text, to the letter: case, spaces, quotes and scripts count."""
        ids = ["", " ", "a", "A", "a ", "'", '"', "\\N", "%s", "$id", "канат", "水道", "x" * 2000]
        assert frozenset() == committed(store, lambda tx: tx.enter(ids))
        assert frozenset(ids) == committed(store, lambda tx: tx.enter(ids))

    def test_many_ids(self, store: Store) -> None:
        """A thousand ids enter at once, the odd ones known before."""
        ids = [f"item-{number}" for number in range(1000)]
        committed(store, lambda tx: tx.enter(ids[1::2]))
        assert frozenset(ids[1::2]) == committed(store, lambda tx: tx.enter(ids))

    def test_enter_rolled_back(self, store: Store) -> None:
        """An id whose transaction didn't commit hasn't entered."""
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.enter(["a"])
        assert frozenset() == committed(store, lambda tx: tx.enter(["a"]))

    def test_withdraw(self, store: Store) -> None:
        """`withdraw` takes ids out and returns those that were there; then they can enter again."""
        committed(store, lambda tx: tx.enter(["a", "b"]))
        assert {"a"} == committed(store, lambda tx: tx.withdraw(["a", "z"]))
        assert {"b"} == committed(store, lambda tx: tx.enter(["a", "b"]))

    def test_withdraw_rolled_back(self, store: Store) -> None:
        """A withdrawal that didn't commit took nothing out."""
        committed(store, lambda tx: tx.enter(["a"]))
        with store.begin(STAGE, uuid4()) as transaction:
            assert {"a"} == transaction.withdraw(["a"])
        assert {"a"} == committed(store, lambda tx: tx.enter(["a"]))

    def test_ledger_survives_reopening(self, store: Store, open_store: OpenStore) -> None:
        """What entered is known after closing and opening again."""
        committed(store, lambda tx: tx.enter(["a"]))
        store.close()
        again = open_store()
        assert {"a"} == committed(again, lambda tx: tx.enter(["a", "b"]))
        again.close()

    def test_threads_enter_once(self, store: Store) -> None:
        """Of threads that enter overlapping ids in different order each id is new to exactly
        one.
        """
        _race(store, [store] * 4)

    def test_handles_enter_once(self, store: Store, open_store: OpenStore) -> None:
        """The same between two handles of one store."""
        other = self.second_handle(store, open_store)
        _race(store, [store, other])
        other.close()


def _race(store: Store, handles: list[Store]) -> None:
    """Let a thread per handle count each of 12 ids, in different order, unless the ledger
    knows it.
    """

    def count(number: int) -> None:
        order = [f"{(start * (2 * number + 1)) % 13:02d}" for start in range(1, 13)]
        for group in (order[:5], order[5:], order):
            for _ in range(REDO_MAX):
                try:
                    _count_new(handles[number], group)
                    break
                except Retryable:
                    continue
            else:
                raise AssertionError(f"still Retryable after {REDO_MAX} times")

    together(len(handles), count)
    assert [(number, None) for number in range(1, 13)] == contents(store, EVENTS)


def _count_new(store: Store, ids: list[str]) -> None:
    """Count the ids that are new: roll back when one isn't, and do it again without it."""
    left = list(ids)
    while left:
        with store.begin(STAGE, uuid4()) as transaction:
            known = transaction.enter(left)
            if not known:
                transaction.write(
                    EVENTS, rows(EVENTS, *((int(one), None) for one in left)), Append()
                )
                transaction.commit()
                return
        left = [one for one in left if one not in known]
