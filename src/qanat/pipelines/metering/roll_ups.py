"""Rolling usage up while a run goes on, at ages that may be changed meanwhile."""

import os
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from qanat.clock import Clock
from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.rollup import Ages, roll_up
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.commit import Committer
from qanat.runtime.due import DueSteps
from qanat.telemetry import Telemetry

QUEUE = "rollup"


@dataclass(slots=True)
class RollUps:
    """The ticks of a run, and the ages that each goes by."""

    committer: Committer
    ages: Ages
    steps: DueSteps = field(init=False)

    def schedule(self, every_s: float, stop: threading.Event) -> None:
        """Make the steps that carry the ticks out; they wait as long as there are no ages."""
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.steps = DueSteps(
            QUEUE, self.committer, self._tick, every_s, owner, wanted=self._wanted, stop=stop
        )

    def _wanted(self) -> bool:
        return bool(self.ages.days_after_s or self.ages.months_after_s)

    def _tick(self, now: datetime) -> int:
        return roll_up(self.committer, self.ages, now)


def scheduled(
    settings: RunSettings, store: Store, clock: Clock, telemetry: Telemetry, stop: threading.Event
) -> RollUps:
    """Return the roll-ups that the settings ask for."""
    committer = Committer(store, PIPELINE.name, QUEUE, clock, telemetry)
    roll_ups = RollUps(committer, ages_of(settings))
    roll_ups.schedule(float(settings.rollup_every), stop)
    return roll_ups


def ages_of(settings: RunSettings) -> Ages:
    """Return the ages that the settings name."""
    return Ages(float(settings.rollup_days_after), float(settings.rollup_months_after))
