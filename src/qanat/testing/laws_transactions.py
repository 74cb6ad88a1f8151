"""Laws of a store's transactions: all or nothing, and progress by compare-and-set."""

from uuid import uuid4

import pytest

from qanat.errors import Fenced, QanatError, Retryable
from qanat.interfaces import Store, Transaction
from qanat.records import Item, Move, Progress
from qanat.tables import Add, Append
from qanat.testing.clock import START
from qanat.testing.laws_store import (
    EVENTS,
    FAR,
    PARTITION,
    REDO_MAX,
    STAGE,
    TOTALS,
    OpenStore,
    StoreLawsBase,
    committed,
    contents,
    progress,
    rows,
    together,
)


def _everything(transaction: Transaction, before: Progress) -> None:
    """Do one of each thing that a transaction can do."""
    transaction.advance(STAGE, {PARTITION: Move(before.version, "life-1", "10")})
    transaction.enter(["entered"])
    transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
    transaction.write(
        TOTALS, rows(TOTALS, (7, 5, 1, None)), Add(("consumer",), ("amount", "lines"))
    )
    transaction.execute("insert into law_events (id, body) values ($id, 'two')", {"id": 2})
    transaction.enqueue("queue", [Item("new", "scope", b"{}", START)])
    transaction.finish("queue", ["old"])


def _moved(store: Store, move: Move) -> None:
    committed(store, lambda tx: tx.advance(STAGE, {PARTITION: move}))


def _write_and_commit(transaction: Transaction) -> None:
    transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
    transaction.commit()


def _queued(store: Store) -> set[str]:
    queue = store.due("queue")
    items = queue.claim("looker", 10, 60.0, FAR)
    queue.release(items, 0.0, "only looked")
    return {item.id for item in items}


def _entered(store: Store) -> bool:
    with store.begin(STAGE, uuid4()) as transaction:
        return bool(transaction.enter(["entered"]))


