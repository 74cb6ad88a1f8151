"""Many sums at once: the packed way comes to the same as adding one by one in Python."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from qanat.errors import Fatal, Retryable
from qanat.interfaces import Scalar
from qanat.stores.postgres import PostgresStore
from qanat.stores.postgres_write import PACKED_ROWS_MIN
from qanat.tables import Add, Append, Column, ColumnType, Table
from qanat.testing.laws_store import tuples
from tests.unit.stores.postgres_fixtures import opened

pytestmark = pytest.mark.postgres

TOTALS = Table(
    "totals",
    (
        Column("consumer", ColumnType.INT64),
        Column("amount", ColumnType.INT128),
        Column("files", ColumnType.INT64),
    ),
    key=("consumer",),
    large=True,
)
USAGE = Table(
    "usage",
    (
        Column("consumer", ColumnType.INT64),
        Column("period_start", ColumnType.TIMESTAMP),
        Column("granularity", ColumnType.TEXT),
        Column("amount", ColumnType.INT128),
        Column("note", ColumnType.TEXT, nullable=True),
    ),
    key=("consumer", "period_start", "granularity"),
    large=True,
)
SHAPE = Table(
    "sums",
    (Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128)),
    key=("consumer",),
)
HOUR = datetime(2026, 3, 29, 1, tzinfo=UTC)
ADD = Add(("consumer",), ("amount", "files"))
UNDO = Add(("consumer",), ("amount", "files"), drop_when_zero="files")
USE = Add(USAGE.key, ("amount",))
COUNT = PACKED_ROWS_MIN + 123


@dataclass
class Model:
    """What the tables have to hold."""

    totals: dict[int, tuple[int, int]] = field(default_factory=dict)
    usage: dict[tuple[int, datetime], int] = field(default_factory=dict)

    def add(self, sums: Mapping[int, int], hour: datetime = HOUR) -> None:
        for consumer, amount in sums.items():
            total, files = self.totals.get(consumer, (0, 0))
            self.totals[consumer] = total + amount, files + 1
            self.usage[consumer, hour] = self.usage.get((consumer, hour), 0) + amount

    def check(self, store: PostgresStore) -> None:
        with store.snapshot() as reader:
            totals = tuples(reader.query("select consumer, amount, files from totals"))
            usage = tuples(
                reader.query("select consumer, period_start, granularity, amount, note from usage")
            )
        assert totals == [(key, *value) for key, value in sorted(self.totals.items())]
        assert usage == [
            (consumer, hour, "hour", amount, None)
            for (consumer, hour), amount in sorted(self.usage.items())
        ]


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    with opened(postgres_url, tmp_path, TOTALS, USAGE) as made:
        yield made


def sums_of(keys: Iterable[int], factor: int = 3) -> dict[int, int]:
    return {key: key * factor - 7 for key in keys}


def arrow(sums: Mapping[int, int], *, shuffled: bool = True) -> pa.Table:
    keys = np.array(list(sums), dtype=np.int64)
    if shuffled:
        np.random.default_rng(3).shuffle(keys)
    amounts = pa.array([sums[int(key)] for key in keys], pa.int64()).cast(pa.decimal128(38, 0))
    return pa.table({"consumer": pa.array(keys), "amount": amounts})


def usage_constants(hour: datetime) -> dict[str, Scalar]:
    return {"period_start": hour, "granularity": "hour", "note": None}


def write(store: PostgresStore, sums: Mapping[int, int], hour: datetime = HOUR) -> None:
    rows = arrow(sums)
    with store.begin("s", uuid4()) as transaction:
        transaction.write(TOTALS, rows, ADD, {"files": 1})
        transaction.write(USAGE, rows, USE, usage_constants(hour))
        transaction.commit()


def merge(store: PostgresStore, parts: list[Mapping[int, int]], hour: datetime = HOUR) -> None:
    attempt = uuid4()
    staged = [store.stage(SHAPE, arrow(part), attempt, n) for n, part in enumerate(parts)]
    with store.begin("s", uuid4()) as transaction:
        assert transaction.merge(TOTALS, staged, ADD, {"files": 1}) == sum(map(len, parts))
        transaction.merge(USAGE, staged, USE, usage_constants(hour))
        transaction.commit()
    store.discard(attempt)


@pytest.mark.parametrize("way", ["write", "merge"])
def test_new_known_and_mixed(store: PostgresStore, way: str) -> None:
    """Keys that are all new, all known, or partly, in a new period and in a known one: each sum is added once."""
    model = Model()
    files: list[tuple[Iterable[int], datetime]] = [
        (range(COUNT), HOUR),
        (range(COUNT), HOUR),
        (range(COUNT), HOUR + timedelta(hours=1)),
        (range(COUNT - 1_000, 2 * COUNT, 1), HOUR),
        (range(-COUNT, COUNT * 3, 7), HOUR),
        (range(-(2**55), -(2**55) + COUNT * 2**45, 2**45), HOUR - timedelta(hours=5)),
    ]
    for keys, hour in files:
        sums = sums_of(keys)
        if way == "write":
            write(store, sums, hour)
        else:
            merge(store, [sums], hour)
        model.add(sums, hour)
        model.check(store)


def test_several_parts(store: PostgresStore) -> None:
    """Parts that overlap, lie apart or are empty come to what their sum is."""
    model = Model()
    for parts in ([range(COUNT), range(10, COUNT + 10)], [range(5), range(0), range(5, COUNT)]):
        given = [sums_of(part) for part in parts]
        together: dict[int, int] = {}
        for part in given:
            for key, amount in part.items():
                together[key] = together.get(key, 0) + amount
        merge(store, list(given))
        model.add(together)
        for key in together:  # a constant is a column: it counts for every part that has the key
            amount, files = model.totals[key]
            model.totals[key] = amount, files - 1 + sum(key in part for part in given)
        model.check(store)


@pytest.mark.parametrize("big", [2**62, 2**63 - 1])
def test_beyond_64_bits(store: PostgresStore, big: int) -> None:
    """Sums that only together need more than 64 bits stay exact: from several parts, from twice a key, over time."""
    sums = dict.fromkeys(range(COUNT), big)
    merge(store, [sums, sums])
    write(store, sums)
    twice = pa.concat_tables([arrow(sums), arrow(sums)])
    with store.begin("s", uuid4()) as transaction:
        transaction.write(TOTALS, twice, ADD, {"files": 1})
        transaction.commit()
    with store.snapshot() as reader:
        found = tuples(reader.query("select distinct amount, files from totals"))
    assert found == [(5 * big, 5)]


def test_undo_leaves_no_trace(store: PostgresStore) -> None:
    """Taking a file out again removes the rows of which nothing is left, and only those, in either way."""
    keys = range(0, 2 * COUNT, 2)
    write(store, sums_of(range(COUNT)))
    before = Model()
    before.add(sums_of(range(COUNT)))
    for way in ("write", "merge"):
        write(store, sums_of(keys))
        negative = {key: -amount for key, amount in sums_of(keys).items()}
        attempt = uuid4()
        part = store.stage(SHAPE, arrow(negative), attempt, 0)
        drop = Add(USAGE.key, ("amount",), drop_when_zero="amount")
        with store.begin("undo", uuid4()) as transaction:
            if way == "write":
                transaction.write(TOTALS, arrow(negative), UNDO, {"files": -1})
                transaction.write(USAGE, arrow(negative), drop, usage_constants(HOUR))
            else:
                transaction.merge(TOTALS, [part], UNDO, {"files": -1})
                transaction.merge(USAGE, [part], drop, usage_constants(HOUR))
            transaction.commit()
        before.check(store)


@pytest.mark.parametrize("staged", [False, True])
def test_zeros_dont_come_to_be(store: PostgresStore, staged: bool) -> None:
    """With `drop_when_zero` a new row that is zero isn't made, among others that are."""
    drop = Add(USAGE.key, ("amount",), drop_when_zero="amount")
    sums = {key: key % 3 for key in range(COUNT)}
    with store.begin("s", uuid4()) as transaction:
        if staged:
            part = store.stage(SHAPE, arrow(sums), uuid4(), 0)
            transaction.merge(USAGE, [part], drop, usage_constants(HOUR))
        else:
            transaction.write(USAGE, arrow(sums), drop, usage_constants(HOUR))
        transaction.commit()
    with store.snapshot() as reader:
        found = tuples(reader.query("select consumer, amount from usage"))
    assert found == [(key, amount) for key, amount in sums.items() if amount]


