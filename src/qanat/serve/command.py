"""`qanat serve`: the HTTP service by itself, beside runs or without any."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated

import click
import msgspec

from qanat.cli.naming import PipelineType
from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.listening import Host, Listening, Port, Token
from qanat.options import load_settings, settings_command
from qanat.pipeline import Pipeline
from qanat.serve.background import serving_all
from qanat.serve.origins import origins_of
from qanat.serve.served import Served
from qanat.session import NothingYet, capabilities_of, open_session, store_text
from qanat.settings import CommonSettings
from qanat.wiring import known_pipelines, operations_of


class ServeSettings(CommonSettings, frozen=True, kw_only=True):
    """Every setting of the service."""

    host: Host = "127.0.0.1"
    port: Port = 8765
    token: Token = ""
    cors: Annotated[
        str,
        msgspec.Meta(
            description="Origins whose pages may ask, joined by commas: `https://example.org`; `*` for all."
        ),
    ] = ""


def serve(settings: ServeSettings, pipelines: Sequence[Pipeline]) -> int:
    """Serve until stopped (SIGTERM, Ctrl-C)."""
    declared = {each.name: each for each in pipelines or _there()}
    names = list(declared)
    if not names:
        raise ConfigError(
            "the store",
            store_text(settings),
            "one in which a pipeline was run",
            hint="Nothing was counted here yet; or is it --store or --data-dir? Begin with `qanat demo metering`, or name the "
            "pipeline, and it is served from the moment on when it is run.",
        )
    if len(names) == 1:
        settings = load_settings(ServeSettings, _given(), pipeline=names[0])
    listening = Listening(settings.host, settings.port, settings.token)
    origins = origins_of(settings.cors)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        several = [_served(stack, each) for each in declared.values()]
        address = stack.enter_context(serving_all(several, listening, cors=origins))
        told = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} served at {address}"
        sys.stdout.write(f"{told}, documented at {address}/docs\n")
        sys.stdout.flush()
        while not stop.wait(1.0):  # in short waits, so that Windows sees Ctrl-C
            pass
    return 0


def _there() -> Iterator[Pipeline]:
    """Yield the pipelines of which the settings' store knows anything."""
    for known in known_pipelines():
        if known.pipeline is None:
            continue
        settings = load_settings(CommonSettings, _common(), pipeline=known.pipeline.name)
        try:
            with open_session(known.pipeline, settings, SystemClock()) as session:
                session.query("select 1 as there")
        except NothingYet:
            continue
        yield known.pipeline


def _served(stack: ExitStack, declared: Pipeline) -> Served:
    """Open a pipeline by its own settings: qanat.toml may give it a store of its own."""
    settings = load_settings(CommonSettings, _common(), pipeline=declared.name)
    operations = operations_of(declared)
    session = open_session(declared, settings, SystemClock(), operations=operations)
    return Served(declared, stack.enter_context(session), capabilities=capabilities_of(settings))


def _given() -> dict[str, object]:
    """What the command line says of the service's settings."""
    given = click.get_current_context().params
    return {name: value for name, value in given.items() if name != "pipelines"}


def _common() -> dict[str, object]:
    known = {field.name for field in msgspec.structs.fields(CommonSettings)}
    return {name: value for name, value in _given().items() if name in known}


SERVE = settings_command(
    "serve",
    ServeSettings,
    serve,
    help="Answer over HTTP: reports, look-ups, tables, stages, dead letters, metrics. Without a name: every pipeline that was "
    "run here.",
    pipeline=None,
    extra_params=[
        click.Argument(["pipelines"], type=PipelineType(), nargs=-1, metavar="[PIPELINE]...")
    ],
)
