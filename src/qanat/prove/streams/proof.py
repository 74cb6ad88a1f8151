"""The proof of any pipeline of streams."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qanat import failpoints
from qanat.pipeline import Pipeline
from qanat.prove.streams.faults import KINDS, TURNED_AWAY
from qanat.prove.streams.ground import LETTERS, REPORTS, USUAL, StreamGround, Subject
from qanat.runtime.windows import is_stored
from qanat.sources.sse_position import DISORDER_MS_MAX

# What only runs of other kinds do.
_BACKFILL: Final = "backfill."
_RUNS: Final = "batch."
_REPORTS: Final = "report."
_RELAYS: Final = "batch.relayed"


class StreamsProof:
    """See `qanat.prove.proof.Proof`.

    Args:
        subject: What is proved.
    """

    def __init__(self, subject: Subject) -> None:
        pipeline = subject.pipeline
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
        self.items = subject.items
        self.unreachable: Mapping[str, str] = _unreachable(pipeline)
        self.gaps_told = _gaps(subject)
        reachable = (point for point in failpoints.POINTS if point.startswith((_RUNS, _REPORTS)))
        workloads = {
            point: _workload(point, subject) for point in reachable if point not in self.unreachable
        }
        # The usual workload comes first.
        self.points: Mapping[str, str] = dict(
            sorted(workloads.items(), key=lambda each: each[1] != USUAL)
        )
        kinds = (*KINDS, TURNED_AWAY)
        self.disturbances: Mapping[str, tuple[str, str]] = {
            f"stream:{kind}": (kind, "") for kind in kinds
        }
        self._subject = subject

    def ground(self, place: Path, store: str, workload: str) -> StreamGround:
        """Make an empty ground."""
        return StreamGround(self._subject, place, store, workload)


def _workload(point: str, subject: Subject) -> str:
    """Return the workload in which a run comes to a point."""
    if point.startswith(_REPORTS):
        return REPORTS
    return LETTERS if point == _RELAYS and not subject.has_bad else USUAL


def _gaps(subject: Subject) -> str:
    """Say why a run can't know that history was forgotten; empty when it can."""
    span_s = subject.stock.span_s()
    if span_s is None:
        return "the ids of these events tell no times, so that nobody can know of a gap"
    if span_s / subject.items < 2 * DISORDER_MS_MAX / 1000:
        return "these events lie so close together that a gap can't be told from disorder"
    return ""


def _unreachable(pipeline: Pipeline) -> Mapping[str, str]:
    """Say which points a run doesn't come to, and why."""
    publishes = any(stage.publishes for stage in pipeline.stages)
    judges = any(stage.deduplicate for stage in pipeline.stages)
    stores = any(map(is_stored, pipeline.reports))
    reasons = {
        _BACKFILL: "a run rebuilds nothing; tests/unit/streaming has its proof",
    }
    if not publishes:
        reasons |= dict.fromkeys(("batch.published", _RELAYS), "it has no topics")
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
