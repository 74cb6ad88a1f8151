"""`qanat demo NAME` for pipelines of streams: a recording is played to a local server, and read from there like any stream."""

import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from qanat.errors import ConfigError
from qanat.listening import Host, Listening, Token
from qanat.options import SettingsCommand, settings_command
from qanat.pipeline import Pipeline
from qanat.resources import resource
from qanat.service.service import Service
from qanat.settings import CommonSettings, Duration, Place
from qanat.streaming.assembly import Assembled, assembled
from qanat.streaming.display import display
from qanat.streaming.recorded import RecordedClock, feeding, last_full_hour, recorded_events
from qanat.streaming.run import answering
from qanat.streaming.settings import StreamSettings, Transforms
from qanat.telemetry import Telemetry
from qanat.testing.sse_server import SseServer

LOOK_EVERY_S = 0.2


class StreamDemoSettings(CommonSettings, frozen=True, kw_only=True):
    """What the demo of a pipeline of streams can be told."""

    recording: Annotated[
        Path | None,
        msgspec.Meta(
            description="Another recording than the one that ships: a file `.sse` or `.sse.zst`."
        ),
    ] = None
    speed: Annotated[
        float,
        msgspec.Meta(description="So many times as fast as it was recorded.", gt=0, le=100_000),
    ] = 60.0
    lasting: Annotated[
        Duration, msgspec.Meta(description="End by itself after so long; 0: until Ctrl-C.")
    ] = Duration(0.0)
    browser: Annotated[
        bool, msgspec.Meta(description="Open the page in a browser, where there is a terminal.")
    ] = True
    host: Host = "127.0.0.1"
    port: Annotated[
        int, msgspec.Meta(description="The port of the page; 0 for any free one.", ge=0, le=65535)
    ] = 0
    token: Token = ""
    keep: Annotated[
        bool, msgspec.Meta(description="Keep database and log in --data-dir, to look around in.")
    ] = False


def demo(pipeline: Pipeline, settings: StreamDemoSettings) -> int:
    """Play the recording until it is stopped, or for as long as was asked."""
    listening = Listening(settings.host, settings.port, settings.token)
    events = recorded_events(_recording(pipeline, settings))
    live_from = last_full_hour(events)
    before = [event for event in events if event.at_ms < live_from.timestamp() * 1000]
    telemetry, stop = Telemetry(), threading.Event()
    service = Service(stop, 10.0)
    with ExitStack() as stack:
        stack.enter_context(service.running())
        place = stack.enter_context(_place(settings))
        server = stack.enter_context(SseServer(before))
        _say(f"Playing {len(events):,} recorded events; {len(before):,} of them are history.")
        clock = RecordedClock(live_from, settings.speed)
        run_settings = StreamSettings(
            input=Place(server.url),
            data_dir=place,
            store=settings.store,
            store_memory=settings.store_memory,
            log_level=settings.log_level,
            log_format=settings.log_format,
            transforms=Transforms.THREAD,
        )
        parts = stack.enter_context(assembled(pipeline, run_settings, clock, telemetry, stop))
        address = answering(stack, pipeline, run_settings, parts.store, clock, telemetry, listening)
        over = stack.enter_context(feeding(server.history, events[len(before) :], clock))
        if address is not None:
            _show(settings, pipeline, address)
        ending = threading.Thread(
            target=_end, args=(settings, stop, over, len(events), parts), name="ending", daemon=True
        )
        ending.start()
        with display(parts.run, sys.stderr):
            parts.run.run()
        ending.join()
    _say(_concluded(parts))
    return 0


def _recording(pipeline: Pipeline, settings: StreamDemoSettings) -> Path:
    if settings.recording is not None:
        return settings.recording
    if not pipeline.recording:
        raise ConfigError(
            "--recording", None, "a file `.sse`", hint=f"{pipeline.name} ships none of its own."
        )
    return Path(str(resource(pipeline.recording)))


@contextmanager
def _place(settings: StreamDemoSettings) -> Iterator[Path]:
    if settings.keep:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        yield settings.data_dir
        return
    with tempfile.TemporaryDirectory(prefix="qanat-demo-") as name:
        yield Path(name)


def _show(settings: StreamDemoSettings, pipeline: Pipeline, address: str) -> None:
    page = f"{address}/pipelines/{pipeline.name}"
    _say(f"The page: {page}   (Ctrl-C ends the demo)")
    if settings.browser and sys.stdout.isatty():
        webbrowser.open(page)


def _end(
    settings: StreamDemoSettings,
    stop: threading.Event,
    over: threading.Event,
    count: int,
    parts: Assembled,
) -> None:
    """Say when the recording is over, and end the run when its time has come."""
    deadline_s = time.monotonic() + float(settings.lasting)
    told = False
    while not stop.wait(LOOK_EVERY_S):
        if over.is_set() and not told and parts.run.meters[0].records >= count:
            told = True
            _say("The recording is over; the page stays until Ctrl-C.")
        if settings.lasting and time.monotonic() >= deadline_s:
            stop.set()


def _concluded(parts: Assembled) -> str:
    told = ", ".join(f"{meter.stage} {meter.records:,}" for meter in parts.run.meters)
    return f"Records: {told}."


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def command(pipeline: Pipeline) -> SettingsCommand:
    """Make the command of one pipeline."""
    return settings_command(
        pipeline.name,
        StreamDemoSettings,
        lambda settings: demo(pipeline, settings),
        help=f"{pipeline.title}: play a recording, and look at it in the browser.",
        pipeline=None,
    )
