"""Late events: the stored reports of their windows are due anew, in the very transaction that brings them.

A stage that writes rows of which reports consist calls, in each of its transactions,

```python
brings_rows(transaction)                                  # first of all: see `runtime.live`
…                                                         # progress and rows
remakes.enqueue(transaction, new_rows.column("created_at"))   # last of all
```

so that whoever makes a report either sees these rows, or has made it before and is told.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import gcd
from typing import TYPE_CHECKING

from qanat.clock import Clock
from qanat.interfaces import Transaction
from qanat.pipeline import Report
from qanat.records import Item
from qanat.runtime.windows import ends_over, floor, is_stored

if TYPE_CHECKING:
    import pyarrow as pa

QUEUE = "reports"
"""The queue of everything that is due of reports."""

REMAKE_AFTER_S = 5.0
"""From a late event to the report's remaking: what comes meanwhile goes with it, so that a backlog remakes each report every
so often and not with each of its batches."""

CLOCKS_APART_S = 60.0
"""So far may the clocks of processes that share a store be apart. Whether a report is made is asked of its table; the clock only
spares that question while the window of an event is far from over."""

_MADE = """
    -- one row per stored report whose window might have changed
    select report, window_end
    from made_reports
    where window_end > $oldest and window_end <= $newest
"""


def remake_id(report: Report, window_end: datetime) -> str:
    """Name the remaking of a report: one row however many events come late before it is carried out."""
    return f"remake:{report.name}:{window_end.astimezone(UTC).isoformat()}"


def remakes(
    reports: Sequence[Report], moments: Iterable[datetime], now: datetime
) -> dict[tuple[str, datetime], Item]:
    """Return what would have to be remade for events of these moments, by report and window's end, if it is made already.

    Args:
        reports: Those of the pipeline.
        moments: When the events came about; one for each hour (or shorter step) is enough.
        now: The present moment.
    """
    until, due_at = now + timedelta(seconds=CLOCKS_APART_S), now + timedelta(seconds=REMAKE_AFTER_S)
    found: dict[tuple[str, datetime], Item] = {}
    for moment in moments:
        for report in filter(is_stored, reports):
            for end in ends_over(report, moment, until):
                item = Item(remake_id(report, end), report.name, b"", due_at)
                found.setdefault((report.name, end), item)
    return found


class Remakes:
    """Watches for late events in what a stage writes.

    Attributes:
        reports: The pipeline's.
        clock: That of the run.
    """

    def __init__(self, reports: Sequence[Report], clock: Clock) -> None:
        self.reports = tuple(filter(is_stored, reports))
        self.clock = clock
        # Windows begin and end at multiples of this: all moments between two of them lie in the same ones.
        lengths = [s for each in self.reports for s in (each.every_s, each.window_s)]
        self._step = timedelta(seconds=max(1, gcd(*map(int, lengths))))

    def enqueue(self, transaction: Transaction, happened: "pa.ChunkedArray | pa.Array") -> int:
        """Have the stored reports remade in whose windows new rows lie; return how many.

        Where all rows lie in windows that aren't over it costs 60 µs for 50,000 rows, and asks the store nothing.

        Args:
            transaction: Has begun with `brings_rows`; the rows are written.
            happened: When each of the new rows came about: timestamps of UTC.
        """
        if not self.reports or not len(happened):
            return 0
        # After the lock: a report that this transaction doesn't find made is computed after it.
        candidates = remakes(self.reports, self._moments(happened), self.clock.now())
        if not candidates:
            return 0
        ends = [end for _, end in candidates]
        bounds = {"oldest": min(ends) - timedelta(seconds=1), "newest": max(ends)}
        made = transaction.query(_MADE, bounds)
        pairs = zip(*(made.column(name).to_pylist() for name in made.column_names), strict=True)
        items = [candidates[pair] for pair in pairs if pair in candidates]
        transaction.enqueue(QUEUE, items)
        return len(items)

    def _moments(self, happened: "pa.ChunkedArray | pa.Array") -> set[datetime]:
        """Return a moment for each step in which rows lie."""
        import pyarrow.compute as pc

        ends = pc.min_max(happened).as_py()
        first, last = (floor(ends[name], self._step) for name in ("min", "max"))
        if first == last:
            return {first}
        if last - first == self._step:
            return {first, last}
        seconds = int(self._step.total_seconds())
        floored = pc.floor_temporal(happened, multiple=seconds, unit="second")
        return set(pc.unique(floored).to_pylist())
