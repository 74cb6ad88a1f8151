"""The law that a store's write modes mean what plain Python says they mean, on rows that Hypothesis
makes up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qanat.interfaces import Store, Transaction
from qanat.records import Staged
from qanat.tables import Add, Append, InsertNew, Latest, Replace, Table, Upsert, WriteMode
from qanat.testing.laws_store import (
    EVENTS,
    LARGE_TOTALS,
    PAGES,
    STAGE,
    TOTALS,
    StoreLawsBase,
    committed,
    contents,
    in_order,
    tuples,
)
from qanat.testing.memory_arrow import arrow_table
from qanat.testing.memory_modes import Rows, apply

# Each example is a handful of commits; on a busy disk a commit with its staging takes 50 ms.
EXAMPLES_MAX = 25

# Few keys, so that they meet; sums that meet zero, and that only 128 bits hold.
_KEYS = st.integers(-2, 3)
_SUMS = st.one_of(st.integers(-2, 2), st.sampled_from((2**63 - 1, -(2**63), 2**64 + 1, 10**30)))
_TEXTS = st.one_of(st.none(), st.sampled_from(("", "a", "it's", "\\N")))
_TOTAL = st.fixed_dictionaries(
    {"consumer": _KEYS, "amount": _SUMS, "lines": st.integers(-1, 1), "note": _TEXTS}
)
_PAGE = st.fixed_dictionaries(
    {"id": _KEYS, "version": st.integers(1, 4), "deleted": st.booleans(), "title": _TEXTS}
)
_EVENT = st.fixed_dictionaries({"id": _KEYS, "body": _TEXTS})
_TOTAL_MODES: tuple[WriteMode, ...] = (
    Add(("consumer",), ("amount", "lines")),
    Add(("consumer",), ("amount", "lines"), drop_when_zero="lines"),
    Upsert(("consumer",)),
    InsertNew(("consumer",)),
)
_EVENT_MODES: tuple[WriteMode, ...] = (
    Append(),
    Replace(),
    Replace({"id": 1}),
    Replace({"id": 2, "body": "a"}),
)

_few = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    # One store serves all examples of a test, each of which begins by emptying it; and the test is
    # inherited.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)


@dataclass(frozen=True, slots=True)
class Step:
    """Parts of rows, written in one call, or staged and merged."""

    mode: WriteMode
    parts: Sequence[Sequence[Mapping[str, object]]]
    merged: bool

    @property
    def rows(self) -> Rows:
        """All rows in order."""
        return [dict(row) for part in self.parts for row in part]


def _transactions(
    row: st.SearchStrategy[Mapping[str, object]], modes: Sequence[WriteMode]
) -> st.SearchStrategy[list[list[Step]]]:
    parts = st.lists(st.lists(row, max_size=6), min_size=1, max_size=2)
    step = st.builds(Step, st.sampled_from(modes), parts, st.booleans())
    return st.lists(st.lists(step, min_size=1, max_size=4), min_size=1, max_size=2)


class DifferentialLaws(StoreLawsBase):
    """Any sequence of writes leaves what the same sequence leaves in a list of dictionaries."""

    @_few
    @given(work=_transactions(_TOTAL, _TOTAL_MODES), table=st.sampled_from((TOTALS, LARGE_TOTALS)))
    def test_sums(self, store: Store, work: list[list[Step]], table: Table) -> None:
        """Add, Upsert and InsertNew in any sequence, on a plain and on a large table."""
        _compare(store, table, work)

    @_few
    @given(
        work=_transactions(
            _PAGE, (Latest(("id",), "version", "deleted"), Latest(("id",), "version"))
        )
    )
    def test_latest(self, store: Store, work: list[list[Step]]) -> None:
        """Latest in any sequence: the newest wins wherever it comes."""
        _compare(store, PAGES, work)

    @_few
    @given(work=_transactions(_EVENT, _EVENT_MODES))
    def test_append_and_replace(self, store: Store, work: list[list[Step]]) -> None:
        """Append and Replace in any sequence, on a table without a key."""
        _compare(store, EVENTS, work)


def _compare(store: Store, table: Table, work: Sequence[Sequence[Step]]) -> None:
    """Do the transactions on the emptied table, and look after each step as after each commit."""
    nothing = arrow_table(table, [])
    committed(store, lambda tx: tx.write(table, nothing, Replace()))
    expected: Rows = []
    for steps in work:
        attempt = uuid4()
        staged = [_staged(store, table, step, attempt, 2 * n) for n, step in enumerate(steps)]
        with store.begin(STAGE, attempt) as transaction:
            for step, parts in zip(steps, staged, strict=True):
                expected = _checked(transaction, table, step, parts, expected)
            transaction.commit()
        store.discard(attempt)
        assert _sorted(table, expected) == contents(store, table)


def _staged(store: Store, table: Table, step: Step, attempt: UUID, first: int) -> list[Staged]:
    """Stage the parts of a step that is to be merged."""
    return [
        store.stage(table, arrow_table(table, part), attempt, first + number)
        for number, part in enumerate(step.parts if step.merged else ())
    ]


def _checked(
    transaction: Transaction, table: Table, step: Step, parts: Sequence[Staged], before: Rows
) -> Rows:
    """Do one step in the store and in plain Python, compare, and return what the table holds."""
    expected, effective = apply(before, step.rows, step.mode)
    if step.merged:
        transaction.merge(table, parts, step.mode)
    else:
        found = transaction.write(table, arrow_table(table, step.rows), step.mode)
        took_effect = [
            dict(zip(table.names, row, strict=True)) for row in tuples(found, table.names)
        ]
        if isinstance(step.mode, Add):  # as rows that were given, or summed up by key
            assert _by_key(effective, step.mode) == _by_key(took_effect, step.mode)
        else:
            assert _sorted(table, effective) == _sorted(table, took_effect)
    every = f"select {', '.join(table.names)} from {table.name}"
    assert _sorted(table, expected) == tuples(transaction.query(every))
    return expected


def _by_key(rows: Rows, mode: Add) -> dict[object, list[int]]:
    sums: dict[object, list[int]] = {}
    for row in rows:
        before = sums.get(row["consumer"], [0] * len(mode.sums))
        sums[row["consumer"]] = [
            total + int(str(row[n])) for total, n in zip(before, mode.sums, strict=True)
        ]
    return sums


def _sorted(table: Table, rows: Rows) -> list[tuple[object, ...]]:
    return in_order(tuple(row[name] for name in table.names) for row in rows)
