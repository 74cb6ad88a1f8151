"""Rows that find differences between engines, and the comparison of two results."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from qanat.tables import Column, ColumnType, Table, arrow_schema

Value = int | float | str | bytes | bool | datetime | Decimal | None

_US = timedelta(microseconds=1)
_HARD_MOMENTS = (
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC) - _US,
    datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC),
    datetime(1900, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1583, 1, 1, tzinfo=UTC),
    # Clocks change in Europe and in America.
    datetime(2026, 3, 29, 1, tzinfo=UTC) - _US,
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 30, 500000, tzinfo=UTC),
    datetime(2026, 1, 31, tzinfo=UTC),
    datetime(2027, 1, 3, 23, 59, 59, tzinfo=UTC),
    datetime(2100, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
_HARD_TEXTS = (
    "", " ", "a", "A", "Z", "z", "ä", "a\u0308", "ß", "İ", "ſ", "😀", "\uffff", "\U00010000",
    "it's", 'say "hi"', "back\\slash", "new\nline", "tab\t", "\x01\x1f\x7f", "\u2028", "{}", "100%",
    "a_b", "12", "-7", "+7", " 7", "7 ", "007", "1.5", "1e3", "-", "٣", "123456789012345678",
    "1234567890123456789", "12\n",
)  # fmt: skip
_HARD_TIMES = (
    "2026-07-01T12:00:00Z", "2026-07-01 12:00:00Z", "2026-07-01T12:00:00.5+02:00",
    "1969-12-31T23:59:59.999999-00:30", "2026-02-30T00:00:00Z", "2026-07-01T24:00:00Z",
    "2026-07-01T12:00:60Z", "2026-07-01", "2026-07-01T12:00:00", "2026-07-01T12:00:00.1234567Z",
    "0001-01-01T00:00:00Z", "2026-07-01T12:00:00+14:00", "2026-07-01T12:00:00+19:00",
    "2026-07-01T12:00:00z", "2024-02-29T00:00:00.000001Z", "2026-13-01T00:00:00Z",
)  # fmt: skip
_HARD_JSON = (
    '{"meta": {"domain": "commons.wikimedia.org"}}', '{"meta":{"domain":"\\u00e9\\n\\"x\\""}}',
    '{"meta":{"domain":null}}', '{"meta":{"domain":true}}', '{"meta":{"domain":12}}',
    '{"meta":{"domain":-0}}', '{"meta":{"domain":1.0}}', '{"meta":{"domain":1e3}}',
    '{"meta":{"domain":9223372036854775807}}', '{"meta":{"domain":9223372036854775808}}',
    '{"meta":{"domain":-9223372036854775808}}', '{"meta":{"domain":123456789012345678901234567890}}',
    '{"meta":{"domain":{"a":1}}}', '{"meta":{"domain":[1, 2]}}', '{"meta":{"domain":"null"}}',
    '{"meta":{"domain":""}}', '{"meta":[{"domain":"x"}]}', '{"meta":"x"}', "{}", "[]", "", "null",
    "not json", '{"meta":{"domain":"cut', '"text"', '{"items":[{"a":"😀"},{"a":"second"}]}',
    '{"items":[]}', '{"items":"no list"}', '  {"meta" : {"domain" :  "spaces" } } ', '{"meta":{"domain":-5}}',
)  # fmt: skip
_HARD_FLOATS = (
    0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, -1.25, 0.49999999999999994, -0.49999999999999994, 4503599627370495.5,
    -4503599627370495.5, 4503599627370497.0, 9007199254740993.0, 1e17, 1e300, -1e300, 5e-324,
    math.inf, -math.inf, math.nan, 0.1, 1 / 3,
)  # fmt: skip
_HARD_INTEGERS = (0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**53 + 1, -(2**53) - 1, 2**62, -(2**62))

_HARD: Mapping[ColumnType, Sequence[Value]] = {
    ColumnType.TIMESTAMP: _HARD_MOMENTS,
    ColumnType.TEXT: _HARD_TEXTS,
    ColumnType.FLOAT64: _HARD_FLOATS,
    ColumnType.INT64: _HARD_INTEGERS,
    ColumnType.INT128: tuple(Decimal(each) for each in (0, -1, 10**20, -(10**20), 5)),
    ColumnType.BOOLEAN: (True, False),
    ColumnType.BYTES: (b"", b"\x00\xff", b"abc"),
}
_OWN: Mapping[str, Sequence[Value]] = {
    "data": _HARD_JSON,
    "domain": (*_HARD_TEXTS, *_HARD_TIMES),
    "namespace": (0, 1, -1, 2, 14),
    "pages": (1, 1, 2, -3, 10**12),
}
"""Columns whose values have to be of a certain kind."""

# With these chances a value is null, repeats an earlier one of its column (a tie), or is a moment's neighbour.
_NULL, _TIE = 0.15, 0.4


def generated(
    columns: Sequence[Column],
    count: int,
    seed: int,
    pools: Mapping[str, Sequence[Value]] | None = None,
) -> pa.Table:
    """Make rows of a shape: the hard values of each type, nulls where they may be, and many ties.

    The values of a column in `pools` are taken from there alone.
    """
    chance = random.Random(seed)
    arrays = {
        column.name: _values(column, count, chance, (pools or {}).get(column.name))
        for column in columns
    }
    return pa.table(arrays, schema=arrow_schema(Table("rows", tuple(columns))))


def _values(
    column: Column, count: int, chance: random.Random, pool: Sequence[Value] | None
) -> list[Value]:
    if pool is not None:
        nulls = _NULL if column.nullable else 0.0
        return [None if chance.random() < nulls else chance.choice(pool) for _ in range(count)]
    if column.name == "id" and column.type is ColumnType.INT64:
        return list(range(count))
    hard = list(_OWN.get(column.name, _HARD[column.type]))
    chance.shuffle(hard)
    values: list[Value] = []
    for index in range(count):
        if column.nullable and chance.random() < _NULL:
            values.append(None)
        elif index < len(hard):
            values.append(hard[index])
        elif chance.random() < _TIE:
            values.append(chance.choice(hard))
        else:
            values.append(_random(column.type, hard, chance))
    return values


def _random(kind: ColumnType, hard: Sequence[Value], chance: random.Random) -> Value:
    if kind is ColumnType.TIMESTAMP:
        return datetime(2026, 1, 1, tzinfo=UTC) + _US * chance.randrange(10**6 * 86_400 * 400)
    if kind is ColumnType.FLOAT64:
        return chance.choice((chance.uniform(-1e4, 1e4), chance.randrange(-99, 99) / 4))
    return chance.choice(hard)


def comparable(rows: pa.Table, *, ordered: bool) -> list[tuple[str, ...]]:
    """Return rows so that equal ones are equal: fractions by their digits; sorted, unless their order counts."""
    listed = [tuple(map(_written, row)) for row in zip(*rows.to_pydict().values(), strict=True)]
    return listed if ordered else sorted(listed)


def _written(value: Value) -> str:
    if isinstance(value, float):
        return repr(value + 0.0)  # -0.0 is 0.0
    return f"{type(value).__name__} {value!r}"


def differences(first: pa.Table, second: pa.Table, *, ordered: bool) -> Iterator[str]:
    """Name the rows that only one of two results has."""
    if first.schema != second.schema:
        yield f"schemas: {first.schema} and {second.schema}"
        return
    here, there = comparable(first, ordered=ordered), comparable(second, ordered=ordered)
    if len(here) != len(there):
        yield f"{len(here)} rows and {len(there)}"
    for ours, theirs in zip(here, there, strict=False):
        if ours != theirs:
            yield f"{ours}\n   {theirs}"
