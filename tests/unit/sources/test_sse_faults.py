"""Whatever a server of events does wrong, every event arrives, over one connection at a time."""

import contextlib
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from qanat.errors import ConfigError, Fatal
from qanat.testing.sse_faults import Again, Answer, Chaos, Cut, End, Fault, Garbage, Stall, Trickle
from qanat.testing.sse_server import Manners, SseServer
from tests.unit.sources.sse_kit import (
    PATIENCE_S,
    batches,
    events,
    new_ones,
    numbers,
    read_to,
    reading,
    until,
)

COUNT = 60


@pytest.mark.parametrize(
    "fault",
    [End(10), Cut(10), Stall(10), Garbage(10), Again(10), Trickle(10), Cut(0), End(0)],
    ids=repr,
)
@pytest.mark.parametrize("chunked", [False, True])
def test_one_fault(fault: Fault, chunked: bool) -> None:
    """All events come, in order, whatever happens to a connection."""
    with SseServer(events(COUNT), Manners(chunked=chunked)) as server:
        server.faults.then(fault)
        with reading(server, read_timeout_s=0.3) as source:
            assert list(range(COUNT)) == new_ones(read_to(source, COUNT - 1)[0])
            until(lambda: server.connected <= 1)


@pytest.mark.parametrize("status", [403, 408, 429, 500, 502, 503, 200])
def test_turned_away_for_now(status: int) -> None:
    """Turned away some times, it tries again; an answer that isn't a stream (200) is no other thing."""
    with SseServer(events(3)) as server:
        server.faults.then(*[Answer(status)] * 4)
        with reading(server) as source:
            assert [0, 1, 2] == read_to(source, 2)[0]
        assert [status] * 4 == [visit.status for visit in server.visits[:4]]
        assert 1 == server.connections - (4 if status == 200 else 0)


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (Answer(429, "7"), 7.0),
        (Answer(503, "7"), 7.0),
        (Answer(503, "Tue, 17 Mar 2026 10:21:30 GMT"), 60.0),
        (Answer(429, "999999"), 3600.0),
        (Answer(429, "soon"), 0.005),
    ],
    ids=repr,
)
def test_retry_after(answer: Answer, wait_s: float) -> None:
    """The server says how long to wait; that is bounded, and an answer that nobody understands is none."""
    with SseServer(events(3)) as server:
        server.faults.then(*[answer] * 100)
        with reading(server) as source:
            until(lambda: source.condition().retry_at)
            condition = source.condition()
            assert condition.retry_at is not None
            waited = condition.retry_at - source._clock.now()
            assert timedelta(seconds=wait_s) <= waited <= timedelta(seconds=max(wait_s, 0.02))
            assert not condition.connected
            assert str(answer.status) in condition.problem


def test_forbidden_says_why() -> None:
    """A server that turns away strangers goes on being asked, and the condition says what to do."""
    with SseServer(events(3)) as server:
        server.faults.then(*[Answer(403)] * 500)
        with reading(server) as source:
            until(lambda: source.condition().retries >= 3)
            assert "user agent with a contact" in source.condition().problem
            assert source.poll(10, 0.0) is None
            server.faults.script.clear()
            assert [0, 1, 2] == read_to(source, 2)[0]
            until(lambda: source.condition().connected)
            assert "" == source.condition().problem


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_wrong_request(status: int) -> None:
    """What can't mend itself ends the source, with what to check, and without a password."""
    with SseServer(events(3)) as server:
        server.faults.then(Answer(status))
        url = server.url.replace("http://", "http://me:secret@")
        with reading(server, url=url) as source:
            with pytest.raises(ConfigError, match="URL") as refused:
                source.poll(10, PATIENCE_S)
            assert str(status) in refused.value.hint
            assert "secret" not in str(refused.value)
        assert "Basic bWU6c2VjcmV0" == server.visits[0].headers["authorization"]


def test_unknown_stream() -> None:
    """The server itself says so."""
    with (
        SseServer(events(3)) as server,
        reading(server, url=server.url + ",page-crate") as source,
        pytest.raises(ConfigError, match="page-crate"),
    ):
        source.poll(10, PATIENCE_S)


def test_no_content() -> None:
    """204 is the standard's way to say that a stream has ended for good."""
    with SseServer(events(3)) as server:
        server.faults.then(Answer(204))
        with reading(server) as source, pytest.raises(Fatal, match="ended"):
            source.poll(10, PATIENCE_S)


def test_nobody_there() -> None:
    """A server that is down is waited for."""
    with SseServer(events(3)) as server:
        port = server.port
    later = None
    with reading(server) as source:
        until(lambda: source.condition().retries >= 2)
        assert "refused" in source.condition().problem
        later = SseServer(events(3), port=port)
        with later:
            assert [0, 1, 2] == read_to(source, 2)[0]


