"""`qanat run metering`."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, cast

from qanat.clock import Clock, SystemClock
from qanat.listening import Listening
from qanat.options import settings_command
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.announcing import address_of, announcing
from qanat.pipelines.metering.assembly import assembled
from qanat.pipelines.metering.display import display
from qanat.pipelines.metering.operations import operations
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.files import Summary
from qanat.session import open_session, owning
from qanat.telemetry import Telemetry
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Serving = Callable[..., AbstractContextManager[str]]


def run(settings: RunSettings) -> int:
    """Run until stopped (SIGTERM, Ctrl-C), or with --once until the folder is drained; return the exit code."""
    clock, telemetry, stop = SystemClock(), Telemetry(), threading.Event()
    listening = Listening(settings.host, settings.port, settings.token) if settings.serve else None
    address = address_of(settings)
    with ExitStack() as stack:
        stack.enter_context(_stopped_by_signals(stop))
        parts = stack.enter_context(assembled(settings, clock, telemetry, stop))
        offered = operations(clock, telemetry)
        stack.enter_context(owning(parts.store, PIPELINE, settings, clock, offered))
        if address is not None:
            stack.enter_context(announcing(address, parts))
        if listening is not None:
            _serve(stack, settings, listening, clock, telemetry)
        with display(parts.run.progress, settings.progress):
            summary = parts.run.run()
    return _report(summary)


def _serve(
    stack: ExitStack,
    settings: RunSettings,
    listening: Listening,
    clock: Clock,
    telemetry: Telemetry,
) -> None:
    serving = cast("Serving", load("qanat.serve.background:serving"))
    session = stack.enter_context(
        open_session(PIPELINE, settings, clock, operations=operations(clock, telemetry))
    )
    stack.enter_context(serving(PIPELINE, session, listening, telemetry))


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C into an orderly stop: the work in hand is given back, nothing half done is kept."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(summary: Summary) -> int:
    told = ", ".join(f"{count} {state}" for state, count in sorted(summary.ended.items()))
    sys.stderr.write(f"files: {told or 'none'}\n")
    for problem in summary.problems:
        sys.stderr.write(f"  {problem}\n")
    return 1 if summary.problems else 0


RUN = settings_command(
    "metering",
    RunSettings,
    run,
    help="Sum the files that arrive in a folder; each line counts exactly once.",
    pipeline=PIPELINE.name,
)
