"""The service in a thread of its own, beside a run."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from qanat.clock import Clock
from qanat.errors import ConfigError, Fatal
from qanat.listening import Listening
from qanat.pipeline import Pipeline
from qanat.serve.app import create_app
from qanat.serve.origins import hosts_of
from qanat.serve.served import Served
from qanat.session import Session
from qanat.telemetry import Telemetry, log

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5
# Connections that wait to be accepted.
BACKLOG = 512
# So long a thread keeps the interpreter while others wait for it. An answer takes it some ten times, and a run's threads keep it
# for milliseconds. Beside a thread that computes half of the time the p99 of reports was 13.6 ms with Python's own 5 ms, and 5.1
# and 6.5 ms with this one.
SWITCH_INTERVAL_S = 0.001


@contextmanager
def serving(
    pipeline: Pipeline,
    session: Session,
    listening: Listening,
    telemetry: Telemetry | None = None,
    clock: Clock | None = None,
) -> Iterator[str]:
    """Answer requests about one pipeline until the end of the context; gives the address.

    Raises:
        ConfigError: The address can't be used.
    """
    served = Served(pipeline, session, telemetry)
    with serving_all([served], listening, clock=clock) as address:
        yield address


@contextmanager
def serving_all(
    several: Sequence[Served],
    listening: Listening,
    *,
    cors: Sequence[str] = (),
    clock: Clock | None = None,
) -> Iterator[str]:
    """Answer requests about several pipelines until the end of the context; gives the address.

    Raises:
        ConfigError: The address can't be used.
    """
    hosts = hosts_of(listening, cors)
    app = create_app(several, token=listening.token, cors=cors, hosts=hosts, clock=clock)
    with answering(app, listening) as address:
        yield address


@contextmanager
def answering(app: FastAPI, listening: Listening) -> Iterator[str]:
    """Have an application (see `create_app`) answer requests until the end of the context; gives the address.

    Raises:
        ConfigError: The address can't be used.
    """
    with _bound(listening) as bound, _switching_soon():
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=STOP_TIMEOUT_S
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([bound],), name="serve", daemon=True)
        thread.start()
        try:
            _await_start(server, thread)
            address = f"http://{listening.host}:{bound.getsockname()[1]}"
            log("serve.listening", address=address)
            yield address
        finally:
            server.should_exit = True
            _await_stop(app, thread)


@contextmanager
def _switching_soon() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(min(before_s, SWITCH_INTERVAL_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def _await_stop(app: FastAPI, thread: threading.Thread) -> None:
    deadline_s = time.monotonic() + STOP_TIMEOUT_S + 1
    while thread.is_alive() and time.monotonic() < deadline_s:
        for live in app.state.lives:
            live.stop()  # again and again: somebody may still have come
        thread.join(0.1)


def _bound(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # With its protocol, which `socket.create_server` leaves out: asyncio sends small packets at once only for sockets that name
    # TCP. Without, head and body of an answer went apart by the 40 ms of a delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two listen
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listening.host, listening.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError(
            "--port",
            listening.port,
            f"free on {listening.host} ({error.strerror})",
            "0 takes any free port.",
        ) from error
    return bound


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline_s:
            raise Fatal("the HTTP service didn't start")
        time.sleep(0.01)
