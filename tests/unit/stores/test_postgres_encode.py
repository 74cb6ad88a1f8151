"""Rows reach the server as they are, whichever way they are encoded."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.interfaces import Scalar
from qanat.stores.postgres_encode import encode
from qanat.stores.postgres_load import copy
from qanat.stores.postgres_numbers import fits_64_bits, magnitude
from qanat.stores.postgres_packed import array_length, packable, packed_ddl
from qanat.stores.postgres_types import column_ddl
from qanat.tables import Column, ColumnType, Table, arrow_schema

INT64S = st.integers(-(2**63), 2**63 - 1)
NUMBERS = Table(
    "numbers",
    (
        Column("small", ColumnType.INT64),
        Column("great", ColumnType.INT128),
        Column("real", ColumnType.FLOAT64),
        Column("flag", ColumnType.BOOLEAN),
        Column("at", ColumnType.TIMESTAMP),
    ),
)
TEXTS = Table(
    "texts",
    (
        Column("great", ColumnType.INT128, nullable=True),
        Column("text", ColumnType.TEXT, nullable=True),
        Column("raw", ColumnType.BYTES, nullable=True),
        Column("at", ColumnType.TIMESTAMP, nullable=True),
    ),
)
MOMENTS = (
    datetime(1583, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
SUMS = Table(
    "sums",
    (Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128)),
    key=("consumer",),
)


def table_of(table: Table, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = [
        [
            Decimal(value) if isinstance(value, int) and "decimal" in str(field.type) else value
            for value in column
        ]
        for column, field in zip(zip(*rows, strict=True), arrow_schema(table), strict=True)
    ]
    return pa.table(
        [
            pa.array(column, field.type)
            for column, field in zip(columns, arrow_schema(table), strict=True)
        ],
        names=list(table.names),
    )


def there_and_back(
    url: str, table: Table, rows: pa.Table, constants: dict[str, Scalar] | None = None
) -> tuple[str, list[tuple[object, ...]]]:
    """Copy rows into a temporary table; return how they were encoded, and what is in the table."""
    columns = ", ".join(column_ddl(column) for column in table.columns)
    encoded = encode(table, rows, constants)
    with psycopg.connect(url) as connection:
        connection.execute(f"create temporary table {table.name} ({columns})".encode())
        connection.execute("set timezone = 'UTC'")
        copy(connection, table.name, [*rows.column_names, *(constants or {})], encoded)
        found = connection.execute(f"select * from {table.name}".encode()).fetchall()
    return encoded.options, found


@pytest.mark.postgres
@pytest.mark.parametrize("count", [1, 16_384, 40_000])
def test_numbers_are_binary(postgres_url: str, count: int) -> None:
    """Columns of fixed width go in the binary format, the ends of their ranges included, over several blocks."""
    ends = (-(2**63), -10_000, -1, 0, 1, 9_999, 10_000, 2**53 + 1, 2**63 - 1)
    rows = [
        (ends[n % 9], ends[(n * 7) % 9], float(ends[n % 9]), n % 3 == 0, MOMENTS[n % 2])
        for n in range(count)
    ]
    options, found = there_and_back(postgres_url, NUMBERS, table_of(NUMBERS, rows))
    assert "binary" in options
    assert found == rows


@pytest.mark.postgres
@pytest.mark.parametrize(
    "rows",
    [
        [
            (2**63, "", b"", MOMENTS[0]),
            (None, None, None, None),
            (-(10**37), '"\\.\n,', bytes(range(256)), MOMENTS[1]),
        ],
        [(1, "a", None, None)] * 2,
        [(1, "a", b"\0", None)] * 20_000,
    ],
    ids=["odd", "nulls", "blocks"],
)
def test_texts_are_csv(postgres_url: str, rows: list[tuple[object, ...]]) -> None:
    """Texts, bytes, nulls and numbers beyond 64 bits arrive to the letter; a slice shows what it shows."""
    whole = table_of(TEXTS, [rows[0], *rows])
    for given_rows in (table_of(TEXTS, rows), whole.slice(1)):
        options, found = there_and_back(postgres_url, TEXTS, given_rows)
        assert "csv" in options
        assert found == rows


@pytest.mark.postgres
@pytest.mark.parametrize("text", ["hour", "ö\n", "", None])
def test_constants(postgres_url: str, text: str | None) -> None:
    """A constant text of any length stays with the binary format, unless there is nothing of it."""
    rows = table_of(TEXTS, [(5, None, None, None)]).select(["great"])
    options, found = there_and_back(
        postgres_url, TEXTS, rows, {"text": text, "raw": b"\xff", "at": MOMENTS[0]}
    )
    assert ("binary" in options) == bool(text)
    assert found == [(5, text, b"\xff", MOMENTS[0])]


@given(st.lists(st.one_of(INT64S, st.integers(-(10**38) + 1, 10**38 - 1)), max_size=5))
def test_fits_64_bits(numbers: list[int]) -> None:
    """Decimals are taken for 64-bit numbers if and only if all of them are."""
    column = pa.chunked_array([pa.array([Decimal(n) for n in numbers], pa.decimal128(38, 0))])
    found = fits_64_bits(
        ColumnType.INT128, pa.chunked_array([column.chunk(0)[:1], column.chunk(0)[1:]])
    )
    if all(-(2**63) <= n < 2**63 for n in numbers):
        assert found is not None
        assert found.tolist() == numbers
        assert magnitude(found) == max(map(abs, numbers), default=0)
    else:
        assert found is None


@pytest.mark.postgres
@pytest.mark.parametrize("extra", [-1, 0, 1, 1_024 * 118 + 5])
def test_packed_arrays(postgres_url: str, extra: int) -> None:
    """Sums in any order become arrays in order of their keys; the last array is as long as what is left."""
    count = array_length(2) * 2 + extra
    keys = np.random.default_rng(1).permutation(count) * 2**40 - 2**62
    rows = pa.table({"consumer": keys, "amount": pa.array(keys // 3).cast(pa.decimal128(38, 0))})
    packed = packable(SUMS, rows, ("consumer",))
    assert packed is not None
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"create temporary table packed ({packed_ddl(packed.columns)})".encode())
        copy(connection, "packed", packed.columns, packed.encode())
        found = connection.execute("select unnest(consumer), unnest(amount) from packed").fetchall()
        lengths = connection.execute("select max(cardinality(amount)) from packed").fetchone()
    assert found == [(key, key // 3) for key in sorted(keys.tolist())]
    assert lengths == (array_length(2),)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 2), (1, 3)],
        [(1, 2**63)],
    ],
    ids=["key twice", "too large"],
)
def test_not_packable(rows: list[tuple[int, int]]) -> None:
    """What arrays of 64-bit numbers by key can't hold isn't packed."""
    assert packable(SUMS, table_of(SUMS, rows), ("consumer",)) is None
