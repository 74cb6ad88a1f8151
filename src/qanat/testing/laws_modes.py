"""Laws of the write modes: each means the same in every store, by example."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from qanat.errors import QanatError
from qanat.interfaces import Store
from qanat.tables import (
    Add,
    Append,
    Column,
    ColumnType,
    InsertNew,
    Latest,
    Replace,
    Table,
    Upsert,
    WriteMode,
)
from qanat.testing.laws_store import (
    EVENTS,
    FILES,
    LINKS,
    PAGES,
    STAGE,
    TOTALS,
    USAGE,
    StoreLawsBase,
    committed,
    contents,
    rows,
    tuples,
)

SEEN = Table(
    "law_seen",
    (Column("happened", ColumnType.TIMESTAMP), Column("id", ColumnType.TEXT)),
    key=("happened", "id"),
    large=True,
)
HOURS = Table(
    "law_hours",
    (
        Column("hour", ColumnType.TIMESTAMP),
        Column("name", ColumnType.TEXT),
        Column("pages", ColumnType.INT64),
    ),
    key=("hour", "name"),
    large=True,
)
KEY = ("consumer",)
SUMS = ("amount", "lines")
BIG = 2**64 + 12345678901234567890
LIMIT = 10**38 - 1
Written = list[tuple[object, ...]]


def write(store: Store, table: Table, mode: WriteMode, *values: tuple[object, ...]) -> Written:
    """Write whole rows in a transaction; return those that took effect."""
    given = rows(table, *values)
    return tuples(committed(store, lambda tx: tx.write(table, given, mode)), table.names)


class PlainModeLaws(StoreLawsBase):
    """Append, Replace, InsertNew and Upsert."""

    def test_append_makes_new_rows(self, store: Store) -> None:
        """Every row is a new row, equal ones too."""
        assert [(1, "a"), (1, "a"), (2, None)] == write(
            store, EVENTS, Append(), (1, "a"), (2, None), (1, "a")
        )
        write(store, EVENTS, Append(), (1, "a"))
        assert [(1, "a"), (1, "a"), (1, "a"), (2, None)] == contents(store, EVENTS)

    @pytest.mark.parametrize(
        ("table", "mode"),
        [
            (EVENTS, Append()),
            (TOTALS, Upsert(KEY)),
            (TOTALS, Add(KEY, SUMS, "lines")),
            (TOTALS, InsertNew(KEY)),
            (PAGES, Latest(("id",), "version", "deleted")),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, Table) else value.name,
    )
    def test_no_rows(self, store: Store, table: Table, mode: WriteMode) -> None:
        """An empty table of rows changes nothing."""
        assert [] == write(store, table, mode)
        assert [] == contents(store, table)

    def test_columns_by_name(self, store: Store) -> None:
        """Columns are found by name in any order; one that isn't given and may be null is null."""
        given = rows(TOTALS, (3, 7, 1), names=("lines", "consumer", "amount"))
        committed(store, lambda tx: tx.write(TOTALS, given, Upsert(KEY)))
        assert [(7, 1, 3, None)] == contents(store, TOTALS)

    def test_unknown_column(self, store: Store) -> None:
        """A column that the table doesn't have is refused, not left out."""
        given = rows(EVENTS, (1, "a")).append_column("extra", [[1]])
        with pytest.raises(QanatError):
            committed(store, lambda tx: tx.write(EVENTS, given, Append()))
        assert [] == contents(store, EVENTS)

    def test_replace_by_columns(self, store: Store) -> None:
        """The rows that equal `where` go, whatever their other columns, and the given ones come."""
        write(store, EVENTS, Append(), (1, "a"), (1, None), (2, "a"), (3, "it's"))
        assert [(1, "c"), (9, "b")] == write(store, EVENTS, Replace({"id": 1}), (9, "b"), (1, "c"))
        assert [(1, "c"), (2, "a"), (3, "it's"), (9, "b")] == contents(store, EVENTS)
        write(store, EVENTS, Replace({"body": "it's", "id": 3}))
        write(store, EVENTS, Replace({"body": "a", "id": 9}))
        assert [(1, "c"), (2, "a"), (9, "b")] == contents(store, EVENTS)
        write(store, EVENTS, Replace(), (5, "all"))
        assert [(5, "all")] == contents(store, EVENTS)

    def test_replace_keyed(self, store: Store) -> None:
        """In a table with a key, rows may take the place of those that go."""
        write(store, PAGES, Append(), (1, 1, False, "a"), (2, 1, True, "b"))
        write(store, PAGES, Replace({"deleted": False}), (1, 2, False, "c"), (3, 1, False, None))
        assert [(1, 2, False, "c"), (2, 1, True, "b"), (3, 1, False, None)] == contents(
            store, PAGES
        )

    def test_insert_new(self, store: Store) -> None:
        """A row whose key is there is left out; of equal keys in one call the first is kept."""
        first = [(1, BIG, 1, "a"), (2, -5, 1, None)]
        assert first == write(store, TOTALS, InsertNew(KEY), *first)
        found = write(
            store, TOTALS, InsertNew(KEY), (2, 0, 0, "late"), (3, 1, 1, "x"), (3, 2, 2, "y")
        )
        assert [(3, 1, 1, "x")] == found
        assert [*first, (3, 1, 1, "x")] == contents(store, TOTALS)

    def test_insert_new_into_a_large_table(self, store: Store) -> None:
        """Also where nothing but the mode keeps the key: by a time and an id, in any order."""
        at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(4)]
        mode = InsertNew(("happened", "id"))
        store.migrate((SEEN,))
        first = [(at[1], "a"), (at[1], "b"), (at[2], "a")]
        assert first == write(store, SEEN, mode, *first)
        found = write(
            store, SEEN, mode, (at[3], "a"), (at[1], "b"), (at[0], "b"), (at[3], "a"), (at[2], "a")
        )
        assert [(at[0], "b"), (at[3], "a")] == sorted(found)
        assert [] == write(store, SEEN, mode, *first, (at[0], "b"))
        assert sorted([*first, (at[0], "b"), (at[3], "a")]) == sorted(contents(store, SEEN))

    def test_add_to_a_large_table_by_time(self, store: Store) -> None:
        """Sums by time: rows of the span are added to, those outside stay, new times begin."""
        at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(5)]
        mode = Add(HOURS.key, ("pages",))
        store.migrate((HOURS,))
        write(store, HOURS, mode, (at[1], "a", 1), (at[2], "a", 2), (at[2], "b", 4))
        write(store, HOURS, mode, (at[2], "b", 8), (at[3], "c", 16), (at[2], "b", 32))
        write(store, HOURS, mode, (at[4], "d", 64), (at[0], "d", 128), (at[1], "a", 256))
        expected = [
            (at[0], "d", 128),
            (at[1], "a", 257),
            (at[2], "a", 2),
            (at[2], "b", 44),
            (at[3], "c", 16),
            (at[4], "d", 64),
        ]
        assert expected == contents(store, HOURS)

    def test_insert_new_by_unique_columns(self, store: Store) -> None:
        """The key of the mode may be any set of columns that is declared unique."""
        by_name = InsertNew(("name", "sketch"))
        write(store, FILES, by_name, (1, "a", b"1"), (2, "a", b"2"))
        assert [(4, "b", b"1")] == write(store, FILES, by_name, (3, "a", b"2"), (4, "b", b"1"))
        assert [(1, "a", b"1"), (2, "a", b"2"), (4, "b", b"1")] == contents(store, FILES)

    @pytest.mark.parametrize("again", [(1, "z", b""), (9, "a", b"1")], ids=["key", "unique"])
    def test_keys_are_kept(self, store: Store, again: tuple[object, ...]) -> None:
        """A second row with one key, or one unique set of columns, is refused and changes
        nothing.
        """
        write(store, FILES, Append(), (1, "a", b"1"))
        with pytest.raises(QanatError):
            write(store, FILES, Append(), (5, "fine", b""), again)
        assert [(1, "a", b"1")] == contents(store, FILES)

    def test_upsert_replaces_rows(self, store: Store) -> None:
        """The whole row replaces the one with its key; of equal keys in one call the last wins."""
        write(store, TOTALS, Upsert(KEY), (1, 1, 1, "a"), (2, 2, 2, "b"))
        found = write(
            store, TOTALS, Upsert(KEY), (1, 9, 9, "x"), (3, 3, 3, "c"), (1, -BIG, 0, None)
        )
        assert [(1, -BIG, 0, None), (3, 3, 3, "c")] == found
        assert [(1, -BIG, 0, None), (2, 2, 2, "b"), (3, 3, 3, "c")] == contents(store, TOTALS)

    def test_upsert_replaces_absent_columns(self, store: Store) -> None:
        """A column that isn't given doesn't outlive the row it belonged to."""
        write(store, TOTALS, Upsert(KEY), (1, 1, 1, "old"))
        given = rows(TOTALS, (1, 2, 2), names=("consumer", "amount", "lines"))
        committed(store, lambda tx: tx.write(TOTALS, given, Upsert(KEY)))
        assert [(1, 2, 2, None)] == contents(store, TOTALS)

    @pytest.mark.parametrize("mode", [Upsert(LINKS.key), InsertNew(LINKS.key)])
    def test_a_key_alone(self, store: Store, mode: WriteMode) -> None:
        """A table may consist of its key."""
        write(store, LINKS, mode, (1, "a"), (1, "b"), (1, "a"))
        write(store, LINKS, mode, (1, "a"), (2, "a"))
        assert [(1, "a"), (1, "b"), (2, "a")] == contents(store, LINKS)


