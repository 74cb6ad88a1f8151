"""Reports as they were made: read back with their types, and whether they are as new as they should be."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from qanat.pipeline import Pipeline, Report
from qanat.runtime.made_reports import Made
from qanat.runtime.registry import Queries
from qanat.runtime.windows import is_stored, step_of
from qanat.tables import ColumnType, Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

GRACE_S = 300.0
"""A report that isn't made so long after its window's end is stale: it takes seconds, and a restart takes a minute."""

_COLUMNS = "window_start, window_end, made_at, revision, row_count, digest, rows"

_NEWEST = f"""
    -- the report of the newest window
    select {_COLUMNS}
    from made_reports
    where report = $report
    order by window_end desc
    limit 1
"""
_AT = f"""
    -- the report of one window
    select {_COLUMNS}
    from made_reports
    where report = $report and window_end = $window_end
"""
_ALL = """
    -- one row per report: its newest window
    select m.report, m.window_start, m.window_end, m.made_at, m.revision, m.row_count, m.digest
    from made_reports m
    join (
        select report, max(window_end) as window_end
        from made_reports
        group by report
    ) as newest on newest.report = m.report and newest.window_end = m.window_end
"""


class Stored(NamedTuple):
    """A report as it is stored.

    Attributes:
        rows: In the types of the report's columns.
    """

    made: Made
    rows: "pa.Table"


class Freshness(NamedTuple):
    """How new a stored report is.

    Attributes:
        made: The newest one; None when none was made.
        age_s: Since it was made.
        stale: It is older than it should be.
    """

    report: Report
    made: Made | None
    age_s: float | None
    stale: bool


def newest(asked: Queries, report: Report) -> Stored | None:
    """Return what is stored of a report for the latest window; None when nothing is."""
    return _stored(report, asked.query(_NEWEST, {"report": report.name}))


def stored_at(asked: Queries, report: Report, window_end: datetime) -> Stored | None:
    """Return what is stored of a report for a window; None when nothing is."""
    bounds: dict[str, str | datetime] = {"report": report.name, "window_end": window_end}
    return _stored(report, asked.query(_AT, {**bounds}))


def is_stale(report: Report, window_end: datetime, now: datetime) -> bool:
    """Tell whether the window after the newest stored one, which ended at `window_end`, should have been made by now."""
    return now > window_end + step_of(report) + timedelta(seconds=GRACE_S)


def freshness(pipeline: Pipeline, asked: Queries, now: datetime) -> Sequence[Freshness]:
    """Tell how new each stored report of a pipeline is, in the order of their declaration; by one query.

    A report that was never made isn't stale: nothing has run that should have made it.
    """
    reports = [report for report in pipeline.reports if is_stored(report)]
    if not reports:
        return []
    rows = asked.query(_ALL).to_pylist()
    there = {row.pop("report"): Made(**row) for row in rows}
    return [_fresh(report, there.get(report.name), now) for report in reports]


def _fresh(report: Report, made: Made | None, now: datetime) -> Freshness:
    if made is None:
        return Freshness(report, None, None, stale=False)
    age_s = max(0.0, (now - made.made_at).total_seconds())
    return Freshness(report, made, age_s, is_stale(report, made.window_end, now))


def _stored(report: Report, found: "pa.Table") -> Stored | None:
    if not found.num_rows:
        return None
    row = found.to_pylist()[0]
    rows = typed(report, str(row.pop("rows")))
    return Stored(Made(**row), rows)


def typed(report: Report, text: str) -> "pa.Table":
    """Read rows that `qanat.runtime.made_reports.json_of` wrote, in the types of the report's columns."""
    import pyarrow as pa

    schema = arrow_schema(Table(report.name, report.columns))
    rows: list[Mapping[str, object]] = json.loads(text)
    columns = []
    for column, kind in zip(report.columns, schema, strict=True):
        read = _READ.get(column.type, _as_is)
        values = [row[column.name] for row in rows]
        columns.append(pa.array([None if one is None else read(one) for one in values], kind.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _as_is(value: object) -> object:
    return value


def _moment(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)


_READ: Mapping[ColumnType, Callable[[object], object]] = {
    ColumnType.TIMESTAMP: _moment,
    ColumnType.BYTES: lambda value: base64.b64decode(str(value)),
    ColumnType.INT128: lambda value: Decimal(str(value)),
    ColumnType.FLOAT64: lambda value: float(str(value)),
}
