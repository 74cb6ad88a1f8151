"""Which settings can change while a run goes on, and how they are changed."""

from dataclasses import dataclass

from qanat.options import log_as
from qanat.pipelines.metering.assembly import Assembled
from qanat.pipelines.metering.roll_ups import ages_of
from qanat.pipelines.metering.settings import RunSettings
from qanat.service.stopping import Stopping

RELOADABLE = (
    "log_format",
    "log_level",
    "rate_limit",
    "rollup_days_after",
    "rollup_months_after",
    "rollup_every",
    "stop_timeout",
)
"""The settings that SIGHUP takes over. What decides how a file is judged isn't among them: all of a run goes by one rule."""


@dataclass(frozen=True, slots=True)
class Live:
    """A run whose settings are changed."""

    parts: Assembled
    stopping: Stopping

    def apply(self, settings: RunSettings) -> None:
        """Have the reloadable ones of `settings` hold from now on.

        Raises:
            ConfigError: One of them makes no sense; nothing was changed.
        """
        log_as(settings)
        self.parts.run.pace.rate = float(settings.rate_limit)
        self.parts.roll_ups.ages = ages_of(settings)
        self.parts.roll_ups.steps.every_s = float(settings.rollup_every)
        self.stopping.timeout_s = float(settings.stop_timeout)