class ConstantLaws(StoreLawsBase):
    """Columns that have one value for all rows of a call."""

    def test_constants_are_columns(self, store: Store) -> None:
        """A constant is a column like another: also part of the key, also null."""
        hour = datetime(2026, 3, 17, 10, tzinfo=UTC)
        given = rows(USAGE, (1, 5), (2, BIG), (1, 6), names=("consumer", "amount"))
        mode = Add(("consumer", "period_start", "granularity"), ("amount",))
        for granularity in ("hour", "it's", "hour"):
            with store.begin(STAGE, uuid4()) as transaction:
                constants = {"period_start": hour, "granularity": granularity}
                transaction.write(USAGE, given, mode, constants)
                transaction.commit()
        assert [
            (1, hour, "hour", 22),
            (1, hour, "it's", 11),
            (2, hour, "hour", 2 * BIG),
            (2, hour, "it's", BIG),
        ] == contents(store, USAGE)

    @pytest.mark.parametrize("note", [None, "", "a 'b' \\ $c %s"])
    def test_text_constant(self, store: Store, note: str | None) -> None:
        """A text arrives to the letter, and null as null."""
        given = rows(TOTALS, (1, 5), names=("consumer", "amount"))
        constants = {"lines": 3, "note": note}
        committed(store, lambda tx: tx.write(TOTALS, given, Upsert(KEY), constants))
        assert [(1, 5, 3, note)] == contents(store, TOTALS)

    def test_constants_without_rows(self, store: Store) -> None:
        """Constants alone make no row."""
        none = rows(EVENTS, names=("id",))
        with store.begin(STAGE, uuid4()) as transaction:
            assert 0 == transaction.write(EVENTS, none, Append(), {"body": "x"}).num_rows
            transaction.commit()
        assert [] == contents(store, EVENTS)
