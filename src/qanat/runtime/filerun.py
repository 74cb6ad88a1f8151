"""A whole run over a folder: the threads, what they share, and its orderly end."""

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from qanat.bell import Bell
from qanat.clock import Clock
from qanat.interfaces import Store
from qanat.runtime.commit import Committer
from qanat.runtime.compute import Computer, FileSource, Pace, Progress
from qanat.runtime.counting import Counting, Rules
from qanat.runtime.discover import QUEUE, Registrar
from qanat.runtime.files import FileSteps, Summary
from qanat.runtime.filework import FileTransform
from qanat.runtime.loop import Loop, Steps
from qanat.runtime.parts import Parts
from qanat.runtime.settle import Settler, check_not_restored
from qanat.service.pulse import Pulses
from qanat.telemetry import Telemetry

# Two: while one computes with every core, the other commits what it computed before.
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run.

    Attributes:
        whole_bytes_max: A file up to this size is one transaction.
        part_bytes: The size of the parts of a larger one.
        rate: Bytes read per second; 0 for no limit.
        letters_max: Malformed lines per file.
    """

    whole_bytes_max: int
    part_bytes: int
    rate: float
    letters_max: int


@dataclass(slots=True)
class FileRun:
    """Runs one stage over one folder.

    Attributes:
        remembered: How many counted files of this store the folder remembers; None to go on with a restored database.
        first_look: Set when the folder was looked into for the first time: the run is at work.
        pulses: Whether its threads get on.
        pace: The rate of reading, which may be changed.
        others: Further stages to be driven beside (due rows), each in a thread of its own; with `once`, what is due at the end.
    """

    pipeline: str
    stage: str
    store: Store
    source: FileSource
    transform: FileTransform
    rules: Rules
    limits: Limits
    clock: Clock
    telemetry: Telemetry
    keeps_files: bool
    once: bool
    remembered: int | None = None
    others: Sequence[Steps] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    summary: Summary = field(default_factory=Summary)
    first_look: threading.Event = field(default_factory=threading.Event)
    pulses: Pulses = field(init=False)
    pace: Pace = field(init=False)
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        """Make what its threads share."""
        self.pulses = Pulses(self.clock)
        self.pace = Pace(self.limits.rate, self.clock)

    def run(self) -> Summary:
        """Run until stopped, or with `once` until everything that was there is ended.

        Raises:
            QanatError: What ended a stage; all others were stopped then.
        """
        settler = Settler(self.source, self.committer())
        if self.remembered is not None:
            check_not_restored(settler, self.remembered)
        settler.resume()
        workers = self._workers(settler)
        threads = [
            threading.Thread(target=self._drive, args=(steps,), name=steps.name)
            for steps in [*workers, *(() if self.once else self.others)]
        ]
        for thread in threads:
            thread.start()
        self._await(threads[: len(workers)])
        self.stop.set()
        for thread in threads:
            thread.join()
        if self.once and self._failure is None:
            for steps in self.others:
                steps.step()
        if self._failure is not None:
            raise self._failure
        return self.summary

    def committer(self) -> Committer:
        """Return what commits for this stage."""
        return Committer(self.store, self.pipeline, self.stage, self.clock, self.telemetry)

    def _workers(self, settler: Settler) -> list[FileSteps]:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        turn, looked, bell = threading.Lock(), threading.Event(), Bell()
        registrar = Registrar(self.source, self.committer(), self.transform.prepare)
        return [
            FileSteps(
                name=self.stage,
                work=self.store.due(QUEUE),
                registrar=registrar,
                computer=Computer(
                    self.source,
                    self.transform,
                    self.pace,
                    self.progress,
                    self.stop,
                    turn,
                ),
                counting=Counting(
                    self.source, self.transform, self.committer(), self.rules, self.keeps_files
                ),
                parts=Parts(
                    self.committer(),
                    self.transform,
                    self.limits.whole_bytes_max,
                    self.limits.part_bytes,
                ),
                settler=settler,
                summary=self.summary,
                owner=f"{owner}:{number}",
                letters_max=self.limits.letters_max,
                discovers=number == 0,
                once=self.once,
                looked=looked,
                bell=bell,
                first_look=self.first_look,
            )
            for number in range(WORKERS)
        ]

    def _drive(self, steps: Steps) -> None:
        loop = Loop(self.pipeline, self.clock, self.telemetry, self.stop, pulses=self.pulses)
        try:
            loop.run(steps)
        except BaseException as error:  # noqa: BLE001 - re-raised by run() in the main thread
            self._failure = self._failure or error
            self.stop.set()

    @staticmethod
    def _await(threads: Sequence[threading.Thread]) -> None:
        # In short waits, because on Windows a join without a timeout can't be interrupted by Ctrl-C.
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.1)
