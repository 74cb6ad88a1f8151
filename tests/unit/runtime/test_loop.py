"""What the loop tells while a step fails."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from qanat.errors import Retryable
from qanat.runtime.loop import WARN_EVERY_S, Loop, Moved
from qanat.telemetry import LOGGER, Telemetry
from qanat.testing import FakeClock


@dataclass
class Failing:
    """Fails as told, then is drained."""

    clock: FakeClock
    errors: Iterator[Retryable]
    name: str = "count"
    waits: list[float] = field(default_factory=list)

    def step(self) -> Moved:
        self.clock.advance(1)
        error = next(self.errors, None)
        if error is not None:
            raise error
        return Moved.DRAINED

    def reload(self) -> None:
        """Nothing was read."""

    def wait(self, timeout_s: float) -> None:
        self.waits.append(timeout_s)


def warnings_of(caplog: pytest.LogCaptureFixture, *errors: Retryable) -> int:
    """Run a stage that fails so, and count what a user with the default log level sees."""
    clock = FakeClock()
    caplog.set_level(logging.INFO, logger="qanat")
    LOGGER.addHandler(caplog.handler)
    try:
        Loop("p", clock, Telemetry(), jitter=lambda: -1.0).run(Failing(clock, iter(errors)))
    finally:
        LOGGER.removeHandler(caplog.handler)
    told = [record for record in caplog.records if record.getMessage() == "stage.retried"]
    assert len(errors) == len({id(record) for record in told})
    return len({id(record) for record in told if record.levelno >= logging.WARNING})


def test_a_full_disk_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """What lasts is a warning, once a minute and not at every attempt."""
    full = [Retryable("the disk is full", after_s=1.0) for _ in range(int(WARN_EVERY_S) + 10)]
    assert 2 == warnings_of(caplog, *full)


def test_a_lost_race_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """What passes by itself isn't worth one; what goes on failing is."""
    assert 0 == warnings_of(caplog, Retryable("conflict", after_s=0.0))
    caplog.clear()
    assert 1 == warnings_of(caplog, *[Retryable("conflict", after_s=0.0)] * 5)
