"""Laws of a store's schema: made once, widened later, never bent."""

from dataclasses import replace
from uuid import UUID

import pytest

from qanat.errors import Fatal
from qanat.interfaces import Store
from qanat.tables import Append, Column, ColumnType, Upsert
from qanat.testing.laws_store import (
    EVENTS,
    TABLES,
    TOTALS,
    OpenStore,
    StoreLawsBase,
    committed,
    contents,
    rows,
    together,
    tuples,
)

WIDER = replace(EVENTS, columns=(*EVENTS.columns, Column("extra", ColumnType.TEXT, nullable=True)))


class MigrateLaws(StoreLawsBase):
    """`migrate` brings a store up to date; `identity` tells it from any other."""

    def make_newer(self, store: Store) -> None:
        """Mark the store as made by a Qanat that is newer than this one, as that one would have
        done it.
        """
        raise NotImplementedError("the test module gives make_newer")

    def test_says_what_it_did(self, open_store: OpenStore) -> None:
        """The first time `migrate` names the tables it made; the second time there is nothing to
        do.
        """
        store = open_store()
        changes = store.migrate(TABLES)
        assert {table.name for table in TABLES} <= {change.table for change in changes}
        assert all(change.action for change in changes)
        assert [] == list(store.migrate(TABLES))
        assert [] == list(store.migrate([]))
        store.close()
        again = open_store()
        assert [] == list(again.migrate(TABLES))
        again.close()

    def test_another_table_later(self, store: Store) -> None:
        """A table that is declared later is made; what others hold stays."""
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (1, "a")), Append()))
        later = replace(TOTALS, name="law_later")
        assert ["law_later"] == [change.table for change in store.migrate([later])]
        assert [(1, "a")] == contents(store, EVENTS)
        assert [] == contents(store, later)

    def test_an_index_later(self, store: Store) -> None:
        """A set of columns by which rows are looked up may be declared at any time; rows stay, and are found."""
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (1, "a"), (2, "a")), Append()))
        store.migrate([replace(EVENTS, indexes=(("body",), ("body", "id")))])
        assert [] == list(store.migrate([replace(EVENTS, indexes=(("body",), ("body", "id")))]))
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (3, "b")), Append()))
        with store.snapshot() as reader:
            found = reader.query(
                "select id from law_events where body = $body order by id", {"body": "a"}
            )
        assert [1, 2] == found.column("id").to_pylist()
        assert [(1, "a"), (2, "a"), (3, "b")] == contents(store, EVENTS)

    def test_another_column_later(self, store: Store) -> None:
        """A column that is declared later, and may be null, is added: null in the rows that were
        there.
        """
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (1, "a")), Append()))
        (change,) = store.migrate([WIDER])
        assert EVENTS.name == change.table
        assert "extra" in change.action
        assert [] == list(store.migrate([WIDER]))
        committed(store, lambda tx: tx.write(WIDER, rows(WIDER, (2, None, "b")), Append()))
        assert [(1, "a", None), (2, None, "b")] == contents(store, WIDER)

    def test_fewer_columns(self, store: Store) -> None:
        """A column that isn't declared any more stays, with its values."""
        store.migrate([WIDER])
        committed(store, lambda tx: tx.write(WIDER, rows(WIDER, (1, "a", "kept")), Append()))
        assert [] == list(store.migrate([EVENTS]))
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (2, "b")), Append()))
        assert [(1, "a", "kept"), (2, "b", None)] == contents(store, WIDER)

    @pytest.mark.parametrize("kind", [ColumnType.INT64, ColumnType.BYTES, ColumnType.TIMESTAMP])
    def test_another_type(self, store: Store, kind: ColumnType) -> None:
        """A declared column that has another type there is Fatal, by name, and nothing is
        changed.
        """
        committed(store, lambda tx: tx.write(EVENTS, rows(EVENTS, (1, "a")), Append()))
        changed = replace(EVENTS, columns=(EVENTS.columns[0], Column("body", kind, nullable=True)))
        with pytest.raises(Fatal, match="body"):
            store.migrate([replace(TOTALS, name="law_later"), changed])
        assert [(1, "a")] == contents(store, EVENTS)
        assert [] == list(store.migrate(TABLES))

    def test_int128_is_not_int64(self, store: Store) -> None:
        """Types whose values look alike are still other types."""
        columns = (TOTALS.columns[0], Column("amount", ColumnType.INT64), *TOTALS.columns[2:])
        with pytest.raises(Fatal, match="amount"):
            store.migrate([replace(TOTALS, columns=columns)])

    def test_newer_store(self, store: Store, open_store: OpenStore) -> None:
        """A store that a newer Qanat made is refused: when it is opened, or by `migrate` at the
        latest.
        """
        self.make_newer(store)
        store.close()
        with pytest.raises(Fatal):
            _open_and_migrate(open_store)

    def test_threads_migrate_at_once(self, store: Store) -> None:
        """Several that migrate at the same moment make each table once."""
        later = replace(TOTALS, name="law_later")
        changes = together(3, lambda _: store.migrate([later]))
        assert 1 == sum(len(one) for one in changes)
        committed(
            store, lambda tx: tx.write(later, rows(later, (1, 1, 1, None)), Upsert(later.key))
        )
        assert [(1, 1, 1, None)] == contents(store, later)

    def test_identity(self, store: Store, open_store: OpenStore) -> None:
        """The identity is a UUID and stays when the store is opened again."""
        name = store.identity
        assert str(UUID(name)) == name
        store.close()
        again = open_store()
        again.migrate(TABLES)
        assert name == again.identity
        with again.snapshot() as reader:
            assert [] == tuples(reader.query("select id from law_events"))
        again.close()

    def test_identity_between_handles(self, store: Store, open_store: OpenStore) -> None:
        """Two handles of one store know it by one identity."""
        other = self.second_handle(store, open_store)
        assert store.identity == other.identity
        other.close()


def _open_and_migrate(open_store: OpenStore) -> None:
    store = open_store()
    try:
        store.migrate(TABLES)
    finally:
        store.close()
