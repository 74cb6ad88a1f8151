"""Making reports when they are due: on the hour, after a downtime, and anew after late events."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from qanat import failpoints
from qanat.bell import Bell
from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Transaction
from qanat.pipeline import Report
from qanat.records import Item
from qanat.runtime.commit import Committer
from qanat.runtime.live import judges_rows
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import Compute, Made, find, put
from qanat.runtime.remakes import QUEUE, remake_id
from qanat.runtime.windows import floor, is_stored, latest_end, step_of
from qanat.telemetry import log

LEASE_S = 300.0
"""Within it a report is computed; after it somebody else begins anew."""

CATCH_UP_S = 7 * 86_400.0
"""After a downtime the windows that ended within this time are made, the oldest first; older ones never. They are computed when
somebody asks for them."""

KEEP_S = 90 * 86_400.0
"""Made reports whose windows ended longer ago are removed: an hourly one of 100 kB comes to 200 MB in that time."""

FAILED_AFTER_S = 60.0
"""A report that can't be computed is tried again after this, and shows as stale meanwhile; the others go on."""

UNKNOWN_AFTER_S = 3_600.0
"""A report that another version of the pipeline declared waits for that version."""

_FORGET = "delete from made_reports where report = $report and window_end <= $before"


@dataclass(slots=True)
class ReportSteps:
    """Steps over what is due of a pipeline's stored reports (see `runtime.loop`).

    Each report has one row in the queue: the end of the window that comes next. A step takes what is due, and in one transaction
    computes the report, stores it, finishes that row and enters the one after it; so each window is made once, whoever runs. The
    transaction holds those apart that bring rows (see `runtime.live`).

    Attributes:
        compute: Computes a report for a window.
        owner: Names this instance.
        bell: Ends a wait: rung when the run stops, or made a report due.
    """

    name: str
    committer: Committer
    reports: Sequence[Report]
    compute: Compute
    owner: str
    bell: Bell = field(default_factory=Bell)
    _heard: int = 0
    _entered: bool = False

    def step(self) -> Moved:
        """Make the report that is due for longest, if one is."""
        self._heard = self.bell.count
        if not self._entered:
            self.committer.commit(self._enter)
            self._entered = True
        queue = self.committer.store.due(QUEUE)
        items = queue.claim(self.owner, 1, LEASE_S, self.committer.clock.now())
        if not items:
            return Moved.IDLE
        report = self._named(items[0].scope)
        if report is None:
            queue.release(items, UNKNOWN_AFTER_S, "no such report is declared")
            return Moved.YES
        try:
            self._carry_out(report, items[0])
        except (ConfigError, Fatal) as error:
            log("report.failed", level=logging.WARNING, report=report.name, reason=error.message)
            queue.release(items, FAILED_AFTER_S, error.message)
        return Moved.YES

    def reload(self) -> None:
        """Nothing is kept between steps."""

    def wait(self, timeout_s: float) -> None:
        """Wait until the next window ends or the bell rings, at most `timeout_s`: another process may have made one due."""
        now = self.committer.clock.now()
        ends = [latest_end(report, now) + step_of(report) for report in self._stored()]
        until_s = min(((end - now).total_seconds() for end in ends), default=timeout_s)
        self.bell.wait(self._heard, min(timeout_s, until_s))

    def _stored(self) -> Sequence[Report]:
        return [report for report in self.reports if is_stored(report)]

    def _named(self, name: str) -> Report | None:
        return next((report for report in self._stored() if report.name == name), None)

    def _enter(self, transaction: Transaction) -> None:
        """Enter the first row of each report that has none: for the latest window that is over, so that there is an answer."""
        transaction.lock(f"due:{QUEUE}")
        now = self.committer.clock.now()
        for report in self._stored():
            if not transaction.enter([f"schedule:{QUEUE}:{report.name}"]):
                transaction.enqueue(QUEUE, [_tick(report, latest_end(report, now))])

    def _carry_out(self, report: Report, item: Item) -> None:
        end = _end_of(item)
        now = self.committer.clock.now()
        if item.id == remake_id(report, end):
            made = self.committer.commit(lambda tx: self._remake(tx, report, end, item, now))
            event = "report.remade"
        else:
            made = self.committer.commit(lambda tx: self._make(tx, report, end, item, now))
            event = "report.made"
        failpoints.reach("report.after_commit")
        if made is not None:
            log(event, report=report.name, window_end=end.isoformat(), revision=made.revision)

    def _make(
        self, transaction: Transaction, report: Report, end: datetime, item: Item, now: datetime
    ) -> Made | None:
        """Make a report on time, unless it is made or too old; enter the window after it."""
        judges_rows(transaction)
        first = floor(now - timedelta(seconds=CATCH_UP_S), step_of(report)) + step_of(report)
        made = None
        if end >= first and find(transaction, report, end) is None:
            made = remake(transaction, report, end, self.compute, now)
            before = end - timedelta(seconds=KEEP_S)
            transaction.execute(_FORGET, {"report": report.name, "before": before})
        following = max(floor(end, step_of(report)) + step_of(report), first)
        transaction.finish(QUEUE, [item.id])
        transaction.enqueue(QUEUE, [_tick(report, following)])
        failpoints.reach("report.before_commit")
        return made

    def _remake(
        self, transaction: Transaction, report: Report, end: datetime, item: Item, now: datetime
    ) -> Made | None:
        """Make a report anew that is there; one that was removed meanwhile isn't made again."""
        judges_rows(transaction)
        made = None
        if find(transaction, report, end) is not None:
            made = remake(transaction, report, end, self.compute, now)
        transaction.finish(QUEUE, [item.id])
        failpoints.reach("report.before_commit")
        return made


def remake(
    transaction: Transaction, report: Report, end: datetime, compute: Compute, now: datetime
) -> Made:
    """Compute a report for the window that ends at `end` and store it, in a transaction that `judges_rows`."""
    return put(transaction, report, end, compute(report, transaction, end), now)


def _tick(report: Report, end: datetime) -> Item:
    end = end.astimezone(UTC)
    return Item(f"make:{report.name}:{end.isoformat()}", report.name, b"", end)


def _end_of(item: Item) -> datetime:
    """Return the window's end, which is the last part of the id: the text after the report's name."""
    _, _, rest = item.id.partition(f":{item.scope}:")
    return datetime.fromisoformat(rest)
