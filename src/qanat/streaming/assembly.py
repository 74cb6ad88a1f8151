"""Putting a run of streams together from its pipeline's declaration and its settings."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import uuid4

from qanat.clock import Clock
from qanat.interfaces import Commit, Log, Output, Source, Store
from qanat.pipeline import Pipeline, Stage
from qanat.records import Transformed
from qanat.runtime.commit import Committer, Committing
from qanat.runtime.housekeeping import StateSteps, TrimSteps
from qanat.runtime.letters import LETTER_TOPIC
from qanat.runtime.loop import Steps
from qanat.runtime.plan import plan
from qanat.runtime.reading import Reading
from qanat.runtime.stage_states import StageMeter
from qanat.runtime.stream import OrderedSteps
from qanat.runtime.stream_tables import TableSteps, TableWrite, TableWriter
from qanat.runtime.stream_topics import PublishSteps, Transform, unchanged
from qanat.runtime.streamrun import StreamRun
from qanat.session import open_to_hold
from qanat.streaming.declared import noticed, tables_of, topic_named, topics_of
from qanat.streaming.settings import StreamSettings
from qanat.streaming.sources import OpenedSource, open_source
from qanat.streaming.transforms import table_writes
from qanat.tables import DEAD_LETTERS, Append, Topic
from qanat.telemetry import Telemetry
from qanat.wiring import load, open_log

LETTERS_STAGE = "letters"


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a run consists of."""

    run: StreamRun
    store: Store
    log: Log


@contextmanager
def assembled(
    pipeline: Pipeline,
    settings: StreamSettings,
    clock: Clock,
    telemetry: Telemetry,
    stop: threading.Event,
) -> Iterator[Assembled]:
    """Open everything that a run needs, and close it at the end.

    Raises:
        ConfigError: A setting can't be used, or a transform's SQL doesn't fit its tables.
        Refused: The pipeline would count twice with this store.
        Busy: The store is in another instance's hands.
    """
    writes = table_writes(pipeline)
    with ExitStack() as stack:
        store = stack.enter_context(
            closing(open_to_hold(pipeline, settings, clock, threads=settings.threads or _cores()))
        )
        plan(pipeline, store.capabilities)
        store.migrate(tables_of(pipeline))
        log = stack.enter_context(
            closing(open_log(settings.log, pipeline.name, Path(settings.data_dir), clock))
        )
        log.create(topics_of(pipeline))
        parts = _Parts(pipeline, settings, store, log, clock, telemetry, stop, writes, stack)
        yield Assembled(parts.run(), store, log)


