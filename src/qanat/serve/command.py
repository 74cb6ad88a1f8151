"""`qanat serve`: the HTTP service by itself, beside a run or without one."""

import signal
import sys
import threading
from typing import Annotated

import msgspec

from qanat.cli.naming import pipeline_argument
from qanat.clock import SystemClock
from qanat.listening import Listening
from qanat.options import settings_command
from qanat.pipeline import Pipeline
from qanat.serve.background import serving
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.wiring import operations_of


class ServeSettings(CommonSettings, frozen=True, kw_only=True):
    """Every setting of the service."""

    host: Annotated[
        str,
        msgspec.Meta(description="Where to listen; elsewhere than on loopback a token is needed."),
    ] = "127.0.0.1"
    port: Annotated[
        int, msgspec.Meta(description="The port; 0 for any free one.", ge=0, le=65535)
    ] = 8765
    token: Annotated[
        str, msgspec.Meta(description="What clients must send as `Authorization: Bearer …`.")
    ] = ""


def serve(settings: ServeSettings, pipeline: Pipeline) -> int:
    """Serve until stopped (SIGTERM, Ctrl-C)."""
    listening = Listening(settings.host, settings.port, settings.token)
    operations = operations_of(pipeline)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with (
        open_session(pipeline, settings, SystemClock(), operations=operations) as session,
        serving(pipeline, session, listening) as address,
    ):
        sys.stdout.write(f"{pipeline.name} is served at {address}, documented at {address}/docs\n")
        sys.stdout.flush()
        while not stop.wait(1.0):  # in short waits, so that Windows sees Ctrl-C
            pass
    return 0


SERVE = settings_command(
    "serve",
    ServeSettings,
    serve,
    help="Answer over HTTP: totals, usage, files, dead letters, metrics.",
    pipeline=None,
    extra_params=[pipeline_argument(default="metering")],
)
