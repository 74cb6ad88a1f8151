"""A small pipeline with stored reports and look-ups, on tables filled by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyarrow as pa

from qanat.clock import Clock
from qanat.interfaces import Store
from qanat.pipeline import Chart, Lookup, Parameter, Pipeline, Report, Shape
from qanat.reports.answer import compute
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.report_steps import ReportSteps
from qanat.tables import Append, Column, ColumnType, Table, arrow_schema
from qanat.telemetry import Telemetry

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

VISITS = Table(
    "visits",
    (
        Column("domain", ColumnType.TEXT),
        Column("hour", ColumnType.TIMESTAMP),
        Column("pages", ColumnType.INT64),
    ),
    key=("domain", "hour"),
)

BUSY = Report(
    name="busy",
    title="Busy domains",
    about="One row per domain of the window.",
    sql=(
        "-- One row per domain of the window, the busiest first.\n"
        "select domain, cast(sum(pages) as bigint) as pages,\n"
        "    cast(sum(pages) * 10000000000000000000 as numeric(38, 0)) as huge,\n"
        "    cast(sum(pages) as double precision) / 3 as third, max(hour) as latest,\n"
        "    sum(pages) > 2 as much, cast(null as varchar) as nothing\n"
        "from visits\n"
        "where hour >= $window_start and hour < $window_end and pages >= $smallest\n"
        "group by domain order by sum(pages) desc, domain"
    ),
    columns=(
        Column("domain", ColumnType.TEXT),
        Column("pages", ColumnType.INT64),
        Column("huge", ColumnType.INT128),
        Column("third", ColumnType.FLOAT64),
        Column("latest", ColumnType.TIMESTAMP),
        Column("much", ColumnType.BOOLEAN),
        Column("nothing", ColumnType.TEXT, nullable=True),
    ),
    parameters=(
        Parameter("smallest", ColumnType.INT64, "Rows with fewer pages don't count.", "1"),
    ),
    charts=(Chart(Shape.RANKED, ("pages",), "pages", label="domain"),),
    window_s=6 * 3600.0,
    every_s=3600.0,
)
RECENT = Report(
    name="recent",
    title="Since a moment before the window's end",
    sql="-- One row.\nselect count(*) as pages from visits where hour >= $since and hour < $window_end",
    columns=(Column("pages", ColumnType.INT64),),
    parameters=(Parameter("since", ColumnType.TIMESTAMP, "From here on.", "1h"),),
    window_s=3600.0,
)
DOMAINS = Lookup(
    name="domains",
    title="Domains",
    about="One row per domain.",
    sql="-- One row per domain.\nselect domain, cast(sum(pages) as bigint) as pages from visits"
    " where domain >= $first group by domain order by domain",
    columns=(Column("domain", ColumnType.TEXT), Column("pages", ColumnType.INT64)),
    parameters=(Parameter("first", ColumnType.TEXT, "From this domain on.", "a"),),
)

PIPELINE = Pipeline(
    name="windowed",
    title="Visits",
    stages=(),
    tables=(VISITS, MADE_REPORTS),
    reports=(BUSY, RECENT),
    lookups=(DOMAINS,),
)


def at(hour: int) -> datetime:
    """A full hour of the day."""
    return datetime(2026, 11, 22, hour, tzinfo=UTC)


def visit(store: Store, visits: Sequence[tuple[str, int, int]]) -> None:
    """Enter visits: domain, hour, pages."""
    rows: list[Mapping[str, object]] = [
        {"domain": domain, "hour": at(hour), "pages": pages} for domain, hour, pages in visits
    ]
    with store.begin("visits", uuid4()) as transaction:
        table = pa.Table.from_pylist(rows, schema=arrow_schema(VISITS))
        transaction.write(VISITS, table, Append())
        transaction.commit()


def make(store: Store, clock: Clock) -> None:
    """Make the reports that are due."""
    committer = Committer(store, PIPELINE.name, "reports", clock, Telemetry())
    steps = ReportSteps("reports", committer, PIPELINE.reports, compute, "me")
    while steps.step() is Moved.YES:
        pass
