"""Rows with equal keys become one, as if they had been written one by one; sums are exact."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qanat.errors import Fatal
from qanat.stores.duckdb_arrow import narrowed
from qanat.stores.duckdb_combine import combined, sorted_order
from qanat.tables import Add, Column, ColumnType, InsertNew, Latest, Table, Upsert, arrow_schema
from qanat.testing.memory_modes import apply

TABLE = Table(
    "t",
    (
        Column("number", ColumnType.INT64),
        Column("text", ColumnType.TEXT),
        Column("wide", ColumnType.INT128),
        Column("narrow", ColumnType.INT64),
        Column("note", ColumnType.TEXT, nullable=True),
    ),
)
KEYS = st.sampled_from([("number",), ("text",), ("number", "text"), ("text", "number")])
LIMIT = 10**38 - 1
_WIDE = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**64), 2**64),
    st.sampled_from([2**63 - 1, -(2**63), 2**64, 10**37, -(10**37), LIMIT, -LIMIT]),
)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(-2, 2),
            "text": st.sampled_from(["", "a", "b"]),
            "wide": _WIDE,
            "narrow": st.one_of(st.integers(-2, 2), st.integers(-(2**59), 2**59)),
            "note": st.one_of(st.none(), st.sampled_from(["x", "y"])),
        }
    ),
    max_size=12,
)
Rows = list[dict[str, object]]


def arrow(rows: Rows) -> pa.Table:
    exact = [{**row, "wide": Decimal(str(row["wide"]))} for row in rows]
    return pa.Table.from_pylist(exact, schema=arrow_schema(TABLE).remove_metadata())


def dictionaries(rows: pa.Table) -> Rows:
    return [{**row, "wide": int(row["wide"])} for row in rows.to_pylist()]


def canonical(rows: Rows) -> list[str]:
    """Return the rows in a fixed order, each with its columns in one."""
    return sorted(repr(sorted(row.items())) for row in rows)


@given(rows=_ROWS, key=KEYS, is_narrowed=st.booleans(), kept=st.integers(0, 6))
def test_adds_up(rows: Rows, key: tuple[str, ...], *, is_narrowed: bool, kept: int) -> None:
    """Sums are those of Python's integers, or Fatal when one passes 38 digits; the other columns are the first row's."""
    mode = Add(key, ("wide", "narrow"))
    given_rows = narrowed(arrow(rows)) if is_narrowed else arrow(rows)
    expected, _ = apply([], rows, mode)
    if any(abs(int(str(row["wide"]))) > LIMIT for row in expected):
        with pytest.raises(Fatal, match="38 digits"):
            combined(TABLE, given_rows, mode, kept)
        return
    found = dictionaries(combined(TABLE, given_rows, mode, kept))
    assert canonical(expected) == canonical(found)
    in_order = [[row[name] for name in key] for row in found]
    assert sorted(in_order) == in_order


@given(rows=_ROWS, kept=st.integers(0, 6))
def test_drops_what_comes_to_zero(rows: Rows, kept: int) -> None:
    """A key goes when its sum comes to zero, if a row was added to it; one that lay there with zero stays."""
    mode = Add(("number", "text"), ("wide", "narrow"), drop_when_zero="narrow")
    before, _ = apply([], rows[:kept], Add(mode.key, mode.sums))
    after, _ = apply(before, rows[kept:], mode)
    sums, _ = apply(before, rows[kept:], Add(mode.key, mode.sums))
    assume(all(abs(int(str(row["wide"]))) <= LIMIT for row in (*before, *sums)))
    found = dictionaries(combined(TABLE, arrow([*before, *rows[kept:]]), mode, len(before)))
    assert canonical(after) == canonical(found)


@given(rows=_ROWS, key=KEYS)
def test_picks_rows(rows: Rows, key: tuple[str, ...]) -> None:
    """Upsert keeps the last, InsertNew the first, Latest the first of the newest."""
    for mode in (Upsert(key), InsertNew(key), Latest(key, "narrow"), Latest(key, "text")):
        expected, _ = apply([], rows, mode)
        found = dictionaries(combined(TABLE, arrow(rows), mode))
        assert canonical(expected) == canonical(found)


@given(rows=_ROWS, key=KEYS)
def test_sorts_stably(rows: Rows, key: tuple[str, ...]) -> None:
    """The order is that of the keys, and of equal keys as they came; rows in order aren't moved."""
    order = sorted_order(arrow(rows), key)
    places = list(range(len(rows))) if order is None else order.tolist()
    assert sorted(places, key=lambda at: [rows[at][name] for name in key]) == places


def test_sum_of_64_bits_overflows() -> None:
    """A sum that is declared with 64 bits and doesn't fit is Fatal, not wrapped around."""
    rows: Rows = [
        {"number": 1, "text": "", "wide": 0, "narrow": 2**62, "note": None} for _ in range(2)
    ]
    with pytest.raises(Fatal, match="narrow"):
        combined(TABLE, arrow(rows), Add(("number",), ("wide", "narrow")))


def test_null_counts_as_zero() -> None:
    """A null adds nothing; a key with nothing but nulls stays null."""
    table = Table(
        "t", (Column("k", ColumnType.INT64), Column("f", ColumnType.FLOAT64, nullable=True))
    )
    rows = pa.table({"k": [1, 2, 1, 2, 3], "f": pa.array([1.5, None, None, None, 2.0])})
    found = combined(table, rows, Add(("k",), ("f",)))
    assert [(1, 1.5), (2, None), (3, 2.0)] == [(row["k"], row["f"]) for row in found.to_pylist()]
