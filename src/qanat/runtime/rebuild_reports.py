"""Stored reports made anew, each in a transaction of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime

from qanat.interfaces import Transaction
from qanat.pipeline import Report
from qanat.runtime.commit import Committer
from qanat.runtime.live import judges_rows
from qanat.runtime.made_reports import Compute, find
from qanat.runtime.rebuild import Span
from qanat.runtime.registry import Queries
from qanat.runtime.report_steps import remake

_STORED = """
    -- one row per stored window that reaches into the bounds
    select window_end
    from made_reports
    where report = $report and window_end > $since and window_start < $until
    order by window_end
"""
_BEGINNING, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def remake_stored(
    committer: Committer, report: Report, compute: Compute, span: Span
) -> tuple[int, int]:
    """Compute the stored windows of a report anew that reach into the span.

    Returns:
        How many were computed, and how many of them said something else than before.
    """
    with committer.store.snapshot() as reader:
        ends = _ends(reader, report, span)
    differ = 0
    for end in ends:

        def body(transaction: Transaction, end: datetime = end) -> bool:
            judges_rows(transaction)
            before = find(transaction, report, end)
            if before is None:
                return False  # it was removed by its age meanwhile
            made = remake(transaction, report, end, compute, committer.clock.now())
            return made.digest != before.digest

        differ += committer.commit(body)
    return len(ends), differ


def _ends(asked: Queries, report: Report, span: Span) -> Sequence[datetime]:
    bounds = {"since": span.since or _BEGINNING, "until": span.until or _END}
    rows = asked.query(_STORED, {"report": report.name, **bounds})
    return [end.astimezone(UTC) for end in rows.column("window_end").to_pylist()]
