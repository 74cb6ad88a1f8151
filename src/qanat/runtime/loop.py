"""The only loop that moves data: step after step, until stopped, drained or beyond help.

A step reads, transforms and commits once. What may go wrong is told apart by the errors' groups: `Retryable` waits and does the
step again, `Fenced` reloads and goes on, anything else ends the stage with its reason. Nothing is caught beside these.
"""

import logging
import random
import threading

# Before there is any thread: Arrow imports it when it first turns a time with its zone into Python's, and where several threads
# come to that at one moment, it has said in one of them that there is no such module.
import zoneinfo  # noqa: F401
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from qanat.clock import Clock
from qanat.errors import Fatal, Fenced, Retryable
from qanat.service.pulse import Pulse, Pulses
from qanat.telemetry import Telemetry, log

# Between attempts at a step that keeps failing: from 50 ms, doubling, to 2 s; within 5 s of the cause going away the work goes
# on. Jitter keeps instances from knocking in step.
DELAY_FIRST_S = 0.05
DELAY_MAX_S = 2.0

# A lost race or a dropped connection is over by then; what lasts is a full disk or a database that is gone, and somebody has to
# know. Once a minute for each reason.
LASTING_S = 0.5
LASTING_FAILURES = 4
WARN_EVERY_S = 60.0
WARNED_MAX = 100


class Moved(Enum):
    """What a step came to."""

    YES = "yes"  # something was committed: step again at once
    IDLE = "idle"  # nothing to do now: wait for the input, then step again
    DRAINED = "drained"  # nothing to do, and nothing will come


class Steps(Protocol):
    """A stage, as the loop drives it. One thread calls it."""

    name: str

    def step(self) -> Moved:
        """Read, transform and commit once."""
        ...

    def reload(self) -> None:
        """Forget what was read since the last commit; the next step starts from stored progress."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Block until the input may have something, at most `timeout_s`."""
        ...


@dataclass(frozen=True, slots=True)
class Loop:
    """Drives one stage.

    Attributes:
        attempts_max: A step that fails for now so often in a row ends the stage; 0 for never (a database may be down for hours).
        idle_s: How long one wait for input lasts at most.
        pulses: Where the thread says that it got on; those of nobody by default.
    """

    pipeline: str
    clock: Clock
    telemetry: Telemetry
    stop: threading.Event = field(default_factory=threading.Event)
    attempts_max: int = 0
    idle_s: float = 1.0
    jitter: Callable[[], float] = random.random
    pulses: Pulses | None = None
    warned: dict[str, float] = field(default_factory=dict)

    def run(self, steps: Steps) -> None:
        """Step until `stop` is set or the stage is drained.

        Raises:
            QanatError: What ended the stage.
        """
        log("stage.started", pipeline=self.pipeline, stage=steps.name)
        with (self.pulses or Pulses(self.clock)).beating(steps.name) as pulse:
            self._step_on(steps, pulse)
        log("stage.stopped", pipeline=self.pipeline, stage=steps.name)

    def _step_on(self, steps: Steps, pulse: Pulse) -> None:
        failures = 0
        while not self.stop.is_set():
            pulse.beat()
            try:
                moved = steps.step()
            except Fenced:
                self._fenced(steps)
            except Retryable as error:
                failures += 1
                self._failed(steps, error, failures, pulse)
            else:
                failures = 0
                if moved is Moved.DRAINED:
                    break
                if moved is Moved.IDLE:
                    pulse.rest(self.idle_s)
                    steps.wait(self.idle_s)

    def _fenced(self, steps: Steps) -> None:
        self.telemetry.count("qanat_fenced_total", pipeline=self.pipeline, stage=steps.name)
        log("stage.fenced", pipeline=self.pipeline, stage=steps.name)
        steps.reload()

    def _failed(self, steps: Steps, error: Retryable, failures: int, pulse: Pulse) -> None:
        self.telemetry.count("qanat_retries_total", pipeline=self.pipeline, stage=steps.name)
        level = logging.WARNING if self._lasts(error, failures) else logging.INFO
        log("stage.retried", level=level, stage=steps.name, failures=failures, reason=error.message)
        if self.attempts_max and failures >= self.attempts_max:
            raise Fatal(
                f"{steps.name} failed {failures} times in a row; the last time: {error.message}",
                hint=error.hint,
            ) from error
        steps.reload()
        delay_s = max(error.after_s, min(DELAY_MAX_S, DELAY_FIRST_S * 2 ** min(failures, 10)))
        pulse.rest(delay_s)
        self.stop.wait(delay_s * (0.5 + self.jitter() / 2))

    def _lasts(self, error: Retryable, failures: int) -> bool:
        """Whether to warn: it takes longer than a lost race does, and wasn't said within the last minute."""
        now_s = self.clock.monotonic()
        if error.after_s < LASTING_S and failures < LASTING_FAILURES:
            return False
        if now_s - self.warned.get(error.message, -WARN_EVERY_S) < WARN_EVERY_S:
            return False
        if len(self.warned) >= WARNED_MAX:
            self.warned.clear()
        self.warned[error.message] = now_s
        return True
