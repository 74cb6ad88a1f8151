"""The stages of a pipeline of streams in `qanat status`: how fast each is, how far behind, and why it doesn't move."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from qanat.output import moment_text
from qanat.pipeline import Pipeline
from qanat.session import Json, Session

# Of several instances that ran a stage, the one that told of it last.
_STATES = """
    -- one row per stage: what the latest instance told
    select s.stage, s.instance, s.records, s.rate, s.lag, s.last_commit_at, s.stalled_since, s.stall_reason, s.updated_at
    from stage_states s
    join (
        select stage, max(updated_at) as updated_at
        from stage_states
        group by stage
    ) as latest on latest.stage = s.stage and latest.updated_at = s.updated_at
    order by s.stage, s.instance
"""


def stage_states(pipeline: Pipeline, session: Session) -> dict[str, Json]:
    """Return what `status --json` tells of stages, in the order of the data."""
    order = [stage.name for stage in pipeline.stages]
    found = session.query(_STATES).to_pylist()
    # What the runtime adds (the stage of dead letters) comes last.
    found.sort(key=lambda row: order.index(row["stage"]) if row["stage"] in order else len(order))
    return {"stages": [_told(row) for row in found]}


def stage_rows(described: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return the lines for people; none for a pipeline without such stages."""
    rows = []
    for stage in cast("list[dict[str, Json]]", described.get("stages", [])):
        lag = "" if stage["lag"] is None else f", {stage['lag']:,} behind"
        commit = f", last commit {stage['last_commit_at']}" if stage["last_commit_at"] else ""
        rate = cast("float", stage["rate"])
        rows.append(
            ("stage", f"{stage['stage']}: {stage['records']:,} records, {rate:,.1f}/s{lag}{commit}")
        )
        if stage["stall_reason"]:
            since = stage["stalled_since"]
            rows.append(("STALLED", f"{stage['stage']}: {stage['stall_reason']}, since {since}"))
    return rows


def _told(row: Mapping[str, object]) -> Json:
    return {name: _json(value) for name, value in row.items()}


def _json(value: object) -> Json:
    return moment_text(value) if isinstance(value, datetime) else cast("Json", value)
