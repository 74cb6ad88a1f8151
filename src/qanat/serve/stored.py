"""Stored reports as the service needs them: the newest one's rows as text, without being read, and how old each is."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from qanat.errors import ConfigError
from qanat.pipeline import Pipeline, Report
from qanat.reports.stored import Freshness, freshness, typed
from qanat.runtime.made_reports import Made
from qanat.serve.columns import encoded
from qanat.session import NothingYet, Session
from qanat.tables import ColumnType

_NEWEST = """
    -- the report of the newest window
    select window_start, window_end, made_at, revision, row_count, digest, rows
    from made_reports
    where report = $report
    order by window_end desc
    limit 1
"""


class Text(NamedTuple):
    """A stored report, its rows as JSON."""

    made: Made
    rows: bytes


def newest_text(session: Session, report: Report) -> Text | None:
    """Return the report of the newest window; None before the first."""
    rows = session.query(_NEWEST, {"report": report.name}).to_pylist()
    if not rows:
        return None
    text = rows[0].pop("rows")
    if any(column.type is ColumnType.INT128 for column in report.columns):
        # Stored as numbers, which the service writes as text.
        return Text(Made(**rows[0]), encoded(typed(report, text), report.columns))
    return Text(Made(**rows[0]), text.encode())


def fresh(pipeline: Pipeline, session: Session, now: datetime) -> Sequence[Freshness]:
    """Tell how new each stored report of a pipeline is; nothing as long as no run has made the table of them."""
    try:
        return freshness(pipeline, session, now)
    except NothingYet:
        raise
    except ConfigError:
        return []
