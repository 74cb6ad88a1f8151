"""Stored reports as the service needs them: the newest of each, how old it is, and when it is overdue."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from qanat.errors import ConfigError
from qanat.pipeline import Report
from qanat.reports.answer import Answer
from qanat.serve.columns import encoded
from qanat.session import NothingYet, Session
from qanat.tables import ColumnType, Table, arrow_schema

# Of the time between two windows; a report is overdue this much after its window's end, but not before a minute has passed.
GRACE_SHARE = 0.1
GRACE_S_MIN = 60.0

_READ: Mapping[ColumnType, Callable[[Any], object]] = {
    ColumnType.TIMESTAMP: datetime.fromisoformat,
    ColumnType.INT128: Decimal,
    ColumnType.BYTES: base64.b64decode,
    ColumnType.FLOAT64: float,
}
_NEWEST = """
    select window_start, window_end, made_at, revision, rows, digest
    from made_reports
    where report = $report
    order by window_end desc
    limit 1
"""
# One row per report: what was made last, without its rows.
_STATES = """
    select m.report, m.window_end, m.made_at, m.revision
    from made_reports m
    join (select report, max(window_end) as newest from made_reports group by report) n
      on n.report = m.report and n.newest = m.window_end
    order by m.report
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A report that was made for a window.

    Attributes:
        rows: A JSON array of objects.
        digest: Of the rows.
    """

    window_start: datetime
    window_end: datetime
    made_at: datetime
    revision: int
    rows: str
    digest: str


@dataclass(frozen=True, slots=True)
class Made:
    """What is told of a report without reading it."""

    report: str
    window_end: datetime
    made_at: datetime
    revision: int


def newest(session: Session, report: Report) -> Stored | None:
    """Return what was made of a report last; None before the first."""
    rows = _asked(session, _NEWEST, report.name)
    return Stored(**rows[0]) if rows else None  # type: ignore[arg-type]  # the table's own columns


def rows_of(report: Report, stored: Stored) -> bytes:
    """Return the rows as the service writes them: like they are stored, but for whole numbers beyond 64 bits."""
    if not any(column.type is ColumnType.INT128 for column in report.columns):
        return stored.rows.encode()
    return encoded(answer_of(report, stored).rows, report.columns)


def answer_of(report: Report, stored: Stored) -> Answer:
    """Return a stored report as it was answered."""
    import pyarrow as pa

    readers = {column.name: _READ.get(column.type) for column in report.columns}
    rows = [
        {
            name: row[name] if read is None or row[name] is None else read(row[name])
            for name, read in readers.items()
        }
        for row in json.loads(stored.rows)
    ]
    values = {"window_start": stored.window_start, "window_end": stored.window_end}
    schema = arrow_schema(Table(report.name, report.columns))
    return Answer(report, values, pa.Table.from_pylist(rows, schema=schema))


def made(session: Session) -> list[Made]:
    """Return what was made last, for each report of which anything was."""
    return [Made(**row) for row in _asked(session, _STATES)]  # type: ignore[arg-type]  # see above


def due_after(report: Report, window_end: datetime) -> datetime:
    """Return when the report that follows the one up to `window_end` is due."""
    return window_end + timedelta(seconds=report.every_s)


def is_overdue(report: Report, window_end: datetime, now: datetime) -> bool:
    """Tell whether another report should have been made after the one up to `window_end`."""
    grace = timedelta(seconds=max(GRACE_S_MIN, report.every_s * GRACE_SHARE))
    return now > due_after(report, window_end) + grace


def last_due(report: Report, now: datetime) -> datetime:
    """Return the last window's end that isn't after `now`."""
    every = timedelta(seconds=report.every_s)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (now - epoch) // every * every


def _asked(session: Session, sql: str, report: str = "") -> Sequence[dict[str, object]]:
    try:
        return list(session.query(sql, {"report": report} if report else None).to_pylist())
    except NothingYet:
        raise
    except ConfigError:  # no run has made a report yet, nor the table of them
        return []