class TransactionLaws(StoreLawsBase):
    """All or nothing; a stale version changes nothing; the outcome of a commit can be asked for."""

    def test_commit_makes_all_durable(self, store: Store) -> None:
        """A commit makes rows, ledger, progress and queue durable together."""
        committed(store, lambda tx: tx.enqueue("queue", [Item("old", "scope", b"", START)]))
        before = progress(store)
        with store.begin(STAGE, uuid4()) as transaction:
            _everything(transaction, before)
            transaction.commit()
        assert [(1, "one"), (2, "two")] == contents(store, EVENTS)
        assert [(7, 5, 1, None)] == contents(store, TOTALS)
        assert Progress("10", before.version + 1, "life-1") == progress(store)
        assert _entered(store)
        assert {"new"} == _queued(store)

    @pytest.mark.parametrize("way", ["left", "raised"])
    def test_rollback_leaves_nothing(self, store: Store, way: str) -> None:
        """Leaving a transaction without commit, or by an exception (which passes through), leaves
        no trace.
        """
        committed(store, lambda tx: tx.enqueue("queue", [Item("old", "scope", b"", START)]))
        before = progress(store)
        commit_id = uuid4()
        if way == "left":
            with store.begin(STAGE, commit_id) as transaction:
                _everything(transaction, before)
        else:
            with pytest.raises(ZeroDivisionError), store.begin(STAGE, commit_id) as transaction:
                _everything(transaction, before)
                raise ZeroDivisionError
        assert [] == contents(store, EVENTS)
        assert [] == contents(store, TOTALS)
        assert before == progress(store)
        assert not _entered(store)
        assert {"old"} == _queued(store)
        assert not store.outcome(STAGE, commit_id)

    def test_own_writes_are_read(self, store: Store) -> None:
        """Inside the transaction its own writes are seen, and outside they aren't."""
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
            found = transaction.query("select body from law_events where id = $id", {"id": 1})
            assert ["one"] == found.column("body").to_pylist()
            assert [] == contents(store, EVENTS)

    def test_execute_counts(self, store: Store) -> None:
        """`execute` returns how many rows it touched."""
        committed(
            store, lambda tx: tx.write(EVENTS, rows(EVENTS, (1, "a"), (2, "b"), (3, "c")), Append())
        )
        update = "update law_events set body = $body where id >= $id"
        assert 2 == committed(store, lambda tx: tx.execute(update, {"body": "x", "id": 2}))
        assert 0 == committed(store, lambda tx: tx.execute("delete from law_events where id = 9"))
        assert [(1, "a"), (2, "x"), (3, "x")] == contents(store, EVENTS)

    def test_first_progress(self, store: Store) -> None:
        """Before the first move there is no position and no incarnation."""
        found = progress(store)
        assert (None, None) == (found.position, found.incarnation)

    def test_stale_version_is_fenced(self, store: Store) -> None:
        """A move from a version that isn't the stored one is Fenced, and nothing of its transaction
        is written.
        """
        stale = progress(store).version
        _moved(store, Move(stale, "life-1", "10"))
        before = progress(store)
        commit_id = uuid4()
        with pytest.raises(Fenced), store.begin(STAGE, commit_id) as transaction:
            transaction.advance(STAGE, {PARTITION: Move(stale, "life-1", "99")})
            transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
            transaction.commit()
        assert before == progress(store)
        assert [] == contents(store, EVENTS)
        assert not store.outcome(STAGE, commit_id)

    def test_fenced_for_good(self, store: Store) -> None:
        """Whoever overlooks that he was fenced writes nothing all the same."""
        stale = Move(progress(store).version - 1, "life-1", "99")
        with store.begin(STAGE, uuid4()) as transaction:
            with pytest.raises(Fenced):
                transaction.advance(STAGE, {PARTITION: stale})
            with pytest.raises(QanatError):
                _write_and_commit(transaction)
        assert [] == contents(store, EVENTS)

    @pytest.mark.parametrize("expected", [-1, 1, 1000])
    def test_version_that_never_was(self, store: Store, expected: int) -> None:
        """A version that was never given is Fenced too, before the first move as after it."""
        wrong = progress(store).version + expected
        with pytest.raises(Fenced), store.begin(STAGE, uuid4()) as transaction:
            transaction.advance(STAGE, {PARTITION: Move(wrong, "life-1", "10")})
            transaction.commit()
        assert progress(store).position is None

    def test_one_stale_partition_fences_all(self, store: Store) -> None:
        """When one of several partitions is stale, none moves."""
        found = store.claim(STAGE, ["0", "1"], "owner")
        move = Move(found["1"].version, "life-1", "5")
        committed(store, lambda tx: tx.advance(STAGE, {"1": move}))
        with pytest.raises(Fenced), store.begin(STAGE, uuid4()) as transaction:
            transaction.advance(STAGE, {"0": Move(found["0"].version, "life-1", "7"), "1": move})
            transaction.commit()
        again = store.claim(STAGE, ["0", "1"], "owner")
        assert {"0": None, "1": "5"} == {name: one.position for name, one in again.items()}

    def test_versions_are_never_reused(self, store: Store) -> None:
        """Every move makes the version grow by one, also one that rewinds to a position that was
        there before.
        """
        first = progress(store).version
        for step, position in enumerate(["10", "20", "10", "0", "10"]):
            _moved(store, Move(first + step, "life-1", position))
            assert Progress(position, first + step + 1, "life-1") == progress(store)

    def test_stages_and_partitions_are_apart(self, store: Store) -> None:
        """Progress belongs to one stage and one partition."""
        _moved(store, Move(progress(store).version, "life-1", "10"))
        assert progress(store, stage="another").position is None
        assert progress(store, partition="another").position is None

    def test_outcome_is_known(self, store: Store, open_store: OpenStore) -> None:
        """A commit id is known once it committed: by its stage, after later commits, and after
        reopening.
        """
        known = [uuid4() for _ in range(5)]
        for number, commit_id in enumerate(known):
            with store.begin(STAGE, commit_id) as transaction:
                transaction.write(EVENTS, rows(EVENTS, (number, None)), Append())
                transaction.commit()
            assert store.outcome(STAGE, commit_id)
        store.close()
        again = open_store()
        assert [True] * 5 == [again.outcome(STAGE, commit_id) for commit_id in known]
        assert not again.outcome(STAGE, uuid4())
        again.close()

    def test_one_of_two_racers_wins(self, store: Store) -> None:
        """Of several threads that move on from the same version exactly one commits; the others are
        fenced.
        """
        version = progress(store).version

        def race(number: int) -> bool:
            for _ in range(REDO_MAX):
                try:
                    with store.begin(STAGE, uuid4()) as transaction:
                        transaction.advance(
                            STAGE, {PARTITION: Move(version, "life-1", str(number))}
                        )
                        transaction.write(EVENTS, rows(EVENTS, (number, None)), Append())
                        transaction.commit()
                        return True
                except Fenced:
                    return False
                except Retryable:
                    continue
            raise AssertionError("neither won nor fenced")

        won = together(4, race)
        assert 1 == sum(won)
        assert [(won.index(True), None)] == contents(store, EVENTS)
        assert Progress(str(won.index(True)), version + 1, "life-1") == progress(store)

    def test_lock_is_exclusive(self, store: Store) -> None:
        """What is read and then written under a lock isn't lost, however many threads do it."""
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (0, None)), Append()))

        def increase(transaction: Transaction) -> None:
            transaction.lock("counter")
            found = transaction.query("select id from law_events").column("id").to_pylist()
            transaction.execute("update law_events set id = $id", {"id": found[0] + 1})

        together(4, lambda _: [committed(store, increase) for _ in range(3)])
        assert [(12, None)] == contents(store, EVENTS)

    def test_commits_survive_reopening(self, store: Store, open_store: OpenStore) -> None:
        """What was committed is there after closing and opening again."""
        before = progress(store)
        committed(store, lambda tx: _everything(tx, before))
        store.close()
        store.close()  # harmless
        again = open_store()
        assert 2 == len(contents(again, EVENTS))
        assert "10" == progress(again).position
        assert _entered(again)
        assert {"new"} == _queued(again)
        again.close()
