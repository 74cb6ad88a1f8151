"""A pipeline with stored reports, events by hand, and what the reports should say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.interfaces import Store, StoreOptions, Transaction
from qanat.pipeline import Report
from qanat.runtime.commit import Committer
from qanat.runtime.live import brings_rows
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import MADE_REPORTS, Made, json_of
from qanat.runtime.registry import Queries
from qanat.runtime.remakes import Remakes
from qanat.runtime.report_steps import ReportSteps
from qanat.runtime.windows import start_of
from qanat.tables import Add, Column, ColumnType, Table, arrow_schema
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from qanat.testing.memory_store import open_store as open_memory

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 17, 10, 20, 30, tzinfo=UTC)

HOURS = Table(
    "hours",
    (
        Column("domain", ColumnType.TEXT),
        Column("hour", ColumnType.TIMESTAMP),
        Column("pages", ColumnType.INT64),
    ),
    key=("domain", "hour"),
)


def counting(name: str, window_h: int, every_h: int) -> Report:
    """A report that counts pages by domain in its window."""
    return Report(
        name=name,
        title=name,
        sql="-- One row per domain\nselect domain, cast(sum(pages) as bigint) as pages from hours"
        " where hour >= $window_start and hour < $window_end group by domain order by domain",
        columns=(Column("domain", ColumnType.TEXT), Column("pages", ColumnType.INT64)),
        window_s=window_h * 3600.0,
        every_s=every_h * 3600.0,
    )


SIX, DAILY, ASKED = counting("six", 6, 1), counting("daily", 24, 24), counting("asked", 2, 0)
REPORTS = (SIX, DAILY, ASKED)


def computed(report: Report, asked: Queries, end: datetime) -> pa.Table:
    """Compute a report as the runtime is told to."""
    bounds = {"window_start": start_of(report, end), "window_end": end}
    return asked.query(report.sql, bounds).cast(arrow_schema(Table("rows", report.columns)))


def opened(folder: Path, clock: FakeClock, url: str = "memory:") -> Store:
    """A store with the tables of the pipeline."""
    store = open_memory(url, "reported", StoreOptions(folder, clock))
    store.migrate((HOURS, MADE_REPORTS))
    return store


@dataclass
class Reported:
    """One instance: a store, its steps, and a stage's writes by hand."""

    store: Store
    clock: FakeClock
    reports: Sequence[Report] = REPORTS
    owner: str = "me"
    steps: ReportSteps = field(init=False)

    def __post_init__(self) -> None:
        committer = Committer(self.store, "reported", "reports", self.clock, Telemetry())
        self.steps = ReportSteps("reports", committer, self.reports, computed, self.owner)

    def count(self, *moments: datetime, domain: str = "a") -> int:
        """Count a page at each of these moments in one transaction; return how many reports are to be remade."""
        with self.transaction() as transaction:
            number = bring(transaction, self.reports, self.clock, moments, domain)
            transaction.commit()
        return number

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.store.begin("store", uuid4()) as transaction:
            yield transaction

    def make(self) -> int:
        """Make whatever is due; return in how many steps."""
        steps = 0
        while self.steps.step() is Moved.YES:
            steps += 1
        return steps

    def later(self, seconds: float) -> int:
        self.clock.advance(seconds)
        return self.make()

    def made(self, report: Report = SIX) -> Mapping[datetime, tuple[Made, str]]:
        """What is stored of a report, by the window's end."""
        with self.store.snapshot() as reader:
            rows = reader.query(
                "select * from made_reports where report = $name order by window_end",
                {"name": report.name},
            ).to_pylist()
        names = Made._fields
        return {
            row["window_end"].astimezone(UTC): (
                Made._make(_utc(row[name]) for name in names),
                row["rows"],
            )
            for row in rows
        }

    def stale(self) -> list[tuple[str, datetime]]:
        """The stored reports that say something else than a fresh computation."""
        with self.store.snapshot() as reader:
            return [
                (report.name, end)
                for report in self.reports
                for end, (_, text) in self.made(report).items()
                if text != json_of(computed(report, reader, end))
            ]


def bring(
    transaction: Transaction,
    reports: Sequence[Report],
    clock: FakeClock,
    moments: Iterable[datetime],
    domain: str = "a",
) -> int:
    """What a stage does in its transaction."""
    brings_rows(transaction)
    given = list(moments)
    rows = [
        {"domain": domain, "hour": m.replace(minute=0, second=0, microsecond=0), "pages": 1}
        for m in given
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(HOURS))
    transaction.write(HOURS, table, Add(HOURS.key, ("pages",)))
    happened = pa.array(given, pa.timestamp("us", tz="UTC"))
    return Remakes(reports, clock).enqueue(transaction, happened)


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
