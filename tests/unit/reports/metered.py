"""A store of `metering` with usage that is kept by hour, by day and by month, for the reports' tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE, TOTALS, USAGE
from qanat.runtime.registry import FILES
from qanat.settings import CommonSettings
from qanat.tables import Append, arrow_schema
from qanat.testing import FakeClock
from qanat.wiring import open_store

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HUGE = 2**80

Kept = tuple[int, str, str, int]

MIXED: list[Kept] = [
    (7, "2026-09-01", "month", 300),  # 30 days: 10 per day
    (7, "2026-10-01", "month", 620),  # 31 days: 20 per day
    (8, "2026-11-20", "day", HUGE),
    (7, "2026-11-20T05:00", "hour", 4),  # came late, and lies in a day
    (7, "2026-11-21", "day", 50),
    (9, "2026-11-22T04:00", "hour", 2),
    (7, "2026-11-22T12:00", "hour", 1),
]
"""Consumer, period, granularity, amount."""

ARRIVED = [
    ("2026-10-05T10:00", "counted"),
    ("2026-11-20T10:00", "counted"),
    ("2026-11-20T11:00", "failed"),
    ("2026-11-22T04:10", "counted"),
    ("2026-11-22T04:20", "held"),
    ("2026-11-22T12:00", "registered"),
]
"""When, and what became of it."""


def at(text: str) -> datetime:
    """A moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def store_at(url: str, data_dir: Path) -> Iterator[Store]:
    """An empty store of `metering`."""
    settings = CommonSettings(store=url, data_dir=data_dir)
    store = open_store(PIPELINE.name, settings, FakeClock(NOW))
    try:
        store.migrate(PIPELINE.tables)
        yield store
    finally:
        store.close()


def fill(store: Store, kept: list[Kept] = MIXED) -> None:
    """Enter usage, the totals that belong to it, and files."""
    usage = [
        {"consumer": c, "period_start": at(start), "granularity": granularity, "amount": amount}
        for c, start, granularity, amount in kept
    ]
    sums: dict[int, int] = {}
    for consumer, _, _, amount in kept:
        sums[consumer] = sums.get(consumer, 0) + amount
    totals = [{"consumer": c, "amount": a, "parts": 1} for c, a in sorted(sums.items())]
    files = [file_row(i, moment, state) for i, (moment, state) in enumerate(ARRIVED, 1)]
    with store.begin("count", uuid4()) as transaction:
        for table, rows in ((USAGE, usage), (TOTALS, totals), (FILES, files)):
            given = pa.Table.from_pylist(rows, schema=arrow_schema(table))
            transaction.write(table, given, Append())
        transaction.commit()


def file_row(number: int, moment: str, state: str, **changed: object) -> dict[str, object]:
    """A row of `files`."""
    row: dict[str, object] = {column.name: None for column in FILES.columns}
    ended = None if state == "registered" else at(moment)
    row |= {
        "id": number, "name": f"{number}.txt", "size": 100, "mtime_ns": 1, "inode": number,
        "device": 0, "sketch": f"s{number}", "compression": "none", "state": state,
        "registered_at": at(moment), "ended_at": ended, "parts": 0, "ranges": 1,
        "forced": False, "settled": True,
    }  # fmt: skip
    if state == "counted":
        row |= {"lines_good": 8, "lines_bad": 2, "total": 1}
    return row | changed