def test_too_many_connections() -> None:
    """429 for who is one too many, until there is room."""
    with SseServer(events(3), Manners(connections_max=1)) as server, reading(server) as first:
        read_to(first, 2)
        with reading(server) as second:
            until(lambda: "429" in second.condition().problem)
            first.close()
            until(lambda: server.connected == 0)
            assert [0, 1, 2] == read_to(second, 2)[0]


def test_server_asks_for_a_wait() -> None:
    """`retry:` is how long to wait for the next connection."""
    with (
        SseServer(events(3), Manners(end_at_last=True, retry_ms=123_456)) as server,
        reading(server) as source,
    ):
        read_to(source, 2)
        until(lambda: not source.condition().connected)
        assert 123_456 == source._reader._retry_ms  # type: ignore[union-attr]  # it is open
        assert 1 == server.connections


def test_an_event_without_end() -> None:
    """An event beyond the limit is told, cut, and the next ones come."""
    with SseServer(events(20)) as server:
        server.faults.then(Garbage(10, b"data: " + b"x" * 100_000 + b"\n\n"))
        with reading(server, event_size_max_bytes=2000) as source:
            found: list[int] = []
            types: list[str] = []
            for batch in batches(source):
                found += numbers(batch)
                types += batch.rows.column("event").to_pylist()
                if 19 in found:
                    break
            assert list(range(20)) == found
            assert 1 == types.count("qanat.too_large")


def test_comments_keep_alive() -> None:
    """A connection on which only comments come is alive."""
    with (
        SseServer(events(1), Manners(keep_alive_s=0.01)) as server,
        reading(server, read_timeout_s=PATIENCE_S) as source,
    ):
        read_to(source, 0)
        source._clock.advance(5)  # type: ignore[attr-defined]  # a test's clock
        now = source._clock.now()
        until(lambda: source.condition().heard_at == now)
        assert 1 == server.connections
        assert source.poll(10, 0.0) is None


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_line_ends(newline: bytes) -> None:
    """Each of the three line ends."""
    with SseServer(events(30), Manners(newline=newline)) as server, reading(server) as source:
        assert list(range(30)) == read_to(source, 29)[0]


@pytest.mark.parametrize("seed", range(3))
def test_chaos(seed: int) -> None:
    """All of it at once: every event comes, first in order, and one connection is left."""
    count = 3000
    chaos = Chaos(seed, every=150)
    with (
        SseServer(events(count), faults=chaos) as server,
        reading(server, read_timeout_s=0.1) as source,
    ):
        found: list[int] = []
        for batch in batches(source):
            found += numbers(batch)
            if count - 1 in found:
                break
        assert list(range(count)) == new_ones(found)
        assert server.connections > 3
        until(lambda: server.connected <= 1)


def test_wake() -> None:
    """Who waits is woken, and the next one waits again."""
    with SseServer() as server, reading(server) as source:
        threading.Timer(0.05, source.wake).start()
        assert source.poll(10, PATIENCE_S) is None
        source.wake()
        assert source.poll(10, PATIENCE_S) is None
        server.history.add(*events(1))
        assert [0] == read_to(source, 0)[0]


def test_events_come_at_once() -> None:
    """A poll returns with the one event there is; it doesn't wait for more."""
    with SseServer() as server, reading(server) as source:
        for number, event in enumerate(events(20)):
            server.history.add(event)
            batch = source.poll(1000, PATIENCE_S)
            assert batch is not None
            assert [number] == numbers(batch)


@pytest.mark.parametrize("fault", [Stall(0), None])
def test_close_ends_the_connection(fault: Fault | None) -> None:
    """Closed, it leaves; closed twice, it is harmless; and it can't be polled by mistake."""
    with SseServer(events(3)) as server:
        if fault:
            server.faults.then(fault)
        with reading(server) as source:
            until(lambda: source.condition().heard_at)
            source.close()
            source.close()
            with pytest.raises(Fatal, match="closed"):
                source.poll(1, 0.0)
            assert not source.condition().connected
            until(lambda: server.connected == 0)
            assert not [each for each in threading.enumerate() if each.name == "sse-reader"]


def test_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy that the environment names is asked, for the whole address."""
    with SseServer(events(3)) as server:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{server.port}")
        url = "http://stream.example/v2/stream/page-create"
        with reading(server, url=url) as source:
            assert [0, 1, 2] == read_to(source, 2)[0]
        assert url == server.visits[0].target
        assert "Basic bWU6c2VjcmV0" == server.visits[0].headers["proxy-authorization"]


def test_unknown_certificate(certificate: Path) -> None:
    """A server that can't be trusted is given nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with contextlib.suppress(OSError), connection:
                    asked.append(context.wrap_socket(connection, server_side=True).recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener, SseServer() as server:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with reading(server, url=url) as source:
            until(lambda: "certificate" in source.condition().problem.lower())
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)
    assert [] == asked
