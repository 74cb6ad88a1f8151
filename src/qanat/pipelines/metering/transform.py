"""The transform of `metering`: bytes of a file to sums per consumer, by the kernel."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from qanat.interfaces import Scalar, Transaction
from qanat.pipelines.metering import (
    ADD_TO_TOTALS,
    ADD_TO_USAGE,
    SUMS,
    TOTALS,
    USAGE,
)
from qanat.pipelines.metering.grammar import check
from qanat.pipelines.metering.kernel.native import load
from qanat.pipelines.metering.keys import KeyRange
from qanat.pipelines.metering.lines import PLAIN, Grammar
from qanat.pipelines.metering.periods import granularity_at, start_of
from qanat.pipelines.metering.spans import Cutting, Span, sum_span
from qanat.runtime.filework import ByteSource, Hooks, PartOutcome, PartPlan, Target
from qanat.runtime.registry import FileRow
from qanat.tables import Add, Table

if TYPE_CHECKING:
    import pyarrow as pa

# Ranges are planned for a few more keys than estimated: a range that turns out too large costs a pass over the file.
ESTIMATE_SLACK = 1.25


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def period_of(transaction: Transaction, registered_at: datetime) -> dict[str, Scalar]:
    """Return the columns of `usage` that say to which period something registered then belongs."""
    granularity = granularity_at(transaction, registered_at)
    return {
        "period_start": start_of(granularity, registered_at),
        "granularity": str(granularity),
    }


@dataclass(frozen=True, slots=True)
class SumFiles:
    """Sums files (see `runtime.filework.FileTransform`).

    Attributes:
        max_keys: Distinct consumers in memory at a time, over all threads.
        grammar: By which the store counts.
    """

    threads: int
    max_keys: int
    grammar: Grammar = PLAIN
    staging: Table = SUMS

    def prepare(self) -> None:
        """Load the kernel: 0.05 s, nearly all of it while the database writes and lets others work."""
        pool = ThreadPoolExecutor(1, "qanat-kernel")
        pool.submit(load)
        pool.shutdown(wait=False)

    def compute(self, source: ByteSource, part: PartPlan, hooks: Hooks) -> PartOutcome:
        """Sum one part."""
        result = sum_span(
            source,
            Span(part.start, part.stop),
            threads=self.threads,
            max_keys=self.max_keys,
            key_range=KeyRange(part.index, part.of),
            on_block=hooks.on_block,
            on_bad=lambda bad: hooks.on_rejected(bad.to_arrow()),
            cutting=Cutting(grammar=self.grammar),
        )
        first = part.index == 0
        return PartOutcome(
            rows=result.sums.to_arrow(),
            lines_good=result.lines_good if first else 0,
            lines_bad=result.lines_bad if first else 0,
            total=result.total,
            digests=result.digests,
            size=result.stop - part.start,
        )

    def ranges(self, keys_estimated: int) -> int:
        """Return the power of two that leaves each range's keys within every thread's share of `max_keys`."""
        wanted = keys_estimated * ESTIMATE_SLACK * self.threads / self.max_keys
        ranges = 2
        while ranges < wanted:
            ranges *= 2
        return ranges

    def targets(self, file: FileRow, transaction: Transaction) -> Sequence[Target]:
        """Totals first, then usage of the period in which the file was registered."""
        check(transaction, self.grammar)
        return (
            Target(TOTALS, ADD_TO_TOTALS, {"parts": 1}),
            Target(USAGE, ADD_TO_USAGE, period_of(transaction, file.registered_at)),
        )

    def reversing(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Take away instead of adding; rows that nothing is left of go."""
        _, usage = targets
        return (
            Target(
                TOTALS, Add(TOTALS.key, ("amount", "parts"), drop_when_zero="parts"), {"parts": -1}
            ),
            Target(USAGE, Add(USAGE.key, ("amount",), drop_when_zero="amount"), usage.constants),
        )

    def reversed(self, rows: "pa.Table") -> "pa.Table":
        """Return the sums with the opposite sign."""
        import pyarrow.compute as pc

        return rows.set_column(1, "amount", pc.negate(rows.column("amount")))