def test_writes_and_merges_mixed(store: PostgresStore) -> None:
    """What is kept for the next write of the same rows isn't confused by what comes between."""
    first, second = sums_of(range(COUNT)), sums_of(range(COUNT // 2, COUNT * 2), 5)
    rows, attempt = arrow(first), uuid4()
    parts = [store.stage(SHAPE, arrow(second), attempt, n) for n in range(2)]
    with store.begin("s", uuid4()) as transaction:
        transaction.write(TOTALS, rows, ADD, {"files": 1})
        transaction.merge(TOTALS, parts, ADD, {"files": 1})
        transaction.write(TOTALS, arrow(second), ADD, {"files": 1})
        transaction.write(TOTALS, rows, ADD, {"files": 1})
        transaction.commit()
    with store.snapshot() as reader:
        found = tuples(reader.query("select consumer, amount from totals"))
    keys = sorted({*first, *second})
    assert found == [(key, 2 * first.get(key, 0) + 3 * second.get(key, 0)) for key in keys]


def test_rows_stay_in_their_pages(store: PostgresStore) -> None:
    """When a tenth of a large table's rows change, nearly all find room in their pages, so that no index changes."""

    def pages() -> dict[object, object]:
        with store.snapshot() as reader:
            found = reader.query("select consumer, (ctid::text::point)[0] as page from totals")
        return dict(
            zip(found.column("consumer").to_pylist(), found.column("page").to_pylist(), strict=True)
        )

    changed = range(0, 20_000, 9)
    write(store, sums_of(range(20_000)))
    before = pages()
    write(store, sums_of(changed))
    after = pages()
    assert sum(before[key] == after[key] for key in changed) > 0.9 * len(changed)


def test_somebody_elses_row(store: PostgresStore) -> None:
    """A row that somebody else's statement makes in that very moment leads to a retry, never to a lost or double sum."""
    with (
        psycopg.connect(store._endpoint.url, autocommit=True) as watcher,
        store.begin("s", uuid4()) as other,
    ):
        other.execute("insert into totals values (5, 100, 1)")

        def commit_when_awaited() -> None:
            while not watcher.execute("select from pg_locks where not granted").fetchall():
                pass
            other.commit()

        helper = threading.Thread(target=commit_when_awaited)
        helper.start()
        with pytest.raises(Retryable, match="just made a row"):
            write(store, sums_of(range(COUNT)))
        helper.join()
    write(store, sums_of(range(COUNT)))
    with store.snapshot() as reader:
        found = tuples(reader.query("select amount, files from totals where consumer = 5"))
    assert found == [(108, 2)]


def test_null_key(store: PostgresStore) -> None:
    """A constant null in the key is refused, and nothing is written."""
    with pytest.raises(Fatal), store.begin("s", uuid4()) as transaction:
        constants = {**usage_constants(HOUR), "period_start": None}
        transaction.write(USAGE, arrow(sums_of(range(COUNT))), USE, constants)
        transaction.commit()
    Model().check(store)


def test_append_many(store: PostgresStore) -> None:
    """Rows that are appended, with constants, are all there; the index keeps their key."""
    rows = arrow(sums_of(range(COUNT)))
    for expected in (True, False):
        try:
            with store.begin("s", uuid4()) as transaction:
                transaction.write(TOTALS, rows, Append(), {"files": 1})
                transaction.commit()
                done = True
        except Fatal:
            done = False
        assert done is expected
