"""Functions with a meaning of ours mean what their documentation says."""

import hashlib
import math
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from qanat.engines.duckdb import DuckdbEngine
from qanat.errors import Fatal
from qanat.sql import check, load_sql
from qanat.tables import Column, ColumnType, Table, arrow_schema

Value = int | float | str | bool | datetime | Decimal | None

KINDS: dict[type, ColumnType] = {
    int: ColumnType.INT64,
    float: ColumnType.FLOAT64,
    str: ColumnType.TEXT,
    bool: ColumnType.BOOLEAN,
    datetime: ColumnType.TIMESTAMP,
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def result(expression: str, **columns: list[Value]) -> list[Value]:
    """Evaluate an expression over rows with the given columns."""
    declared = tuple(
        Column(name, kind_of(values), nullable=True) for name, values in columns.items()
    )
    rows = pa.table(columns, schema=arrow_schema(Table("batch", declared)))
    checked = check(load_sql(f"select {expression} as x from batch"), {"batch": declared})
    with DuckdbEngine() as engine:
        found: list[Value] = engine.run(checked, {"batch": rows}).column("x").to_pylist()
    return found


def kind_of(values: list[Value]) -> ColumnType:
    return next((KINDS[type(value)] for value in values if value is not None), ColumnType.TEXT)


@pytest.mark.parametrize(
    ("moment", "span", "expected"),
    [
        ("2026-03-29T01:59:59", "1 hour", "2026-03-29T01:00:00"),
        ("2026-03-29T02:00:00", "1 hour", "2026-03-29T02:00:00"),
        ("1969-12-31T23:59:59.999999", "1 hour", "1969-12-31T23:00:00"),
        ("1969-12-31T23:00:00", "1 hour", "1969-12-31T23:00:00"),
        ("1970-01-07T12:00:00", "1 week", "1970-01-01T00:00:00"),
        ("1900-01-01T07:00:00", "6 hours", "1900-01-01T06:00:00"),
        ("2026-01-01T00:00:07", "5 seconds", "2026-01-01T00:00:05"),
    ],
)
def test_tumble(moment: str, span: str, expected: str) -> None:
    assert [at(expected), None] == result(f"tumble(t, '{span}')", t=[at(moment), None])


def test_truncate_time() -> None:
    moment = at("2027-01-03T23:59:59.5")
    units = {
        "second": "2027-01-03T23:59:59", "minute": "2027-01-03T23:59:00", "hour": "2027-01-03T23:00:00",
        "day": "2027-01-03", "week": "2026-12-28", "month": "2027-01-01", "quarter": "2027-01-01", "year": "2027-01-01",
    }  # fmt: skip
    for unit, expected in units.items():
        assert [at(expected)] == result(f"truncate_time('{unit}', t)", t=[moment])
    assert [7] == result("day_of_week(t)", t=[moment])


@pytest.mark.parametrize(
    ("unit", "start", "end", "expected"),
    [
        ("hour", "2026-01-01T00:00:00", "2026-01-01T01:59:59", 1),
        ("hour", "2026-01-01T01:00:00", "2026-01-01T00:30:00", -1),
        ("hour", "2026-01-01T01:00:00", "2026-01-01T00:00:00", -1),
        ("day", "1969-12-30T12:00:00", "1970-01-01T12:00:00", 2),
        ("microsecond", "1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", 1),
    ],
)
def test_time_difference(unit: str, start: str, end: str, expected: int) -> None:
    assert [expected] == result(f"time_difference('{unit}', a, b)", a=[at(start)], b=[at(end)])


def test_parse_time() -> None:
    texts: list[Value] = [
        "2026-07-01T12:00:00Z",
        "2026-07-01T12:00:00.5+02:00",
        "2026-02-30T00:00:00Z",
        "2026-07-01",
        "",
        None,
    ]
    moments = [at("2026-07-01T12:00:00"), at("2026-07-01T10:00:00.5"), None, None, None, None]
    assert moments == result("parse_time(t)", t=texts)


def test_parse_integer() -> None:
    texts: list[Value] = ["12", "-7", "+7", " 7", "1.5", "", "7\n", "9" * 18, "9" * 19, None]
    assert [12, -7, None, None, None, None, None, 10**18 - 1, None, None] == result("parse_integer(t)", t=texts)  # fmt: skip


def test_cast_rounded() -> None:
    numbers: list[Value] = [
        2.5,
        -2.5,
        0.5,
        0.49999999999999994,
        -0.4,
        4503599627370497.0,
        math.nan,
        math.inf,
        1e19,
        None,
    ]
    expected = [3, -3, 1, 0, 0, 4503599627370497, None, None, None, None]
    assert expected == result("cast_rounded(n, 'int64')", n=numbers)


def test_safe_divide() -> None:
    assert [0.5, None, -2.0, None] == result(
        "safe_divide(a, b)", a=[1, 1, -4, None], b=[2, 0, 2, 1]
    )


def test_json_get() -> None:
    texts: list[Value] = [
        '{"a": {"b": "x"}}', '{"a": {"b": 12}}', '{"a": {"b": true}}', '{"a": {"b": null}}', '{"a": {"b": 1.5}}',
        '{"a": {"b": [1]}}', '{"a": 1}', "no", None,
    ]  # fmt: skip
    assert ["x", "12", "true", *[None] * 6] == result("json_get(t, '$.a.b')", t=texts)


def test_hash_key() -> None:
    """The first half of MD5 of type, length and text; computed here by other means."""
    digest = hashlib.md5("t2:é!i2:-7n".encode(), usedforsecurity=False).digest()[:8]
    key = int.from_bytes(digest, signed=True)
    assert [key] == result("hash_key(a, b, c)", a=["é!"], b=[-7], c=[None])
    together = result("hash_key(a, b)", a=["ab", "a", None, ""], b=["c", "bc", "", None])
    assert len(set(together)) == 4


def test_latest_by() -> None:
    values: list[Value] = ["old", "b", "a", None, "unversioned"]
    assert ["b"] == result("latest_by(v, n)", v=values, n=[1, 2, 2, 2, None])
    assert [None] == result("latest_by(v, n)", v=["x", None], n=[1, 2])


def test_collect_ordered() -> None:
    values: list[Value] = ["c", "b", "a", None, 'quo"te', "last"]
    orders: list[Value] = [2, 1, 1, 0, 3, None]
    assert ['["a","b","c","quo\\"te","last"]'] == result(
        "collect_ordered(v, n)", v=values, n=orders
    )
    assert ['["a","b"]'] == result("collect_ordered(v, n, 2)", v=values, n=orders)
    assert ["[]"] == result("collect_ordered(v, n)", v=[None], n=[1])


def test_count_if() -> None:
    assert [1] == result("count_if(b)", b=[True, False, None])


def test_overflow_is_an_error() -> None:
    """An integer that doesn't fit is never another one."""
    with pytest.raises(Fatal, match=r"[Oo]verflow|range"):
        result("n + 1", n=[2**63 - 1])


def test_hop() -> None:
    """A row lies in as many windows as steps make up their size; the end belongs to the next."""
    declared = (Column("t", ColumnType.TIMESTAMP), Column("n", ColumnType.INT64))
    rows = pa.table(
        {"t": [at("1969-12-31T23:00:00")], "n": [1]}, schema=arrow_schema(Table("b", declared))
    )
    text = "select n, window_start, window_end from hop(batch, t, '3 hours', '1 hour') as h order by window_start"
    with DuckdbEngine() as engine:
        found = engine.run(check(load_sql(text), {"batch": declared}), {"batch": rows}).to_pylist()
    starts = ["1969-12-31T21:00:00", "1969-12-31T22:00:00", "1969-12-31T23:00:00"]
    assert [at(each) for each in starts] == [row["window_start"] for row in found]
    assert at("1970-01-01T00:00:00") == found[0]["window_end"]
