"""Users' SQL: what is bound, what comes back, what is refused."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import psycopg
import pyarrow as pa
import pytest

from qanat.errors import ConfigError, Fatal, QanatError, Retryable
from qanat.stores.postgres import PostgresStore
from qanat.stores.postgres_read import bound
from qanat.testing.laws_store import EVENTS, contents
from tests.unit.stores.postgres_fixtures import opened


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select $a, $b_1, $a", "select %(a)s, %(b_1)s, %(a)s"),
        ("select 7 % 3, '5 % $a'", "select 7 %% 3, '5 %% $a'"),
        ("select 'it''s $a' -- $a 'quote", "select 'it''s $a' -- $a 'quote"),
        (r"select E'\'$a', $a", r"select E'\'$a', %(a)s"),
        ('select "x$a""$a", $a', 'select "x$a""$a", %(a)s'),
        ("select /* $a\n' */ $a", "select /* $a\n' */ %(a)s"),
        ("select $$ $a $$, $x$ $a $$ $x$, $a", "select $$ $a $$, $x$ $a $$ $x$, %(a)s"),
        ("select a$b from t where c=$c", "select a$b from t where c=%(c)s"),
    ],
)
def test_bound(sql: str, expected: str) -> None:
    """A parameter is a parameter only where SQL would have a value."""
    assert bound(sql).decode() == expected


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    with opened(postgres_url, tmp_path, EVENTS) as made:
        yield made


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("sum(cast(n as bigint))", pa.decimal128(38, 0), Decimal(6)),
        ("sum(n * 1.25)", pa.decimal128(38, 2), Decimal("7.50")),
        ("sum(n * 0.00)", pa.decimal128(38, 2), Decimal("0.00")),
        ("sum(n * 1e20)", pa.decimal128(38, 0), Decimal(6 * 10**20)),
        ("cast(10 as numeric) ^ 45 + 0.5 * count(*)", pa.decimal256(76, 1), Decimal("1" + "0" * 44 + "1.5")),
        ("cast(sum(n) as numeric(20, 3))", pa.decimal128(20, 3), Decimal(6)),
        ("cast(null as numeric)", pa.decimal128(38, 0), None),
        ("count(*)", pa.int64(), 3),
        ("cast(1 as smallint)", pa.int64(), 1),
        ("cast(1.5 as real)", pa.float64(), 1.5),
        ("date '1582-10-04'", pa.date32(), date(1582, 10, 4)),
        ("timestamp '2026-03-29 02:30'", pa.timestamp("us"), datetime(2026, 3, 29, 2, 30)),  # noqa: DTZ001 - it has none
        ("timestamptz '2026-03-29 02:30+02'", pa.timestamp("us", tz="UTC"), datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
        ("array_agg(n order by n)", pa.list_(pa.int64()), [1, 2, 3]),
        ("array['a', null]", pa.list_(pa.string()), ["a", None]),
        ("""cast('{"a": [1]}' as jsonb)""", pa.string(), '{"a": [1]}'),
        ("cast('00000000-0000-0000-0000-000000000001' as uuid)", pa.string(), "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_types(store: PostgresStore, value: str, kind: pa.DataType, expected: object) -> None:
    """Every common type has its Arrow type; a number without a declared scale gets the one that it needs."""
    asked = f"select {value} as found, count(*) as n from generate_series(1, 3) as g(n)"
    with store.snapshot() as reader:
        for found in (reader.query(asked), reader.stream(asked).read_all()):
            assert found.schema.field("found").type == kind
            assert found.column("found").to_pylist() == [expected]


@pytest.mark.postgres
@pytest.mark.parametrize("value", ["interval '1 day'", "cast('NaN' as numeric)", "point '(1, 2)'"])
def test_unknown_types(store: PostgresStore, value: str) -> None:
    """What Arrow can't hold is refused with advice, and the reader can be used on."""
    with store.snapshot() as reader:
        with pytest.raises(ConfigError, match="Cast it"):
            reader.query(f"select {value} as found")
        assert reader.query("select 1 as one").num_rows == 1


