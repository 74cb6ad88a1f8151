"""A statement that is asked again is answered by a shorter way, and with the same table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.duckdb_rows import ROWS_MAX
from qanat.errors import ConfigError
from qanat.interfaces import Scalar, StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store

# What one row of each is, and how DuckDB has it.
VALUES = {
    "integers": "(1::bigint, -9223372036854775808, 9223372036854775807), (null, 0, 3)",
    "small integers": "(1::integer, null::integer), (2147483647, -2147483648)",
    "numbers": "(1.5::double, 'nan'::double), ('-infinity'::double, null)",
    "texts": "('a', null), ('ü\n\"''', ''), ('𝄞', 'b')",
    "booleans": "(true, null), (false, true)",
    "moments": "(timestamptz '2026-11-22 12:00:00.123456+01', null),"
    " (timestamptz '0001-01-01 00:00:00+00', timestamptz 'infinity'),"
    " (timestamptz '-infinity', timestamptz '9999-12-31 23:59:59.999999+00')",
    "nothing but nulls": "(null::bigint, null::text, null::timestamptz, null::boolean)",
    "sums": "(170141183460469231731687303715884105727::hugeint, 1.25::decimal(10, 2))",
    "bytes": "(from_hex('00ff'), 1), (null, 2)",
    "days": "(date '2026-11-22', interval '1 day')",
    "lists": "([1, 2], {'a': 1})",
    "zoneless": "(timestamp '2026-11-22 12:00:00', time '12:00')",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = open_store("duckdb:", "p", StoreOptions(tmp_path, SystemClock()))
    yield opened
    opened.close()


def assert_same_again(
    store: DuckdbStore, sql: str, parameters: Mapping[str, Scalar] | None = None
) -> None:
    """The first answer comes by Arrow, the later ones by the shorter way where there is one."""
    with store.snapshot() as reader:
        first, second, third = (reader.query(sql, parameters) for _ in range(3))
    for later in (second, third):
        assert first.schema == later.schema
        for left, right in zip(first.columns, later.columns, strict=True):
            assert bits(left) == bits(right)


def run(store: DuckdbStore, sql: str) -> None:
    """Change the store, in a transaction of its own."""

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(sql)

    store._database.run(work)


def bits(column: pa.ChunkedArray) -> str:
    """Values as they can be compared: nan equals nan, and moments beyond Python's are numbers."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return repr(column.to_pylist())


@pytest.mark.parametrize("kind", VALUES)
def test_every_type(store: DuckdbStore, kind: str) -> None:
    """Values and types are those of the longer way, to the last bit."""
    assert_same_again(store, f"select * from (values {VALUES[kind]})")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a, 'x' as a",
        "select range as n, 'x' as t from range(5) where range > 9",
        "select 'x' || range as t, range as n from range(0, 5000)",
        "explain select 1",
        'select 1 as "a b", \'x\' as "A B"',
    ],
)
def test_every_shape(store: DuckdbStore, sql: str) -> None:
    """Names that come twice, no rows, many rows, odd names."""
    assert_same_again(store, sql)


def test_parameters(store: DuckdbStore) -> None:
    """One text with values of several types and without one: each time the answer is its own."""
    sql = "select $given as given"
    answers = []
    for given in (1, "x", None, 2.5, True, 10**30, "y"):
        with store.snapshot() as reader:
            answers += reader.query(sql, {"given": given}).column(0).to_pylist()
    assert [1, "x", None, 2.5, True, 10**30, "y"] == answers


def test_grows(store: DuckdbStore) -> None:
    """A result that was small and becomes large is whole; so is the small one after it."""
    sql = "select range as n, 'x' as t from range($count)"
    for count in (3, 3, ROWS_MAX + 1, ROWS_MAX + 1, 2, 2):
        with store.snapshot() as reader:
            found = reader.query(sql, {"count": count})
        assert list(range(count)) == found.column("n").to_pylist()


def test_sees_what_is_there_now(store: DuckdbStore) -> None:
    """A kept statement is planned each time: of a table that was dropped and made anew with other columns too."""
    for column, value in (("a bigint", "1"), ("a varchar", "'x'"), ("a bigint, b bigint", "2, 3")):
        run(store, f"create table changing ({column})")
        run(store, f"insert into changing values ({value})")
        assert_same_again(store, "select * from changing")
        run(store, "drop table changing")
    with store.snapshot() as reader, pytest.raises(ConfigError):
        reader.query("select * from changing")


def test_another_store(store: DuckdbStore, tmp_path: Path) -> None:
    """What one store learnt of a statement is no hindrance in another one."""
    sql = "select count(*) as n from duckdb_tables()"
    assert_same_again(store, sql)
    other = open_store("duckdb:", "q", StoreOptions(tmp_path, SystemClock()))
    try:
        assert_same_again(other, sql)
    finally:
        other.close()
    assert_same_again(store, sql)
