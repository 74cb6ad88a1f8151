"""`qanat run NAME` for pipelines of streams."""

import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from qanat.clock import Clock, SystemClock
from qanat.interfaces import Store
from qanat.listening import Listening
from qanat.options import SettingsCommand, settings_command
from qanat.pipeline import Pipeline
from qanat.runtime.heaps import bound_heaps
from qanat.service.service import Service
from qanat.service.watch import Watch
from qanat.session import held, owning
from qanat.streaming.assembly import Assembled, assembled
from qanat.streaming.display import described, display
from qanat.streaming.operations import operations
from qanat.streaming.settings import StreamSettings
from qanat.telemetry import Telemetry
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Serving = Callable[..., AbstractContextManager[str]]


def run(pipeline: Pipeline, settings: StreamSettings) -> int:
    """Run until stopped (SIGTERM, Ctrl-C), or with --once until the source is read; return the exit code."""
    bound_heaps()
    clock, telemetry, stop = SystemClock(), Telemetry(), threading.Event()
    service = Service(stop, float(settings.stop_timeout))
    listening = Listening(settings.host, settings.port, settings.token) if settings.serve else None
    with ExitStack() as stack:
        stack.enter_context(service.running())
        parts = stack.enter_context(assembled(pipeline, settings, clock, telemetry, stop))
        answering(stack, pipeline, settings, parts.store, clock, telemetry, listening)
        stack.enter_context(service.watched(_watch(service, parts)))
        with display(parts.run, sys.stderr):
            parts.run.run()
    _report(parts)
    return 0


def answering(
    stack: ExitStack,
    pipeline: Pipeline,
    settings: StreamSettings,
    store: Store,
    clock: Clock,
    telemetry: Telemetry,
    listening: Listening | None,
) -> str | None:
    """Answer for the store until the end of `stack`, over HTTP as well where asked; return the address."""
    offered = operations(pipeline, clock, telemetry)
    stack.enter_context(owning(store, pipeline, settings, clock, offered))
    if listening is None:
        return None
    serving = cast("Serving", load("qanat.serve.background:serving"))
    session = held(store, offered)
    address = stack.enter_context(serving(pipeline, session, listening, telemetry, clock))
    sys.stderr.write(f"{pipeline.name} is served at {address}\n")
    return address


def _watch(service: Service, parts: Assembled) -> Watch:
    run = parts.run
    return Watch(service.notifier, run.pulses, run.first_look, lambda: described(run))


def _report(parts: Assembled) -> None:
    told = ", ".join(f"{meter.stage} {meter.records:,}" for meter in parts.run.meters)
    sys.stderr.write(f"records: {told}\n")


def command(pipeline: Pipeline) -> SettingsCommand:
    """Make the command of one pipeline."""
    return settings_command(
        pipeline.name,
        StreamSettings,
        lambda settings: run(pipeline, settings),
        help=f"{pipeline.title}: read the stream, each record counts exactly once.",
        pipeline=pipeline.name,
    )
