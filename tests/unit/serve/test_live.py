"""Server-sent events out, over real sockets."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import anyio
import pytest

from qanat.interfaces import Store
from qanat.listening import Listening
from qanat.runtime.stage_states import STAGE_STATES
from qanat.serve import events
from qanat.serve.app import create_app
from qanat.serve.background import answering
from qanat.serve.events import pieces
from qanat.serve.live import QUEUE_MAX, Event, Listener, Live
from qanat.serve.served import Limits, Served
from qanat.session import held
from qanat.tables import Upsert
from qanat.testing import FakeClock
from tests.unit.serve.sample import NOW, SAMPLE, make_hourly, state, write

PATIENCE_S = 30.0
LIMITS = Limits(streams_max=3, streams_per_client_max=2)


@pytest.fixture
def live(sample: Store, sample_clock: FakeClock) -> Iterator[tuple[str, Live]]:
    """The address of a service, and its events."""
    app = create_app([Served(SAMPLE, held(sample))], clock=sample_clock, limits=LIMITS)
    with answering(app, Listening("127.0.0.1", 0)) as address:
        yield address, app.state.lives[0]


@dataclass
class Client:
    """Reads events from a socket of its own."""

    connection: socket.socket
    status: int = 0
    seen: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    text: str = ""

    def read_until(self, enough: Callable[[], bool]) -> None:
        """Read until something has come; an end that comes before fails."""
        while not enough():
            got = self.connection.recv(65_536)
            assert got, self.text
            self.text += got.decode()
            self._take_apart()

    def of(self, kind: str) -> list[dict[str, object]]:
        """The data of the events of one type."""
        return [data for name, data in self.seen if name == kind]

    def _take_apart(self) -> None:
        self.seen = []
        for block in self.text.split("\n\n"):
            lines = [line.split(": ", 1) for line in block.splitlines() if ": " in line]
            fields = {line[0]: line[1] for line in lines}
            if "data" in fields and block.rstrip().endswith("}"):
                self.seen.append((fields["event"], json.loads(fields["data"])))


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Open a stream."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    assert host is not None
    assert port is not None
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        request = f"GET /api/sample/live HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        connection.sendall(request.encode())
        client = Client(connection)
        client.read_until(lambda: "\r\n\r\n" in client.text)
        client.status = int(client.text.split(" ")[1])
        yield client


def wait_for(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_told_as_it_changes(live: tuple[str, Live], sample: Store) -> None:
    """Who connects is told how things are, then what changes: states, and reports that were made; nothing twice."""
    write(sample, STAGE_STATES, [state("store")])
    with connected(live[0]) as client:
        assert 200 == client.status
        assert "content-type: text/event-stream" in client.text
        client.read_until(lambda: bool(client.of("stages")))
        (told,) = client.of("stages")
        assert [("store", 10)] == [(s["stage"], s["records"]) for s in told["states"]]  # type: ignore[attr-defined]
        later = state("store", updated_at=NOW + timedelta(seconds=1))  # which is no change
        write(sample, STAGE_STATES, [later], Upsert(STAGE_STATES.key))
        make_hourly(sample, NOW.replace(minute=0), NOW)
        client.read_until(lambda: bool(client.of("report")))
        assert {
            "name": "hourly",
            "window_end": "2026-11-22T12:00:00Z",
            "made_at": "2026-11-22T12:30:00Z",
            "revision": 1,
        } == client.of("report")[0]
        write(sample, STAGE_STATES, [state("store", records=11)], Upsert(STAGE_STATES.key))
        client.read_until(lambda: len(client.of("stages")) == 2)
        assert 11 == client.of("stages")[1]["states"][0]["records"]  # type: ignore[index]
        assert 1 == len(client.of("report"))
        assert "retry: 3000\n" in client.text
        with connected(live[0]) as second:
            second.read_until(lambda: len(second.seen) == 2)
            assert {"stages", "report"} == {kind for kind, _ in second.seen}


def test_nobody_listens(live: tuple[str, Live]) -> None:
    """The store is looked at by one, however many listen, and by none when the last has gone without a word."""
    address, hub = live
    assert not hub.looking
    with connected(address) as first:
        first.read_until(lambda: bool(first.seen))
        with connected(address) as second:
            second.read_until(lambda: bool(second.seen))
            assert (2, True) == (hub.listening, hub.looking)
        wait_for(lambda: hub.listening == 1)
        assert hub.looking
    wait_for(lambda: hub.listening == 0)
    assert not hub.looking


def test_too_many(live: tuple[str, Live]) -> None:
    """One client gets so many streams and no more, until it closes one."""
    address, hub = live
    with connected(address) as first, connected(address) as second:
        for client in (first, second):
            client.read_until(lambda: bool(client.seen))  # noqa: B023 - called before the next one
        with connected(address) as third:
            assert 429 == third.status
            assert "retry-after: 1" in third.text
    wait_for(lambda: hub.listening == 0)
    with connected(address) as fourth:
        assert 200 == fourth.status


def test_the_service_ends(sample: Store, sample_clock: FakeClock) -> None:
    """A service that ends says so to who listens, and doesn't wait for them."""
    app = create_app([Served(SAMPLE, held(sample))], clock=sample_clock)
    with answering(app, Listening("127.0.0.1", 0)) as address:
        stream = connected(address)
        client = stream.__enter__()
        client.read_until(lambda: bool(client.seen))
    client.read_until(lambda: bool(client.of("end")))
    assert [{"reason": "stopping"}] == client.of("end")
    stream.__exit__(None, None, None)


def test_slow() -> None:
    """Who is too far behind gets no more, and is told why instead of what is old."""

    async def told() -> list[bytes]:
        listener = Listener()
        for number in range(QUEUE_MAX + 5):
            listener.give(Event(number, "stages", b"{}"))
        return [piece async for piece in pieces(listener)]

    retry, end = anyio.run(told)
    assert b"retry: " in retry
    assert b'event: end\ndata: {"reason":"slow"}\n\n' == end


def test_reads_nothing(
    live: tuple[str, Live], sample: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is connected and reads nothing is hung up on, and costs nothing any more."""
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.5)
    address, hub = live
    with connected(address) as client:
        client.read_until(lambda: bool(client.seen))
        huge = {"stall_reason": "x" * 4_000_000, "stalled_since": NOW}
        for number in range(20):
            row = state("store", records=number, **huge)
            write(sample, STAGE_STATES, [row], Upsert(STAGE_STATES.key))
            time.sleep(0.5)
            if not hub.listening:
                break
        wait_for(lambda: hub.listening == 0)


def test_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens a comment shows that the connection lives."""
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)

    async def told() -> list[bytes]:
        found, listener = [], Listener()
        async for piece in pieces(listener):
            found.append(piece)
            if len(found) == 3:
                listener.end("stopping")
        return found

    assert 2 == sum(piece.startswith(b":") for piece in anyio.run(told))
