"""Laws of the modes that compare with what is there: Add and Latest; and of merging staged
parts.
"""

from uuid import uuid4

import pytest

from qanat.clock import hour_of
from qanat.errors import QanatError
from qanat.interfaces import Scalar, Store
from qanat.tables import Add, Latest, Table
from qanat.testing.clock import START
from qanat.testing.laws_modes import BIG, KEY, LIMIT, SUMS, write
from qanat.testing.laws_store import (
    LARGE_TOTALS,
    PAGES,
    SHAPE,
    STAGE,
    TOTALS,
    USAGE,
    StoreLawsBase,
    committed,
    contents,
    in_order,
    rows,
    tuples,
)

ADD = Add(KEY, SUMS)
UNDO = Add(KEY, SUMS, drop_when_zero="lines")
HOUR = hour_of(START)
LATEST = Latest(("id",), "version", "deleted")


class AddLaws(StoreLawsBase):
    """Sums are exact, and an undo leaves no trace. A large table means the same as another."""

    @pytest.fixture(params=[TOTALS, LARGE_TOTALS], ids=["plain", "large"])
    def totals(self, request: pytest.FixtureRequest) -> Table:
        """Give a table of sums that has an index, and one that may have none."""
        table = request.param
        assert isinstance(table, Table)
        return table

    def test_add_sums_up(self, store: Store, totals: Table) -> None:
        """Sums are added to the row with the key, or begin a new one; equal keys in one call are
        summed.
        """
        write(store, totals, ADD, (1, 10, 1, None), (2, 20, 2, "two"), (1, 5, 1, "later"))
        assert [(1, 15, 2, None), (2, 20, 2, "two")] == contents(store, totals)
        write(store, totals, ADD, (2, -25, 1, "new"), (3, 1, 1, "three"))
        assert [(1, 15, 2, None), (2, -5, 3, "two"), (3, 1, 1, "three")] == contents(store, totals)

    def test_what_took_effect(self, store: Store, totals: Table) -> None:
        """The rows that are returned carry exactly what was added, per key."""
        write(store, totals, ADD, (1, 100, 1, "a"))
        found = write(store, totals, ADD, (1, 10, 1, "a"), (1, 5, 1, "a"), (2, 7, 1, "b"))
        added = {key: sum(int(str(row[1])) for row in found if row[0] == key) for key in (1, 2)}
        assert {1: 15, 2: 7} == added

    def test_exact_beyond_64_bits(self, store: Store, totals: Table) -> None:
        """Sums neither wrap around nor lose their last digit, up to 38 digits, below zero as
        above.
        """
        top = 2**63 - 1
        write(
            store,
            totals,
            ADD,
            *[(1, top, 1, None)] * 5,
            (2, -BIG, 1, None),
            (3, LIMIT - 1, 1, None),
        )
        write(store, totals, ADD, (1, BIG, 1, None), (2, -BIG, 1, None), (3, 1, 1, None))
        write(store, totals, ADD, (4, -LIMIT, 1, None))
        assert [
            (1, 5 * top + BIG, 6, None),
            (2, -2 * BIG, 2, None),
            (3, LIMIT, 2, None),
            (4, -LIMIT, 1, None),
        ] == contents(store, totals)

    def test_drop_when_zero(self, store: Store, totals: Table) -> None:
        """A touched row whose named sum comes to 0 goes, whatever its other sums are; the others
        stay.
        """
        write(
            store, totals, ADD, (1, 10, 1, None), (2, 20, 2, None), (3, 0, 0, None), (4, 1, 1, None)
        )
        write(store, totals, UNDO, (1, -10, -1, None), (2, -20, -1, None), (4, 5, -1, None))
        assert [(2, 0, 1, None), (3, 0, 0, None)] == contents(store, totals)

    def test_drop_new_row(self, store: Store, totals: Table) -> None:
        """A row that comes to 0 within one call doesn't come to be."""
        write(store, totals, UNDO, (1, 5, 1, "a"), (2, 1, 1, "b"), (1, -5, -1, "a"))
        assert [(2, 1, 1, "b")] == contents(store, totals)

    def test_several_in_one_transaction(self, store: Store, totals: Table) -> None:
        """A later write of a transaction sees the earlier one."""
        with store.begin(STAGE, uuid4()) as transaction:
            for amount in (1, 2, 3):
                transaction.write(totals, rows(totals, (1, amount, 1, None)), ADD)
            transaction.write(totals, rows(totals, (2, 1, 1, None)), ADD)
            transaction.write(totals, rows(totals, (2, -1, -1, None)), UNDO)
            transaction.commit()
        assert [(1, 6, 3, None)] == contents(store, totals)

    def test_merge_is_write_of_the_concatenation(self, store: Store, totals: Table) -> None:
        """Parts, overlapping and empty ones too, add up as one write of all their rows would."""
        parts = [[(5, BIG), (1, 1)], [], [(1, 2), (5, -3)], [(2**62, 7), (-9, 4)]]
        attempt = uuid4()
        staged = [
            store.stage(SHAPE, rows(SHAPE, *part), attempt, number)
            for number, part in enumerate(parts)
        ]
        write(store, totals, ADD, (1, 100, 1, "old"))
        constants: dict[str, Scalar] = {"lines": 1, "note": "new"}
        committed(store, lambda tx: tx.merge(totals, staged, ADD, constants))
        assert [
            (-9, 4, 1, "new"),
            (1, 103, 3, "old"),
            (5, BIG - 3, 2, "new"),
            (2**62, 7, 1, "new"),
        ] == contents(store, totals)

    def test_merge_of_many_keys(self, store: Store, totals: Table) -> None:
        """Many keys in no order, merged twice, come to twice their sums; the number of rows is
        told.
        """
        keys = [(number * 7919) % 20011 for number in range(1, 20011)]
        attempt = uuid4()
        for part in range(2):
            half = rows(SHAPE, *((key, key * 2**40) for key in keys[part::2]))
            store.stage(SHAPE, half, attempt, part)
        lines = {"lines": 1}
        parts = store.staged(SHAPE, attempt)
        for _ in range(2):
            assert len(keys) == committed(store, lambda tx: tx.merge(totals, parts, ADD, lines))
        expected = [(key, 2 * key * 2**40, 2, None) for key in keys]
        assert in_order(expected) == contents(store, totals)

    def test_one_staging_for_two_tables(self, store: Store, totals: Table) -> None:
        """Parts may be merged into several tables in one transaction; they stay until they are
        discarded.
        """
        attempt = uuid4()
        part = store.stage(SHAPE, rows(SHAPE, (1, 5), (2, 6)), attempt, 0)
        hour: dict[str, Scalar] = {"period_start": HOUR, "granularity": "hour"}
        usage = Add(USAGE.key, ("amount",))
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.merge(totals, [part], ADD, {"lines": 1})
            transaction.merge(USAGE, [part], usage, hour)
            transaction.commit()
        assert [(1, 5, 1, None), (2, 6, 1, None)] == contents(store, totals)
        assert [(1, HOUR, "hour", 5), (2, HOUR, "hour", 6)] == contents(store, USAGE)
        assert [part] == list(store.staged(SHAPE, attempt))

    def test_merge_of_what_is_gone(self, store: Store, totals: Table) -> None:
        """A part that isn't staged any more is an error: its sums would be lost in silence."""
        attempt = uuid4()
        parts = [store.stage(SHAPE, rows(SHAPE, (1, 5)), attempt, number) for number in (0, 1)]
        store.discard(attempt)
        again = store.stage(SHAPE, rows(SHAPE, (1, 5)), attempt, 0)
        assert again == parts[0]
        with pytest.raises(QanatError):
            committed(store, lambda tx: tx.merge(totals, parts, ADD, {"lines": 1}))
        assert [] == contents(store, totals)

    def test_nothing_to_merge(self, store: Store, totals: Table) -> None:
        """No parts is no work."""
        assert 0 == committed(store, lambda tx: tx.merge(totals, [], ADD, {"lines": 1}))


