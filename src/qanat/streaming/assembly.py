"""Putting a run of streams together from its pipeline's declaration and its settings."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from qanat.clock import Clock
from qanat.interfaces import Commit, Log, Output, Source, Store
from qanat.pipeline import Input, Pipeline, Stage
from qanat.reports.answer import compute
from qanat.runtime.commit import Committer, Committing
from qanat.runtime.housekeeping import StateSteps, TrimSteps
from qanat.runtime.letters import LETTER_TOPIC
from qanat.runtime.loop import Steps
from qanat.runtime.plan import plan
from qanat.runtime.reading import Reading
from qanat.runtime.report_steps import ReportSteps
from qanat.runtime.stage_states import StageMeter
from qanat.runtime.stream import OrderedSteps
from qanat.runtime.stream_tables import TableSteps, TableWrite, TableWriter
from qanat.runtime.stream_topics import PublishSteps, Transform
from qanat.runtime.streamrun import StreamRun
from qanat.runtime.windows import is_stored
from qanat.session import open_to_hold
from qanat.streaming.checks import check_pipeline
from qanat.streaming.declared import noticed, tables_of, topic_named, topics_of
from qanat.streaming.settings import StreamSettings
from qanat.streaming.sources import OpenedSource, open_source
from qanat.streaming.transforming import transforming
from qanat.tables import DEAD_LETTERS, Append, Topic
from qanat.telemetry import Telemetry
from qanat.wiring import open_log

LETTERS_STAGE = "letters"
# Nobody waits for a dead letter; each commit of one would have records wait.
LETTERS_REST_S = 0.5

Opening: TypeAlias = "Callable[[Pipeline, Input, StreamSettings, Clock], OpenedSource]"
"""What opens a source from outside."""


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
    opening: "Opening" = open_source,
) -> Iterator[Assembled]:
    """Open everything that a run needs, and close it at the end.

    Args:
        pipeline: What runs.
        settings: How.
        clock: Time, for everything.
        telemetry: Where it counts.
        stop: Ends it.
        opening: What opens the stages' sources from outside.

    Raises:
        ConfigError: A setting can't be used, or the declaration doesn't hold together.
        Refused: The pipeline would count twice with this store.
        Busy: The store is in another instance's hands.
    """
    writes = check_pipeline(pipeline)
    with ExitStack() as stack:
        store = stack.enter_context(
            closing(
                open_to_hold(
                    pipeline, settings, clock, threads=settings.threads or _half_of_the_cores()
                )
            )
        )
        plan(pipeline, store.capabilities)
        store.migrate(tables_of(pipeline))
        log = stack.enter_context(
            closing(open_log(settings.log, pipeline.name, Path(settings.data_dir), clock))
        )
        log.create(topics_of(pipeline))
        parts = _Parts(
            pipeline, settings, store, log, clock, telemetry, stop, writes, stack, opening
        )
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
    opening: "Opening"

    def run(self) -> StreamRun:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        stages: list[OrderedSteps] = [self._stage(stage, owner) for stage in self.pipeline.stages]
        if any(stage.publishes for stage in self.pipeline.stages):
            stages.append(self._letters(owner))
        for steps in stages:
            steps.yields = self.store.in_demand
        meters = [steps.reading.meter for steps in stages]
        self._hold_back(stages)
        ended = threading.Event()
        return StreamRun(
            pipeline=self.pipeline.name,
            stages=stages,
            others=self._others(meters, ended),
            meters=meters,
            clock=self.clock,
            telemetry=self.telemetry,
            once=self.settings.once,
            stop=self.stop,
            ended=ended,
        )

    def _stage(self, stage: Stage, owner: str) -> OrderedSteps:
        transform = self.stack.enter_context(
            transforming(stage, self.settings.transforms, self.stop)
        )
        opened = self._open(stage)
        if stage.publishes:
            reading = self._reading(stage.name, opened, self.log, owner)
            return self._publishes(stage, opened, reading, transform)
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
        return self._ending(steps, stage, opened)

    def _publishes(
        self, stage: Stage, opened: OpenedSource, reading: Reading, transform: Transform
    ) -> OrderedSteps:
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
        return self._ending(steps, stage, opened)

    def _letters(self, owner: str) -> OrderedSteps:
        """Make the stage that brings the log's dead letters into the store."""
        opened = OpenedSource(self._topic_source(LETTER_TOPIC, LETTERS_STAGE))
        return TableSteps(
            name=LETTERS_STAGE,
            reading=self._reading(LETTERS_STAGE, opened, self.store, owner),
            committer=self._committer(LETTERS_STAGE),
            writer=TableWriter((TableWrite(DEAD_LETTERS, Append()),)),
            origin=LETTER_TOPIC.name,
            relays=True,
            rest_s=LETTERS_REST_S,
        )

    def _ending(self, steps: OrderedSteps, stage: Stage, opened: OpenedSource) -> OrderedSteps:
        """Have a stage that reads from outside end when that is silent, in a run that ends."""
        if self.settings.once and stage.input.kind != "topic":
            steps.ends = self._silent(steps.reading.meter, opened)
        return steps

    def _silent(self, meter: StageMeter, opened: OpenedSource) -> Callable[[], bool]:
        """Return what tells whether a source is silent for so long that it counts as read.

        One that nobody could reach hasn't been silent: it said nothing because nobody asked.
        """
        clock, idle_s = self.clock, float(self.settings.idle)
        heard_from_s: float | None = None

        def silent() -> bool:
            nonlocal heard_from_s
            if heard_from_s is None and opened.heard():
                heard_from_s = clock.monotonic()
            if heard_from_s is None:
                return False
            return min(meter.silent_s(), clock.monotonic() - heard_from_s) > idle_s

        return silent

    def _open(self, stage: Stage) -> OpenedSource:
        if stage.input.kind == "topic":
            topic = topic_named(self.pipeline, stage.input.name)
            return OpenedSource(self._topic_source(topic, stage.name))
        opened = self.opening(self.pipeline, stage.input, self.settings, self.clock)
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

    def _others(self, meters: Sequence[StageMeter], ended: threading.Event) -> list[Steps]:
        instance = f"{socket.gethostname()}:{os.getpid()}"
        states = StateSteps("states", self._committer("states"), meters, instance, ended)
        topics = topics_of(self.pipeline)
        trims = TrimSteps("retention", self.log, topics, self._committer("retention"), ended)
        return [states, trims, *self._reports(instance)]

    def _reports(self, instance: str) -> list[Steps]:
        stored = tuple(filter(is_stored, self.pipeline.reports))
        if not stored:
            return []
        return [ReportSteps("reports", self._committer("reports"), stored, compute, instance)]


def _waiting(readers: Sequence[StageMeter], backlog: int) -> Callable[[], str]:
    def waits() -> str:
        for meter in readers:
            if meter.lag is not None and meter.lag > backlog:
                return f"waiting for {meter.stage}: it is {meter.lag:,} records behind"
        return ""

    return waits


def _half_of_the_cores() -> int:
    """How many threads the store's engine has: stages keep the other cores busy, and a second thread on one core costs small
    commits a quarter more.
    """
    return max(1, (os.cpu_count() or 1) // 2)
