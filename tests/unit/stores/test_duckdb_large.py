"""Large tables have no index: the merge alone keeps one row per key, however much it adds to however much."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.interfaces import Scalar, StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.stores.duckdb_slices import SLICE_ROWS
from qanat.tables import Add, Append, Column, ColumnType, Table

HOUR = datetime(2026, 1, 1, tzinfo=UTC)
# Three slices when all of it is added to as much.
MANY = SLICE_ROWS * 5 // 4

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
    ),
    key=("consumer", "period_start", "granularity"),
    large=True,
)
NAMES = Table(
    "names",
    (
        Column("place", ColumnType.INT64),
        Column("name", ColumnType.TEXT),
        Column("amount", ColumnType.INT128),
        Column("note", ColumnType.TEXT, nullable=True),
    ),
    key=("place", "name"),
    large=True,
)
SUMS = Table("sums", TOTALS.columns[:2], key=("consumer",), large=True)
ADD = Add(("consumer",), ("amount", "files"))
ADD_USAGE = Add(USAGE.key, ("amount",))
FILE: dict[str, Scalar] = {"files": 1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    options = StoreOptions(tmp_path, SystemClock(), memory_bytes=128 * 2**20)
    opened = open_store("duckdb:", "p", options)
    opened.migrate([TOTALS, USAGE, NAMES])
    yield opened
    opened.close()


def sums(keys: np.ndarray, amount: int = 1) -> pa.Table:
    amounts = pa.array(np.full(len(keys), amount, np.int64))
    return pa.table({"consumer": keys, "amount": amounts})


def count(
    store: DuckdbStore,
    parts: Sequence[pa.Table],
    *targets: tuple[Table, Add, Mapping[str, Scalar]],
) -> None:
    """Stage parts and merge them into the targets, in one transaction."""
    attempt = uuid4()
    staged = [store.stage(SUMS, part, attempt, number) for number, part in enumerate(parts)]
    with store.begin("count", uuid4()) as transaction:
        for table, mode, constants in targets:
            assert sum(map(len, parts)) == transaction.merge(table, staged, mode, constants)
        transaction.commit()
    store.discard(attempt)


def one(store: DuckdbStore, sql: str) -> tuple[object, ...]:
    with store.snapshot() as reader:
        (row,) = reader.query(sql).to_pylist()
    return tuple(int(value) if str(value).isdigit() else value for value in row.values())


def shuffled(count: int, seed: int, step: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count).astype(np.int64) * step


def test_many_are_added_to_many(store: DuckdbStore) -> None:
    """Written anew in slices there is one row per key, with its sum and in the order of keys; new keys find their place."""
    keys = shuffled(MANY, 1)
    for start in (0, 7 * MANY // 2):  # the second time half of the keys are new
        count(store, [sums(keys[:1000] + start), sums(keys[1000:] + start)], (TOTALS, ADD, FILE))
    half = MANY - MANY // 2
    assert (MANY + MANY // 2, 2 * MANY, 2 * half, 2) == one(
        store,
        """
        select count(distinct consumer) as keys, sum(amount) as amount,
            sum(amount) filter (where amount = 2) as twice, max(files) as files
        from totals
        """,
    )
    assert (0, MANY + MANY // 2) == one(
        store,
        """
        select count(*) filter (where consumer <= before) as misplaced, count(*) as rows
        from (select consumer, lag(consumer, 1, -1) over (order by rowid) as before from totals)
        """,
    )


@pytest.mark.parametrize("number", [1, 1000, MANY // 2])
def test_in_place_or_anew(store: DuckdbStore, number: int) -> None:
    """Whether few or many are added, to old keys and new ones, each key has its sum."""
    count(store, [sums(shuffled(MANY, 1))], (TOTALS, ADD, FILE))
    added = shuffled(MANY, 2)[:number] + np.arange(number) % 2  # every second one is new
    count(store, [sums(added, 2**62), sums(added, 2**62)], (TOTALS, ADD, FILE))
    new = number // 2
    assert (MANY + new, MANY + number * 2**63, MANY + 2 * number, number) == one(
        store,
        """
        select count(distinct consumer) as keys, sum(amount) as amount, sum(files) as files,
            count(*) filter (where amount >= power(2, 63)::hugeint) as added
        from totals
        """,
    )


def test_other_periods_stay(store: DuckdbStore) -> None:
    """Adding to one period of usage touches no other, neither in place nor anew."""
    keys = shuffled(60_000, 1)
    for hour, size in [(0, 60_000), (1, 60_000), (0, 60_000), (1, 10), (2, 60_000), (0, 30_000)]:
        period: dict[str, Scalar] = {
            "period_start": HOUR + timedelta(hours=hour),
            "granularity": "hour",
        }
        count(store, [sums(keys[:size])], (USAGE, ADD_USAGE, period))
    with store.snapshot() as reader:
        found = reader.query(
            """
            select period_start, granularity, count(*) as rows, count(distinct consumer) as keys,
                cast(sum(amount) as bigint) as amount
            from usage
            group by all
            order by all
            """
        ).to_pylist()
    assert [
        (HOUR, "hour", 60_000, 60_000, 150_000),
        (HOUR + timedelta(hours=1), "hour", 60_000, 60_000, 60_010),
        (HOUR + timedelta(hours=2), "hour", 60_000, 60_000, 60_000),
    ] == [tuple(row.values()) for row in found]


def test_deleted_by_a_query(store: DuckdbStore) -> None:
    """A merge sees also what a query of its transaction deleted."""
    attempt = uuid4()
    part = store.stage(SUMS, sums(shuffled(100, 1)), attempt, 0)
    count(store, [sums(shuffled(100, 1))], (TOTALS, ADD, FILE))
    with store.begin("count", uuid4()) as transaction:
        gone = (
            "with gone as (DELETE from totals where consumer < 70 returning *) select * from gone"
        )
        assert 10 == transaction.query(gone).num_rows
        transaction.merge(TOTALS, [part], ADD, FILE)
        transaction.commit()
    assert (100, 190) == one(store, "select count(*) as rows, sum(amount) as amount from totals")


def test_written_before_in_the_same_transaction(store: DuckdbStore) -> None:
    """A merge sees what its own transaction did to the table, by `merge`, `write` or `execute`."""
    attempt = uuid4()
    keys = shuffled(MANY, 1)
    part = store.stage(SUMS, sums(keys), attempt, 0)
    with store.begin("count", uuid4()) as transaction:
        transaction.merge(TOTALS, [part], ADD, FILE)
        transaction.merge(TOTALS, [part], ADD, FILE)
        transaction.execute("update totals set amount = amount + 10 where consumer = 7")
        transaction.write(TOTALS, sums(keys), ADD, FILE)
        transaction.commit()
    assert (MANY, 3 * MANY + 10, 13) == one(
        store,
        "select count(*) as rows, sum(amount) as amount, (select amount from totals where consumer = 7) as seven"
        " from totals",
    )


def test_keys_of_text(store: DuckdbStore) -> None:
    """A key may be of several columns and of any type; slices are cut where the values differ most."""
    numbers = shuffled(MANY, 3, 1)
    names = pa.array([f"näme {number}" for number in numbers.tolist()])
    rows = pa.table({"place": pa.array(numbers % 2), "name": names, "amount": pa.array(numbers)})
    mode = Add(("place", "name"), ("amount",))
    for note in ("first", "second"):
        with store.begin("count", uuid4()) as transaction:
            transaction.write(NAMES, rows, mode, {"note": note})
            transaction.commit()
    assert (MANY, MANY * (MANY - 1), MANY) == one(
        store,
        """
        select count(distinct (place, name)) as keys, sum(amount) as amount,
            count(*) filter (where note = 'first' and amount = 2 * cast(name[6:] as bigint)) as exact
        from names
        """,
    )


def test_undone(store: DuckdbStore) -> None:
    """What is taken back leaves no row, and rows that come to zero on their own stay."""
    keys = shuffled(MANY, 1)
    count(store, [sums(keys)], (TOTALS, ADD, FILE))
    count(store, [sums(keys[:10], -1), sums(keys[10:], 1)], (TOTALS, ADD, FILE))
    undo = Add(("consumer",), ("amount", "files"), drop_when_zero="files")
    back: dict[str, Scalar] = {"files": -1}
    count(store, [sums(keys[5:20], -1)], (TOTALS, undo, back))
    look = "select count(*) as rows, sum(files) as files, count(*) filter (where amount = 0) as zero from totals"
    assert (MANY, 2 * MANY - 15, 5) == one(
        store, look
    )  # of the first 10, which were at 0, 5 come to -1
    count(store, [sums(keys, -1)], (TOTALS, undo, back))
    assert (MANY - 15, MANY - 15, 0) == one(store, look)


def test_columns_of_an_earlier_declaration(store: DuckdbStore) -> None:
    """A column that isn't declared any more keeps its values, in place as anew."""
    wider = Table(
        "totals",
        (*TOTALS.columns, Column("old", ColumnType.TEXT, nullable=True)),
        TOTALS.key,
        large=True,
    )
    store.migrate([wider])
    with store.begin("count", uuid4()) as transaction:
        row = pa.table({"consumer": [-1], "amount": [5], "files": [1], "old": ["kept"]})
        transaction.write(wider, row, Append())
        transaction.commit()
    keys = np.append(shuffled(50_000, 1), -1)
    count(store, [sums(keys)], (TOTALS, ADD, FILE))
    count(store, [sums(keys[-2:])], (TOTALS, ADD, FILE))
    assert (7, "kept", 50_001) == one(
        store, "select amount, old, (select count(*) from totals) from totals where consumer = -1"
    )


def test_the_file_does_not_grow_by_rebuilds(store: DuckdbStore, tmp_path: Path) -> None:
    """Blocks of what was replaced are used again, also when readers looked on."""
    keys = shuffled(MANY, 1)
    sizes = []
    for _ in range(8):
        with store.snapshot() as reader:
            reader.query("select count(*) from totals")
            count(store, [sums(keys)], (TOTALS, ADD, FILE))
        sizes.append((tmp_path / "p.duckdb").stat().st_size)
    assert max(sizes) <= 3 * sizes[1]
    assert sizes[-1] <= sizes[3]
