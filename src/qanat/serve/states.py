"""How the stages of a pipeline are doing: as the run tells it, or as the tables of its files do."""

import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.pipeline import Order, Pipeline
from qanat.serve.models import StageState
from qanat.serve.served import Served
from qanat.session import NothingYet

STATES_TABLE = "stage_states"
FILES_TABLE = "files"
# The run tells each second how its stages are; what it said so long ago, it no longer says.
UPDATED_WITHIN_S = 30.0
# A rate is told over the last looks that lie no longer back than this.
RATE_SPAN_S = 10.0

_TOLD = f"""
    select stage, instance, records, rate, lag, last_commit_at, stalled_since, stall_reason, updated_at
    from {STATES_TABLE}
    order by stage, instance
"""
# One row: everything that was counted, when last, and what waits.
_COUNTED = f"""
    select
      coalesce(sum(case when state = 'counted' then lines_good + lines_bad end), 0) as records,
      max(ended_at) as last_commit_at,
      sum(case when state = 'registered' then 1 else 0 end) as lag
    from {FILES_TABLE}
"""
_LETTERS = "select count(*) as open from dead_letters where state = 'open'"


class States:
    """Looks at the states of one pipeline. Any thread may use it."""

    def __init__(self, served: Served, clock: Clock) -> None:
        self._served = served
        self._clock = clock
        self._rate = _Rate()

    def read(self) -> list[StageState]:
        """Return the state of every stage that is known, in order of stage and instance."""
        if told_by_run(self._served.pipeline):
            return self._told()
        if self._served.has(FILES_TABLE):
            return self._found()
        return []

    def dead_letters(self) -> int:
        """Return how many records wait as dead letters."""
        if not self._served.has("dead_letters"):
            return 0
        return int(self._served.session.query(_LETTERS).column("open")[0].as_py())

    def _told(self) -> list[StageState]:
        try:
            rows = self._served.session.query(_TOLD).to_pylist()
        except NothingYet:
            raise
        except ConfigError:  # made by the first run that tells
            return []
        now = self._clock.now()
        states = [StageState(**row) for row in rows]
        return [state if told_lately(state, now) else _at_rest(state) for state in states]

    def _found(self) -> list[StageState]:
        (row,) = self._served.session.query(_COUNTED).to_pylist()
        records = int(row["records"])
        counted = self._counters("qanat_records_read_total")
        commits = self._counters("qanat_last_commit_timestamp_seconds")
        states = []
        for stage in self._served.pipeline.stages:
            told = commits.get(stage.name)
            last = row["last_commit_at"] if told is None else datetime.fromtimestamp(told, UTC)
            seen = records if self._served.telemetry is None else counted.get(stage.name, 0.0)
            rate = self._rate.of(stage.name, seen, self._clock.monotonic())
            states.append(
                StageState(
                    stage=stage.name, instance="", records=records, rate=rate,
                    lag=int(row["lag"] or 0), last_commit_at=last,
                    stalled_since=None, stall_reason=None, updated_at=None,
                )
            )  # fmt: skip
        return states

    def _counters(self, metric: str) -> Mapping[str, float]:
        """Return the run's own values of a metric by stage; empty when it runs elsewhere."""
        if self._served.telemetry is None:
            return {}
        return {
            dict(labels)["stage"]: value
            for name, labels, value in self._served.telemetry.values()
            if name == metric
        }


def told_by_run(pipeline: Pipeline) -> bool:
    """Tell whether the runs of a pipeline write how their stages are doing: those of streams do."""
    declared = any(table.name == STATES_TABLE for table in pipeline.tables)
    return declared or any(stage.input.order is Order.ORDERED for stage in pipeline.stages)


def told_lately(state: StageState, now: datetime) -> bool:
    """Tell whether the run of a stage is still there to tell of it."""
    within = timedelta(seconds=UPDATED_WITHIN_S)
    return state.updated_at is not None and now - state.updated_at <= within


def _at_rest(state: StageState) -> StageState:
    """Leave out what was true only while the run was there."""
    gone = {"rate": 0.0, "stalled_since": None, "stall_reason": None}
    return state.model_copy(update=gone)


class _Rate:
    """Records per second, by how a count grew between looks."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def of(self, stage: str, count: float, at_s: float) -> float | None:
        """Note a count, and return the rate; None at the first look."""
        with self._lock:
            seen = self._seen.setdefault(stage, deque())
            while len(seen) > 1 and at_s - seen[0][0] > RATE_SPAN_S:
                seen.popleft()
            seen.append((at_s, count))
            passed_s, grown = at_s - seen[0][0], count - seen[0][1]
        return max(0.0, grown / passed_s) if passed_s > 0 else None