@pytest.mark.postgres
def test_scale_that_comes_late(store: PostgresStore) -> None:
    """A stream whose later numbers don't fit the first ones' scale ends with an error, never with a rounded number."""
    asked = "select case when n < 60000 then 1 else 0.5 end as found from generate_series(1, 60000) as g(n)"
    with store.snapshot() as reader:
        with pytest.raises(ConfigError, match="Cast it"):
            reader.stream(asked).read_all()
        assert reader.query(asked).column("found")[59_999].as_py() == Decimal("0.5")


@pytest.mark.postgres
def test_streams_at_once(store: PostgresStore) -> None:
    """Streams of one reader can be read in turns, and left in the middle."""
    asked = "select n from generate_series($first, $last) as g(n)"
    with store.snapshot() as reader:
        one = reader.stream(asked, {"first": 1, "last": 200_000})
        two = reader.stream(asked, {"first": 1, "last": 100_000})
        counts = [one.read_next_batch().num_rows + two.read_next_batch().num_rows for _ in range(2)]
        assert counts == [100_000, 100_000]
        assert reader.query("select 1 as one").num_rows == 1
    assert contents(store, EVENTS) == []
    with pytest.raises((QanatError, StopIteration)):
        while True:
            one.read_next_batch()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        "commit",
        "set transaction read write",
        "with gone as (delete from law_events returning id) select id from gone",
        "select 1; commit",
        "select nextval('law_numbers')",
        "explain select 1",
        "select 1 / (n - 2) from generate_series(1, 3) as g(n)",
    ],
)
def test_refused(store: PostgresStore, statement: str) -> None:
    """A reader's statement can't end its transaction, nor write by a detour."""
    with psycopg.connect(store._endpoint.url, autocommit=True) as connection:
        connection.execute("create sequence if not exists public.law_numbers")
    with store.snapshot() as reader:
        with pytest.raises(ConfigError):
            reader.query(statement.replace("law_numbers", "public.law_numbers"))
        assert reader.query("select 1 as one").num_rows == 1


@pytest.mark.postgres
def test_missing_parameter(store: PostgresStore) -> None:
    """A parameter that isn't given is a ConfigError that names it."""
    with store.snapshot() as reader, pytest.raises(ConfigError, match="missing_one"):
        reader.query("select $missing_one as x", {"other": 1})


@pytest.mark.postgres
def test_transaction_after_an_error(store: PostgresStore) -> None:
    """After a wrong statement a transaction can't be used on, and its commit is refused loudly."""
    with store.begin("s", uuid4()) as transaction:
        transaction.execute("insert into law_events (id) values (1)")
        with pytest.raises(ConfigError):
            transaction.execute("insert into nowhere values (1)")
        with pytest.raises(Fatal, match="failed"):
            transaction.query("select 1 as one")
        with pytest.raises(Fatal, match="failed"):
            transaction.commit()
    assert contents(store, EVENTS) == []


@pytest.mark.postgres
def test_transaction_that_is_over(store: PostgresStore) -> None:
    """After its commit a transaction refuses everything."""
    with store.begin("s", uuid4()) as transaction:
        transaction.commit()
        with pytest.raises(Fatal, match="over"):
            transaction.execute("delete from law_events")
        with pytest.raises(Fatal, match="over"):
            transaction.commit()


@pytest.mark.postgres
def test_deadlock(store: PostgresStore) -> None:
    """Two transactions that wait for each other: one of them is told to do it again, the other goes on."""
    import threading

    outcomes: list[str] = []
    both = threading.Barrier(2)

    def work(names: tuple[str, str]) -> None:
        try:
            with store.begin("s", uuid4()) as transaction:
                transaction.lock(names[0])
                both.wait()
                transaction.lock(names[1])
                transaction.commit()
                outcomes.append("done")
        except Retryable:
            outcomes.append("retry")

    threads = [threading.Thread(target=work, args=[names]) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "retry"]
