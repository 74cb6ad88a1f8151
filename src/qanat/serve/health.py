"""Health: whether a pipeline's store answers, no alarm rings, its stages move and its reports are made in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from qanat.clock import Clock
from qanat.serve.models import AlarmState, PipelineHealth, ReportState, StageState, Stall
from qanat.serve.served import Served
from qanat.serve.states import States
from qanat.serve.stored import fresh
from qanat.session import Session
from qanat.wiring import readings_of

# A stall of seconds is told at once (a reconnect, a slow commit); one of minutes wakes somebody.
STALL_RED_S = 120.0

RED = ("alarm", "stalled", "stale")
"""The words of health for which the status is 503, the worst first."""


class Healths:
    """Looks at the health of one pipeline. Any thread may use it."""

    def __init__(self, served: Served, states: States, clock: Clock) -> None:
        self._served = served
        self.states = states
        self._clock = clock

    def look(self) -> PipelineHealth:
        """Return the pipeline's health now."""
        now = self._clock.now()
        alarms = self._alarms(now)
        stalls = stalls_of(self.states.read(), now)
        reports = self.reports(now)
        red = {
            "alarm": any(alarm.rings for alarm in alarms),
            "stalled": any(stall.red for stall in stalls),
            "stale": any(report.stale for report in reports),
        }
        worst = next((word for word in RED if red[word]), "degraded" if stalls else "ok")
        return PipelineHealth(
            status=worst,
            pipeline=self._served.pipeline.name,
            files=_files(self._served.session) if self._served.has("files") else {},
            alarms=alarms,
            stalls=stalls,
            reports=reports,
        )

    def reports(self, now: datetime) -> list[ReportState]:
        """Return how old each stored report is."""
        return [
            ReportState(
                name=each.report.name,
                window_end=None if each.made is None else each.made.window_end,
                made_at=None if each.made is None else each.made.made_at,
                age_s=each.age_s,
                stale=each.stale,
            )
            for each in fresh(self._served.pipeline, self._served.session, now)
        ]

    def _alarms(self, now: datetime) -> list[AlarmState]:
        readings = readings_of(self._served.pipeline, self._served.session, now)
        return [
            AlarmState(
                alarm=each.alarm,
                rings=each.rings,
                value=each.value,
                threshold=each.threshold,
                text=each.text,
            )
            for each in (readings.alarms if readings is not None else ())
        ]


def stalls_of(states: Sequence[StageState], now: datetime) -> list[Stall]:
    """Return the stages that should move and don't, as far as their run still tells of them."""
    return [
        Stall(
            stage=state.stage,
            instance=state.instance,
            since=state.stalled_since,
            reason=state.stall_reason or "",
            red=now - state.stalled_since > timedelta(seconds=STALL_RED_S),
        )
        for state in states
        if state.stalled_since is not None
    ]


def _files(session: Session) -> dict[str, int]:
    rows = session.query("select state, count(*) as n from files group by state order by state")
    return dict(zip(rows.column("state").to_pylist(), rows.column("n").to_pylist(), strict=True))