class LatestLaws(StoreLawsBase):
    """A row replaces the one with its key if its version is greater; a deletion stays as a mark."""

    def test_newer_wins(self, store: Store) -> None:
        """Greater replaces; equal and smaller don't, in whatever order they come."""
        first = [(1, 5, False, "a"), (2, 5, False, "b"), (3, 5, False, "c")]
        assert first == write(store, PAGES, LATEST, *first)
        second = [(1, 6, False, None), (2, 5, False, "equal"), (3, 4, False, "older")]
        assert [(1, 6, False, None)] == write(store, PAGES, LATEST, *second)
        assert [(1, 6, False, None), *first[1:]] == contents(store, PAGES)

    def test_within_one_call(self, store: Store) -> None:
        """Of equal keys in one call the newest wins; of equal versions the first, as if they came
        one by one.
        """
        given = [(1, 1, False, "a"), (1, 3, False, "c"), (1, 2, False, "b"), (1, 3, False, "d")]
        assert [(1, 3, False, "c")] == write(store, PAGES, LATEST, *given)
        assert [(1, 3, False, "c")] == contents(store, PAGES)

    def test_deletion_is_a_mark(self, store: Store) -> None:
        """A deletion takes the row away and keeps older ones away; a newer row comes back."""
        shown = "select id, version, title from law_pages where not deleted"
        for given, expected in (
            ((1, 5, False, "a"), [(1, 5, "a")]),
            ((1, 4, True, None), [(1, 5, "a")]),
            ((1, 6, True, None), []),
            ((1, 5, False, "late"), []),
            ((1, 7, False, "back"), [(1, 7, "back")]),
        ):
            write(store, PAGES, LATEST, given)
            with store.snapshot() as reader:
                assert expected == tuples(reader.query(shown))

    def test_deleted_before_it_came(self, store: Store) -> None:
        """A deletion that overtakes its row keeps it away."""
        write(store, PAGES, LATEST, (1, 6, True, None))
        assert [] == write(store, PAGES, LATEST, (1, 5, False, "late"))
        with store.snapshot() as reader:
            assert 0 == reader.query("select id from law_pages where not deleted").num_rows
