"""Every function returns the same on DuckDB and on Spark."""

from collections.abc import Mapping, Sequence

import pytest

from qanat.sql import check, load_sql
from qanat.sql.catalogue import EXAMPLES, FUNCTIONS
from qanat.sql.functions import Function
from qanat.tables import Column, ColumnType
from tests.parity.conftest import Engines
from tests.parity.rows import generated

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]

ROWS = 400

COLUMNS = (
    *(Column(each.name, each.type, nullable=True) for each in EXAMPLES),
    Column("big", ColumnType.INT128, nullable=True),
    Column("id", ColumnType.INT64),
)
"""Those of the examples, and each may be null."""

FURTHER: Mapping[str, Sequence[str]] = {
    "tumble": (
        "tumble(revised_at, '1 microsecond')",
        "tumble(revised_at, '7 days')",
        "tumble(created_at, '1 hour')",
    ),
    "truncate_time": tuple(
        f"truncate_time('{unit}', created_at)"
        for unit in ("second", "minute", "hour", "day", "week", "quarter", "year")
    ),
    "time_difference": tuple(
        f"time_difference('{unit}', created_at, revised_at)"
        for unit in ("microsecond", "millisecond", "second", "minute", "day", "week")
    ),
    "json_get": (
        "json_get(data, '$.items[1].a')",
        "json_get(data, '$.meta')",
        "json_get(domain, '$.a')",
    ),
    "hash_key": (
        "hash_key(created_at, is_bot, page_title, user_id)",
        "hash_key(page_title)",
        "hash_key(domain, wiki)",
    ),
    "safe_divide": ("safe_divide(share, namespace)", "safe_divide(big, pages)"),
    "cast_rounded": ("cast_rounded(- share, 'int64')", "cast_rounded(share * 0.5, 'int64')"),
    "latest_by": (
        "latest_by(page_id, revised_at)",
        "latest_by(user_id, is_bot)",
        "latest_by(is_bot, page_title)",
        "latest_by(share, pages)",
        "latest_by(created_at, share)",
    ),
    "collect_ordered": (
        "collect_ordered(domain, page_title)",
        "collect_ordered(user_id, share, 3)",
        "collect_ordered(page_title, is_bot, 1)",
    ),
    "count": (
        "count(*)",
        "count(distinct page_title)",
        "count(distinct share)",
        "count(distinct created_at)",
    ),
    "sum": ("sum(big)", "sum(namespace * 7)", "sum(user_id)"),
    "min": ("min(page_title)", "min(share)", "min(is_bot)", "min(big)"),
    "max": ("max(page_title)", "max(share)", "max(is_bot)", "max(big)"),
    "abs": ("abs(share)", "abs(big)", "abs(-5)"),
    "starts_with": ("starts_with(domain, page_title)", "starts_with(page_title, 'back\\')"),
}
"""Calls beside the example of each function."""


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_function(function: Function, engines: Engines) -> None:
    """On nulls, ties, hard values, and no rows at all."""
    calls = (function.example, *FURTHER.get(function.name, ()))
    listed = ", ".join(f"{call} as x{index}" for index, call in enumerate(calls))
    statement = f"select {listed} from batch"
    if function.aggregate:
        filtered = ", ".join(
            f"{call} filter (where namespace > 0) as y{index}" for index, call in enumerate(calls)
        )
        statement = f"select namespace, {listed}, {filtered} from batch group by namespace"
    checked = check(load_sql(statement), {"batch": COLUMNS})
    rows = generated(COLUMNS, ROWS, seed=len(function.name))
    engines.agree(checked, {"batch": rows})


def test_no_rows_for_aggregates(engines: Engines) -> None:
    """Without `group by`, aggregates of no rows are one row."""
    calls = [function.example for function in FUNCTIONS.values() if function.aggregate]
    listed = ", ".join(f"{call} as x{index}" for index, call in enumerate(calls))
    checked = check(load_sql(f"select {listed} from batch"), {"batch": COLUMNS})
    found = engines.agree(checked, {"batch": generated(COLUMNS, 0, seed=0)})
    assert found.num_rows == 1
