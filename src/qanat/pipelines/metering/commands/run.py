"""`qanat run metering`."""

import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from qanat.clock import SystemClock
from qanat.interfaces import Store
from qanat.listening import Listening
from qanat.options import settings_command, settings_reader
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.announcing import address_of, announcing
from qanat.pipelines.metering.assembly import Assembled, assembled
from qanat.pipelines.metering.display import described, display
from qanat.pipelines.metering.live import RELOADABLE, Live
from qanat.pipelines.metering.operations import operations
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.files import Summary
from qanat.runtime.heaps import bound_heaps
from qanat.service.service import Service
from qanat.service.watch import Watch
from qanat.session import Operation, held, owning
from qanat.telemetry import Telemetry
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Serving = Callable[..., AbstractContextManager[str]]


def run(settings: RunSettings) -> int:
    """Run until stopped (SIGTERM, Ctrl-C), or with --once until the folder is drained; return the exit code."""
    bound_heaps()
    clock, telemetry, stop = SystemClock(), Telemetry(), threading.Event()
    service = Service(stop, float(settings.stop_timeout))
    read_again = settings_reader(RunSettings, pipeline=PIPELINE.name)
    listening = Listening(settings.host, settings.port, settings.token) if settings.serve else None
    address = address_of(settings)
    with ExitStack() as stack:
        stack.enter_context(service.running())
        parts = stack.enter_context(assembled(settings, clock, telemetry, stop))
        offered = operations(clock, telemetry)
        stack.enter_context(owning(parts.store, PIPELINE, settings, clock, offered))
        if address is not None:
            stack.enter_context(announcing(address, parts))
        if listening is not None:
            _serve(stack, parts.store, offered, listening, telemetry)
        live = Live(parts, service.stopping)
        service.reloads(settings, read_again, live.apply, RELOADABLE)
        stack.enter_context(service.watched(_watch(service, parts)))
        with display(parts.run.progress, settings.progress):
            summary = parts.run.run()
    code = _report(summary)
    # What failed was told when it failed. A service that ends because it was asked to has done what it should.
    return code if settings.once or not service.stopping.asked else 0


def _watch(service: Service, parts: Assembled) -> Watch:
    run = parts.run
    return Watch(service.notifier, run.pulses, run.first_look, lambda: described(run.progress))


def _serve(
    stack: ExitStack,
    store: Store,
    offered: Mapping[str, Operation],
    listening: Listening,
    telemetry: Telemetry,
) -> None:
    serving = cast("Serving", load("qanat.serve.background:serving"))
    stack.enter_context(serving(PIPELINE, held(store, offered), listening, telemetry))


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
