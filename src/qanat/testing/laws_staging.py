"""Laws of staging: durable, invisible, replaced by the same (table, attempt, part)."""

from uuid import uuid4

import pyarrow as pa

from qanat.interfaces import Store
from qanat.records import Staged
from qanat.tables import Append
from qanat.testing.laws_store import (
    EVENTS,
    SHAPE,
    STAGE,
    OpenStore,
    StoreLawsBase,
    committed,
    contents,
    rows,
    together,
)


def _merged(store: Store, parts: list[Staged]) -> list[tuple[object, ...]]:
    """Append the parts, staged in the shape of EVENTS, and return what EVENTS holds then."""
    committed(store, lambda tx: tx.merge(EVENTS, parts, Append()))
    return contents(store, EVENTS)


def _events(*ids: int) -> pa.Table:
    return rows(EVENTS, *((one, None) for one in ids))


class StagingLaws(StoreLawsBase):
    """Staged rows wait, out of sight, for a transaction that merges them."""

    def test_parts_are_invisible(self, store: Store) -> None:
        """Readers of the table don't see staged rows."""
        staged = store.stage(EVENTS, _events(1, 2), uuid4(), 0)
        assert [] == contents(store, EVENTS)
        assert [(1, None), (2, None)] == _merged(store, [staged])

    def test_staged_lists_parts(self, store: Store) -> None:
        """`staged` lists the parts of one table and attempt, ordered by part, with their rows."""
        attempt, other = uuid4(), uuid4()
        for part in (2, 0, 11, 1):
            given = Staged(EVENTS.name, attempt, part, part)
            assert given == store.stage(EVENTS, _events(*range(part)), attempt, part)
        store.stage(EVENTS, _events(1), other, 5)
        store.stage(SHAPE, rows(SHAPE, (1, 1)), attempt, 7)
        found = store.staged(EVENTS, attempt)
        assert [Staged(EVENTS.name, attempt, part, part) for part in (0, 1, 2, 11)] == list(found)
        assert [Staged(SHAPE.name, attempt, 7, 1)] == list(store.staged(SHAPE, attempt))
        assert [] == list(store.staged(EVENTS, uuid4()))

    def test_same_part_replaces(self, store: Store) -> None:
        """Staging the same part again replaces its rows, also by fewer."""
        attempt = uuid4()
        store.stage(EVENTS, _events(1, 2, 3), attempt, 0)
        store.stage(EVENTS, _events(4), attempt, 1)
        again = store.stage(EVENTS, _events(5), attempt, 0)
        assert Staged(EVENTS.name, attempt, 0, 1) == again
        parts = list(store.staged(EVENTS, attempt))
        assert [1, 1] == [part.rows for part in parts]
        assert [(4, None), (5, None)] == _merged(store, parts)

    def test_parts_of_tables_are_apart(self, store: Store) -> None:
        """The same attempt and part of another table is another part."""
        attempt = uuid4()
        part = store.stage(EVENTS, _events(1), attempt, 0)
        store.stage(SHAPE, rows(SHAPE, (7, 7)), attempt, 0)
        assert [(1, None)] == _merged(store, [part])

    def test_discard_drops_an_attempt(self, store: Store) -> None:
        """`discard` drops all of one attempt and nothing of another; twice is harmless."""
        gone, kept = uuid4(), uuid4()
        for attempt in (gone, kept):
            store.stage(EVENTS, _events(1), attempt, 0)
            store.stage(SHAPE, rows(SHAPE, (1, 1)), attempt, 0)
        store.discard(gone)
        store.discard(gone)
        store.discard(uuid4())
        assert [] == [*store.staged(EVENTS, gone), *store.staged(SHAPE, gone)]
        assert 2 == len([*store.staged(EVENTS, kept), *store.staged(SHAPE, kept)])

    def test_rollback_keeps_parts(self, store: Store) -> None:
        """Parts outlive a transaction that merged them and didn't commit."""
        attempt = uuid4()
        part = store.stage(EVENTS, _events(1), attempt, 0)
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.merge(EVENTS, [part], Append())
        assert [] == contents(store, EVENTS)
        assert [(1, None)] == _merged(store, list(store.staged(EVENTS, attempt)))

    def test_staging_beside_a_transaction(self, store: Store) -> None:
        """Other threads can stage while a transaction is open, and what they stage survives its
        rollback.
        """
        attempt = uuid4()
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.write(EVENTS, _events(9), Append())
            together(1, lambda _: store.stage(EVENTS, _events(1), attempt, 0))
        assert [(1, None)] == _merged(store, list(store.staged(EVENTS, attempt)))

    def test_threads_stage_at_once(self, store: Store) -> None:
        """Threads stage parts of one attempt at the same moment; none is lost or mixed up."""
        attempt = uuid4()
        together(4, lambda part: store.stage(EVENTS, _events(*[part] * 50), attempt, part))
        parts = list(store.staged(EVENTS, attempt))
        assert [50] * 4 == [part.rows for part in parts]
        assert [(part, None) for part in (1, 3) for _ in range(50)] == _merged(store, parts[1::2])

    def test_parts_survive_reopening(self, store: Store, open_store: OpenStore) -> None:
        """Parts are there after closing and opening again."""
        attempt = uuid4()
        store.stage(EVENTS, _events(1, 2), attempt, 3)
        store.close()
        again = open_store()
        parts = list(again.staged(EVENTS, attempt))
        assert [Staged(EVENTS.name, attempt, 3, 2)] == parts
        assert [(1, None), (2, None)] == _merged(again, parts)
        again.close()

    def test_another_handle_merges(self, store: Store, open_store: OpenStore) -> None:
        """What one handle staged another can merge."""
        attempt = uuid4()
        other = self.second_handle(store, open_store)
        other.stage(EVENTS, _events(1), attempt, 0)
        assert [(1, None)] == _merged(store, list(store.staged(EVENTS, attempt)))
        other.close()
