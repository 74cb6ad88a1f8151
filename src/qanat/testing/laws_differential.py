"""The law that a store's write modes mean what plain Python says they mean, on rows that Hypothesis
makes up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qanat.interfaces import Store
from qanat.tables import Add, Append, InsertNew, Latest, Replace, Table, Upsert, WriteMode
from qanat.testing.laws_store import (
    EVENTS,
    LARGE_TOTALS,
    PAGES,
    TOTALS,
    StoreLawsBase,
    committed,
    contents,
    in_order,
    tuples,
)
from qanat.testing.memory_arrow import arrow_table
from qanat.testing.memory_modes import Rows, apply

# Each example is a handful of commits: on a disk that syncs, 30 of them take about a second.
EXAMPLES_MAX = 30

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
    """One transaction: parts of rows, written in one call, or staged and merged."""

    mode: WriteMode
    parts: Sequence[Sequence[Mapping[str, object]]]
    merged: bool

    @property
    def rows(self) -> Rows:
        """All rows in order."""
        return [dict(row) for part in self.parts for row in part]


def _steps(
    row: st.SearchStrategy[Mapping[str, object]], modes: Sequence[WriteMode]
) -> st.SearchStrategy[list[Step]]:
    parts = st.lists(st.lists(row, max_size=5), min_size=1, max_size=3)
    step = st.builds(Step, st.sampled_from(modes), parts, st.booleans())
    return st.lists(step, min_size=1, max_size=5)


class DifferentialLaws(StoreLawsBase):
    """Any sequence of writes leaves what the same sequence leaves in a list of dictionaries."""

    @_few
    @given(steps=_steps(_TOTAL, _TOTAL_MODES), table=st.sampled_from((TOTALS, LARGE_TOTALS)))
    def test_sums(self, store: Store, steps: list[Step], table: Table) -> None:
        """Add, Upsert and InsertNew in any sequence, on a plain and on a large table."""
        _compare(store, table, steps)

    @_few
    @given(steps=_steps(_PAGE, (Latest(("id",), "version", "deleted"), Latest(("id",), "version"))))
    def test_latest(self, store: Store, steps: list[Step]) -> None:
        """Latest in any sequence: the newest wins wherever it comes."""
        _compare(store, PAGES, steps)

    @_few
    @given(steps=_steps(_EVENT, _EVENT_MODES))
    def test_append_and_replace(self, store: Store, steps: list[Step]) -> None:
        """Append and Replace in any sequence, on a table without a key."""
        _compare(store, EVENTS, steps)


def _compare(store: Store, table: Table, steps: Sequence[Step]) -> None:
    nothing = arrow_table(table, [])
    committed(store, lambda tx: tx.write(table, nothing, Replace()))
    expected: Rows = []
    for step in steps:
        expected, effective = apply(expected, step.rows, step.mode)
        if step.merged:
            _merge(store, table, step)
        else:
            took_effect = _write(store, table, step)
            if isinstance(step.mode, Add):  # as rows that were given, or summed up by key
                assert _by_key(effective, step.mode) == _by_key(took_effect, step.mode)
            else:
                assert _sorted(table, effective) == _sorted(table, took_effect)
        assert _sorted(table, expected) == contents(store, table)


def _write(store: Store, table: Table, step: Step) -> Rows:
    """Write the rows of a step; return what took effect."""
    given_rows = arrow_table(table, step.rows)
    found = committed(store, lambda tx: tx.write(table, given_rows, step.mode))
    return [dict(zip(table.names, row, strict=True)) for row in tuples(found, table.names)]


def _merge(store: Store, table: Table, step: Step) -> None:
    attempt = uuid4()
    parts = [
        store.stage(table, arrow_table(table, part), attempt, number)
        for number, part in enumerate(step.parts)
    ]
    committed(store, lambda tx: tx.merge(table, parts, step.mode))
    store.discard(attempt)


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
