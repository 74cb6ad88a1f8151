"""A whole run of a pipeline of streams: a thread for each stage, what keeps house beside them, and its orderly end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from qanat.clock import Clock
from qanat.runtime.loop import Loop, Steps
from qanat.runtime.stage_states import StageMeter
from qanat.runtime.stream import OrderedSteps
from qanat.service.pulse import Pulses
from qanat.telemetry import Telemetry


@dataclass(slots=True)
class StreamRun:
    """Runs the stages of one pipeline.

    Attributes:
        stages: In the order of the data. With `once` each ends when its input is drained and the stages before have ended.
        others: What goes on beside them (states, retention, reports), until all stages have ended.
        meters: How each stage is doing.
        ended: Set when all stages have ended, to end what goes on beside them.
        first_look: Set when all threads are at work.
    """

    pipeline: str
    stages: Sequence[OrderedSteps]
    others: Sequence[Steps]
    meters: Sequence[StageMeter]
    clock: Clock
    telemetry: Telemetry
    once: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    first_look: threading.Event = field(default_factory=threading.Event)
    pulses: Pulses = field(init=False)
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        """Make what its threads share."""
        self.pulses = Pulses(self.clock)

    def run(self) -> None:
        """Run until stopped, or with `once` until nothing is left to read.

        Raises:
            QanatError: What ended a stage; all others were stopped then.
        """
        beside = [self._thread(steps, self.ended) for steps in self.others]
        stages = self._chained()
        for thread in [*beside, *stages]:
            thread.start()
        self.first_look.set()
        _await(stages)
        self.ended.set()
        self.stop.set()
        for thread in [*stages, *beside]:
            thread.join()
        if self._failure is not None:
            raise self._failure
        for steps in self.others:
            steps.step()  # once more, so that what was last is told

    def _chained(self) -> list[threading.Thread]:
        """Make a thread for each stage, which in a run that ends waits for the ones before."""
        threads: list[threading.Thread] = []
        for steps in self.stages:
            if self.once and threads:
                before = tuple(threads)
                steps.ends = lambda before=before: not any(each.is_alive() for each in before)  # type: ignore[misc]
            threads.append(self._thread(steps, self.stop))
        return threads

    def _thread(self, steps: Steps, stop: threading.Event) -> threading.Thread:
        return threading.Thread(target=self._drive, args=(steps, stop), name=steps.name)

    def _drive(self, steps: Steps, stop: threading.Event) -> None:
        loop = Loop(self.pipeline, self.clock, self.telemetry, stop, pulses=self.pulses)
        try:
            loop.run(steps)
        except BaseException as error:  # noqa: BLE001 - re-raised by run() in the main thread
            self._failure = self._failure or error
            self.stop.set()


def _await(threads: Sequence[threading.Thread]) -> None:
    # In short waits, because on Windows a join without a timeout can't be interrupted by Ctrl-C.
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(0.1)
