"""What every law of a store stands on: the fixtures that a test module gives, tables, and small
helpers.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, TypeVar
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.clock import Clock
from qanat.errors import Retryable
from qanat.interfaces import Store, Transaction
from qanat.records import Progress
from qanat.tables import Column, ColumnType, Table
from qanat.testing.clock import FakeClock
from qanat.testing.memory_arrow import arrow_table

OpenStore = Callable[[], Store]
T = TypeVar("T")

FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""By then every item is due."""

STAGE = "law"
PARTITION = "0"
OWNER = "the law's owner"

# A law that races threads may lose a race to the store's own locks; each redo lets at least one of
# at most eight threads through, so far fewer are ever needed.
REDO_MAX = 100
# A thread that hasn't come back by then hangs: nothing here takes more than a second.
THREAD_S_MAX = 60.0

_SUMS = (
    Column("consumer", ColumnType.INT64),
    Column("amount", ColumnType.INT128),
    Column("lines", ColumnType.INT64),
    Column("note", ColumnType.TEXT, nullable=True),
)
EVENTS = Table(
    "law_events", (Column("id", ColumnType.INT64), Column("body", ColumnType.TEXT, nullable=True))
)
TOTALS = Table("law_totals", _SUMS, key=("consumer",))
LARGE_TOTALS = Table("law_large_totals", _SUMS, key=("consumer",), large=True)
USAGE = Table(
    "law_usage",
    (
        Column("consumer", ColumnType.INT64),
        Column("period_start", ColumnType.TIMESTAMP),
        Column("granularity", ColumnType.TEXT),
        Column("amount", ColumnType.INT128),
    ),
    key=("consumer", "period_start", "granularity"),
    large=True,
)
PAGES = Table(
    "law_pages",
    (
        Column("id", ColumnType.INT64),
        Column("version", ColumnType.INT64),
        Column("deleted", ColumnType.BOOLEAN),
        Column("title", ColumnType.TEXT, nullable=True),
    ),
    key=("id",),
)
FILES = Table(
    "law_files",
    (
        Column("id", ColumnType.INT64),
        Column("name", ColumnType.TEXT),
        Column("sketch", ColumnType.BYTES),
    ),
    key=("id",),
    unique=(("name", "sketch"),),
)
LINKS = Table(
    "law_links",
    (Column("page", ColumnType.INT64), Column("target", ColumnType.TEXT)),
    key=("page", "target"),
)
KINDS = Table(
    "law_kinds",
    (
        Column("number", ColumnType.INT64),
        *(Column(f"a_{kind.value}", kind, nullable=True) for kind in ColumnType),
    ),
)
TABLES = (EVENTS, TOTALS, LARGE_TOTALS, USAGE, PAGES, FILES, LINKS, KINDS)

SHAPE = Table(
    "law_part", (Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128))
)
"""What the laws stage: a shape, not a table that `migrate` has made."""


class StoreLawsBase:
    """The fixtures. A test module derives a class from the laws and gives `open_store`.

    Attributes:
        attempts_max: What `open_store` has to put into `StoreOptions.attempts_max`.
    """

    attempts_max: ClassVar[int] = 3

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock for `StoreOptions`. A store whose leases go by another clock gives a
        `SystemClock` here.
        """
        return FakeClock()

    @pytest.fixture
    def open_store(self, clock: Clock) -> OpenStore:
        """Give a function that opens the store of this test: the same database each time, empty at
        first.
        """
        raise NotImplementedError("the test module gives the fixture open_store")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[Store]:
        """Open the store and make the laws' tables in it."""
        store = open_store()
        try:
            store.migrate(TABLES)
            yield store
        finally:
            store.close()

    def second_handle(self, store: Store, open_store: OpenStore) -> Store:
        """Open the store once more while it is open; skip where that isn't offered."""
        if not store.capabilities.shared:
            pytest.skip("only one may have this store open")
        return open_store()


def rows(table: Table, *values: tuple[object, ...], names: Sequence[str] = ()) -> pa.Table:
    """Return an Arrow table of `values` in the columns `names` of `table` (default: all of
    them).
    """
    names = names or table.names
    return arrow_table(table, [dict(zip(names, row, strict=True)) for row in values], names)


def tuples(table: pa.Table, names: Sequence[str] = ()) -> list[tuple[object, ...]]:
    """Return the rows in a fixed order, with whole decimals as integers."""
    columns = [table.column(name).to_pylist() for name in names or table.column_names]
    found = [tuple(map(_plain, row)) for row in zip(*columns, strict=True)]
    return in_order(found)


def in_order(found: Iterable[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Return the rows sorted, null before any value."""
    return sorted(found, key=lambda row: [(value is not None, value) for value in row])


def contents(store: Store, table: Table) -> list[tuple[object, ...]]:
    """Return what a reader sees in `table` now, in a fixed order."""
    with store.snapshot() as reader:
        return tuples(reader.query(f"select {', '.join(table.names)} from {table.name}"))


def committed(store: Store, work: Callable[[Transaction], T], stage: str = STAGE) -> T:
    """Do `work` in a transaction and commit; do it again when the store says so."""
    for _ in range(REDO_MAX):
        try:
            with store.begin(stage, uuid4()) as transaction:
                result = work(transaction)
                transaction.commit()
                return result
        except Retryable:
            continue
    raise AssertionError(f"still Retryable after {REDO_MAX} times")


def progress(store: Store, stage: str = STAGE, partition: str = PARTITION) -> Progress:
    """Return how far `stage` has come; claims the partition for the laws' owner."""
    return store.claim(stage, [partition], OWNER)[partition]


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Call `work(0)` … `work(count - 1)` at the same moment in threads of their own; return the
    results in order.
    """
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait(THREAD_S_MAX)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, number) for number in range(count)]
        return [future.result(THREAD_S_MAX) for future in futures]


def _plain(value: object) -> object:
    if isinstance(value, Decimal) and value == value.to_integral():
        return int(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value
