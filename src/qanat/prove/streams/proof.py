"""The proof of any pipeline of streams."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qanat import failpoints
from qanat.clock import Clock
from qanat.pipeline import Pipeline
from qanat.prove.streams.faults import KINDS, TURNED_AWAY
from qanat.prove.streams.ground import REPORTS, USUAL, StreamGround
from qanat.prove.streams.history import Stock
from qanat.prove.streams.truth import Truth
from qanat.runtime.windows import is_stored

# What only runs of other kinds do.
_BACKFILL: Final = "backfill."
_RUNS: Final = "batch."
_REPORTS: Final = "report."


class StreamsProof:
    """See `qanat.prove.proof.Proof`.

    Args:
        pipeline: Of streams.
        reference: How `qanat run` is told which one.
        stock: The events of all scenarios.
        truth: What they come to.
        items: The stock is handed over in so many pieces.
        clock: The time at which they are received, about.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        reference: str,
        stock: Stock,
        truth: Truth,
        items: int,
        clock: Clock,
    ) -> None:
        self.pipeline = pipeline.name
        self.started = "stage.started"
        self.committed = frozenset({"source.connected"})
        self.tables = frozenset(
            table.name
            for stage in pipeline.stages
            for table in (
                *(write.table for write in stage.writes),
                *([stage.deduplicate.table] if stage.deduplicate else []),
            )
        )
        self.repeats_end_with = 0
        self.announced: Mapping[str, str] = {}
        self.items = items
        self.events = stock.count
        self.unreachable: Mapping[str, str] = _unreachable(pipeline)
        self.points: Mapping[str, str] = {
            point: REPORTS if point.startswith(_REPORTS) else USUAL
            for point in sorted(failpoints.POINTS, key=lambda name: name.startswith(_REPORTS))
            if point.startswith((_RUNS, _REPORTS)) and point not in self.unreachable
        }
        kinds = (*KINDS, TURNED_AWAY)
        self.disturbances: Mapping[str, tuple[str, str]] = {
            f"stream:{kind}": (kind, "") for kind in kinds
        }
        self._made = (pipeline, reference, stock, truth)
        self._clock = clock

    def ground(self, place: Path, store: str, workload: str) -> StreamGround:
        """Make an empty ground."""
        return StreamGround(*self._made, place, store, workload, self.items, self._clock)


def _unreachable(pipeline: Pipeline) -> Mapping[str, str]:
    """Say which points a run doesn't come to, and why."""
    publishes = any(stage.publishes for stage in pipeline.stages)
    judges = any(stage.deduplicate for stage in pipeline.stages)
    stores = any(map(is_stored, pipeline.reports))
    reasons = {
        _BACKFILL: "a run rebuilds nothing; tests/unit/streaming has its proof",
    }
    if not publishes:
        reasons |= dict.fromkeys(("batch.published", "batch.relayed"), "it has no topics")
    if not judges:
        reasons["batch.told_apart"] = "no stage tells records apart"
    if not stores:
        reasons[_REPORTS] = "no report is made on time"
    return {
        point: reason
        for point in failpoints.POINTS
        for start, reason in reasons.items()
        if point.startswith(start)
    }
