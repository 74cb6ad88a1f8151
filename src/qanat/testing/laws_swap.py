"""Laws of `swap`: a rebuilt table takes the place of a live one at once, with its keys, and is gone then."""

from dataclasses import replace
from uuid import uuid4

import pytest

from qanat.errors import QanatError
from qanat.interfaces import Store
from qanat.records import Move, Progress
from qanat.tables import Add, Append, Table, Upsert
from qanat.testing.laws_store import (
    EVENTS,
    FILES,
    LARGE_TOTALS,
    STAGE,
    TOTALS,
    StoreLawsBase,
    committed,
    contents,
    in_order,
    rows,
    tuples,
)

Rows = list[tuple[object, ...]]

_OLD: Rows = [(1, 10, 1, "a"), (2, 20, 2, None), (3, 30, 3, "c")]
_NEW: Rows = [(2, 20, 2, None), (3, 33, 3, None), (4, 40, 4, "d")]


class SwapLaws(StoreLawsBase):
    """`swap` exchanges the rows of a table as a whole."""

    @pytest.mark.parametrize("live", [TOTALS, LARGE_TOTALS, EVENTS], ids=lambda table: table.name)
    def test_a_rebuilt_table_takes_the_place(self, store: Store, live: Table) -> None:
        """Afterwards the table has exactly the rebuilt rows, and can be read and written as before."""
        old, new = _for(live, _OLD), _for(live, _NEW)
        rebuilt = _beside(store, live, old, new)
        committed(store, lambda tx: tx.swap(live, rebuilt))
        assert in_order(new) == contents(store, live)
        committed(store, lambda tx: tx.write(live, rows(live, *old[:1]), Append()))
        assert in_order([*new, old[0]]) == contents(store, live)

    @pytest.mark.parametrize("live", [TOTALS, LARGE_TOTALS], ids=lambda table: table.name)
    def test_keys_hold_after_a_swap(self, store: Store, live: Table) -> None:
        """Rows are added to those with their keys, and replace them, as before."""
        rebuilt = _beside(store, live, _OLD, _NEW)
        committed(store, lambda tx: tx.swap(live, rebuilt))
        more = rows(live, (4, 5, 5, None), (1, 1, 1, None))
        committed(store, lambda tx: tx.write(live, more, Add(live.key, ("amount", "lines"))))
        committed(store, lambda tx: tx.write(live, rows(live, (2, 0, 0, "z")), Upsert(live.key)))
        expected = [(1, 1, 1, None), (2, 0, 0, "z"), (3, 33, 3, None), (4, 45, 9, "d")]
        assert expected == contents(store, live)

    def test_keys_refuse_after_a_swap(self, store: Store) -> None:
        """A key, and another unique set of columns, are kept by the table as before."""
        new = (2, "b", b"2")
        rebuilt = _beside(store, FILES, [(1, "a", b"1")], [new])
        committed(store, lambda tx: tx.swap(FILES, rebuilt))
        for twice in ((2, "c", b"3"), (3, "b", b"2")):
            with pytest.raises(QanatError):
                _append(store, FILES, [twice])
        assert [new] == contents(store, FILES)

    def test_a_swap_can_be_done_again(self, store: Store) -> None:
        """The rebuilt table is gone, and can be made anew."""
        for wanted in (_NEW, _OLD, _NEW):
            rebuilt = _beside(store, TOTALS, [], wanted)
            _swap(store, TOTALS, rebuilt)
            assert wanted == contents(store, TOTALS)
        assert store.migrate([replace(TOTALS, name="law_rebuilt")])

    def test_indexes_after_a_swap(self, store: Store) -> None:
        """A table with further indexes has them afterwards: there is nothing left to make, and rows are found."""
        live = replace(TOTALS, name="law_indexed", indexes=(("amount",), ("note",)))
        store.migrate([live])
        for wanted in (_NEW, _OLD):
            rebuilt = replace(live, name="law_rebuilt", indexes=())
            store.migrate([rebuilt])
            _append(store, rebuilt, wanted)
            _swap(store, live, rebuilt)
            assert [] == list(store.migrate([live]))
            with store.snapshot() as reader:
                found = reader.query("select consumer from law_indexed where amount = 20")
                assert [2] == found.column("consumer").to_pylist()

    def test_drop(self, store: Store) -> None:
        """A table that is dropped is gone with its rows; one that isn't there may be dropped, too."""
        table = replace(TOTALS, name="law_dropped")
        store.migrate([table])
        _append(store, table, _OLD)
        for _ in range(2):
            committed(store, lambda transaction: transaction.drop(table))
        assert store.migrate([table])
        assert [] == contents(store, table)

    def test_progress_in_a_transaction(self, store: Store) -> None:
        """A transaction can tell how far another stage has come, its own moves included."""
        moves = {"0": Move(0, "life", "7"), "1": Move(0, "life", "9")}
        committed(store, lambda transaction: transaction.advance("other", moves))
        found = committed(store, lambda transaction: transaction.progress("other"))
        assert {"0": Progress("7", 1, "life"), "1": Progress("9", 1, "life")} == found
        assert {} == committed(store, lambda transaction: transaction.progress("unmoved"))

    def test_a_swap_is_rolled_back(self, store: Store) -> None:
        """Without a commit both tables are as they were."""
        rebuilt = _beside(store, TOTALS, _OLD, _NEW)
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.swap(TOTALS, rebuilt)
            assert 3 == transaction.query("select * from law_totals").num_rows
        assert (_OLD, _NEW) == (contents(store, TOTALS), contents(store, rebuilt))

    def test_readers_keep_their_moment(self, store: Store) -> None:
        """A snapshot from before sees the old rows, also when it looks for the first time."""
        rebuilt = _beside(store, TOTALS, _OLD, _NEW)
        with store.snapshot() as reader:
            committed(store, lambda tx: tx.swap(TOTALS, rebuilt))
            assert _OLD == tuples(reader.query("select * from law_totals"), TOTALS.names)
        assert _NEW == contents(store, TOTALS)

    def test_a_swap_goes_with_other_writes(self, store: Store) -> None:
        """Rows that the transaction wrote into the rebuilt table before are in it; so are later ones in the live table."""
        rebuilt = _beside(store, TOTALS, _OLD, [])
        with store.begin(STAGE, uuid4()) as transaction:
            transaction.write(rebuilt, rows(rebuilt, _NEW[0]), Add(rebuilt.key, ("amount",)))
            transaction.swap(TOTALS, rebuilt)
            transaction.write(TOTALS, rows(TOTALS, _NEW[1]), Append())
            transaction.commit()
        assert _NEW[:2] == contents(store, TOTALS)

    def test_others_are_refused(self, store: Store) -> None:
        """A table that isn't there, or has other columns, takes nothing's place."""
        missing = replace(TOTALS, name="law_missing")
        for live, rebuilt in ((TOTALS, missing), (missing, TOTALS), (TOTALS, EVENTS)):
            with pytest.raises(QanatError):
                _swap(store, live, rebuilt)
        assert [] == contents(store, TOTALS)


def _beside(store: Store, live: Table, old: Rows, new: Rows) -> Table:
    """Let `live` hold `old`, and a table beside it `new`; return that."""
    rebuilt = replace(live, name="law_rebuilt")
    store.migrate([rebuilt])
    for table, given in ((live, old), (rebuilt, new)):
        if given:
            _append(store, table, given)
    return rebuilt


def _append(store: Store, table: Table, given: Rows) -> None:
    committed(store, lambda transaction: transaction.write(table, rows(table, *given), Append()))


def _swap(store: Store, live: Table, rebuilt: Table) -> None:
    committed(store, lambda transaction: transaction.swap(live, rebuilt))


def _for(table: Table, values: Rows) -> Rows:
    """Cut rows of sums to the columns of a table of events."""
    return [(row[0], str(row[1])) for row in values] if table is EVENTS else values