@dataclass(slots=True)
class _Parts:
    """Makes the parts of one run."""

    pipeline: Pipeline
    settings: StreamSettings
    store: Store
    log: Log
    clock: Clock
    telemetry: Telemetry
    stop: threading.Event
    writes: "dict[str, Callable[[], Sequence[TableWrite]]]"
    stack: ExitStack

    def run(self) -> StreamRun:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        stages: list[OrderedSteps] = [self._stage(stage, owner) for stage in self.pipeline.stages]
        if any(stage.publishes for stage in self.pipeline.stages):
            stages.append(self._letters(owner))
        meters = [steps.reading.meter for steps in stages]
        self._hold_back(stages)
        return StreamRun(
            pipeline=self.pipeline.name,
            stages=stages,
            others=self._others(meters),
            meters=meters,
            clock=self.clock,
            telemetry=self.telemetry,
            once=self.settings.once,
            stop=self.stop,
        )

    def _stage(self, stage: Stage, owner: str) -> OrderedSteps:
        transform = (
            cast("Callable[..., Transformed]", load(stage.transform))
            if stage.transform
            else unchanged
        )
        opened = self._open(stage)
        if stage.publishes:
            reading = self._reading(stage.name, opened, self.log, owner)
            return self._publishes(stage, reading, transform)
        reading = self._reading(stage.name, opened, self.store, owner)
        steps = TableSteps(
            name=stage.name,
            reading=reading,
            committer=self._committer(stage.name),
            writer=TableWriter(
                self.writes[stage.name](),
                stage.deduplicate,
                noticed(self.pipeline, stage, self.clock),
            ),
            origin=stage.input.name,
            transform=transform,
        )
        return self._ending(steps, stage)

    def _publishes(self, stage: Stage, reading: Reading, transform: Transform) -> OrderedSteps:
        steps = PublishSteps(
            name=stage.name,
            reading=reading,
            committing=Committing(
                self.log, self.pipeline.name, stage.name, self.clock, self.telemetry
            ),
            transform=transform,
            topic=stage.publishes[0],
            origin=stage.input.name,
        )
        return self._ending(steps, stage)

    def _letters(self, owner: str) -> OrderedSteps:
        """Make the stage that brings the log's dead letters into the store."""
        opened = OpenedSource(self._topic_source(LETTER_TOPIC, LETTERS_STAGE))
        return TableSteps(
            name=LETTERS_STAGE,
            reading=self._reading(LETTERS_STAGE, opened, self.store, owner),
            committer=self._committer(LETTERS_STAGE),
            writer=TableWriter((TableWrite(DEAD_LETTERS, Append()),)),
            origin=LETTER_TOPIC.name,
        )

    def _ending(self, steps: OrderedSteps, stage: Stage) -> OrderedSteps:
        """Have a stage that reads from outside end when that is silent, in a run that ends."""
        if self.settings.once and stage.input.kind != "topic":
            meter, idle_s = steps.reading.meter, float(self.settings.idle)
            steps.ends = lambda: meter.silent_s() > idle_s
        return steps

    def _open(self, stage: Stage) -> OpenedSource:
        if stage.input.kind == "topic":
            topic = topic_named(self.pipeline, stage.input.name)
            return OpenedSource(self._topic_source(topic, stage.name))
        opened = open_source(self.pipeline, stage.input, self.settings, self.clock)
        self.stack.enter_context(closing(opened.source))
        return opened

    def _topic_source(self, topic: Topic, group: str) -> Source:
        return self.stack.enter_context(closing(self.log.source(topic, group)))

    def _reading(
        self, stage: str, opened: OpenedSource, output: Output[Commit], owner: str
    ) -> Reading:
        meter = StageMeter(
            stage, self.clock, opened.silent_after_s(self.settings), opened.condition
        )
        return Reading(stage, opened.source, output, owner, self.clock, meter)

    def _committer(self, stage: str) -> Committer:
        return Committer(self.store, self.pipeline.name, stage, self.clock, self.telemetry)

    def _hold_back(self, stages: Sequence[OrderedSteps]) -> None:
        """Have each stage that publishes wait while a reader of its topic is too far behind."""
        readers: dict[str, list[StageMeter]] = {}
        for declared, steps in zip(self.pipeline.stages, stages, strict=False):
            if declared.input.kind == "topic":
                readers.setdefault(declared.input.name, []).append(steps.reading.meter)
        for steps in stages:
            if isinstance(steps, PublishSteps):
                steps.waits = _waiting(readers.get(steps.topic.name, []), self.settings.backlog)

    def _others(self, meters: Sequence[StageMeter]) -> list[Steps]:
        instance = f"{socket.gethostname()}:{os.getpid()}"
        states = StateSteps("states", self._committer("states"), meters, instance, self.stop)
        topics = topics_of(self.pipeline)
        trims = TrimSteps("retention", self.log, topics, self._committer("retention"), self.stop)
        return [states, trims]


def _waiting(readers: Sequence[StageMeter], backlog: int) -> Callable[[], str]:
    def waits() -> str:
        for meter in readers:
            if meter.lag is not None and meter.lag > backlog:
                return f"waiting for {meter.stage}: it is {meter.lag:,} records behind"
        return ""

    return waits


def _cores() -> int:
    return os.cpu_count() or 1
