"""Signs of life are told apart from silence, and silence on purpose from the other."""

import threading

from qanat.clock import SystemClock
from qanat.errors import Retryable
from qanat.runtime.compute import Pace
from qanat.runtime.loop import Loop, Moved
from qanat.service.pulse import Pulse, Pulses, current
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock


def test_silence_grows_until_the_next_beat() -> None:
    """What counts is the time since the last sign."""
    clock = FakeClock()
    pulse = Pulse("count", clock)
    clock.sleep(7)
    assert 7 == pulse.silent_s()
    pulse.beat()
    assert 0 == pulse.silent_s()


def test_a_rest_ends() -> None:
    """A wait on purpose is no silence, as long as it was said to last; after that it is."""
    clock = FakeClock()
    pulse = Pulse("count", clock)
    pulse.rest(10)
    clock.sleep(9)
    assert 0 == pulse.silent_s()
    clock.sleep(3)
    assert 2 == pulse.silent_s()


def test_only_the_living_are_watched() -> None:
    """A thread that has ended in order is never silent."""
    clock = FakeClock()
    pulses = Pulses(clock)
    with pulses.beating("count") as pulse:
        assert pulse is current()
        clock.sleep(5)
        assert [pulse] == pulses.silent(4)
        assert [] == pulses.silent(6)
    assert [] == pulses.silent(4)
    assert pulse is not current()


class Failing:
    """Steps that fail for now, then hang for a while, then are done."""

    name = "failing"

    def __init__(self, clock: FakeClock, pulses: Pulses) -> None:
        self.clock, self.pulses = clock, pulses
        self.steps = 0
        self.silent_when_failing: list[list[Pulse]] = []

    def step(self) -> Moved:
        self.steps += 1
        self.silent_when_failing.append(self.pulses.silent(0))
        self.clock.sleep(30)
        if self.steps < 3:
            raise Retryable("not now", after_s=0.0)
        assert ["failing"] == [pulse.name for pulse in self.pulses.silent(29)]
        return Moved.DRAINED

    def reload(self) -> None:
        pass

    def wait(self, timeout_s: float) -> None:
        raise AssertionError("it is never idle")


def test_the_loop_beats_between_steps_and_not_within() -> None:
    """A step that fails and is tried again gets on; one that takes its time is silent meanwhile."""
    clock = FakeClock()
    pulses = Pulses(clock)
    steps = Failing(clock, pulses)
    Loop("numbers", clock, Telemetry(), jitter=lambda: 0.0, pulses=pulses).run(steps)
    assert [[], [], []] == steps.silent_when_failing


def test_a_rate_limit_is_a_rest() -> None:
    """Whoever waits for the rate limit isn't hung, and goes on when the limit is lifted."""
    clock = SystemClock()
    pace = Pace(1.0, clock)
    pulse = Pulse("count", clock)
    stop = threading.Event()
    thread = threading.Thread(target=pace.take, args=(3600, stop, pulse), daemon=True)
    thread.start()
    assert thread.is_alive()
    pace.rate = 1e9
    thread.join(60)
    assert not thread.is_alive()
    pace.take(1, stop, pulse)
