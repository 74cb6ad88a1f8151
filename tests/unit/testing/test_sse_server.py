"""The local server of server-sent events: what it holds, what it answers, and that it can be played from a file."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from qanat.sources.sse import SseOptions, SseSource
from qanat.testing import FakeClock
from qanat.testing.sse_events import (
    Recording,
    SseEvent,
    frame,
    read_recording,
    repeated,
    shuffled,
    wikimedia_id,
    write_recording,
)
from qanat.testing.sse_faults import Chaos
from qanat.testing.sse_history import History, Start
from qanat.testing.sse_server import Manners, SseServer
from tests.unit.sources.sse_kit import START_MS, events, new_ones, read_to, reading

A, B = "eqiad.mediawiki.page-create", "codfw.mediawiki.page-create"


def get(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a request that ends."""
    fields = {"User-Agent": "tests", **{key.replace("_", "-"): v for key, v in headers.items()}}
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", url, headers=fields, retries=False)
        return answer.status, answer.data


@pytest.mark.parametrize("suffix", [".sse", ".sse.zst"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_recordings(tmp_path: Path, suffix: str, newline: bytes) -> None:
    """A recording is what was on the wire, and is served byte by byte."""
    path = tmp_path / f"stream{suffix}"
    write_recording(path, events(20), newline)
    recording = read_recording(path)
    assert 20 == len(recording)
    assert all(recording[n].startswith(b"event: message" + newline) for n in range(20))
    with SseServer(recording, Manners(end_at_last=True)) as server:
        status, body = get(server.url)
        assert (200, b":ok\n\n" + b"".join(recording[n] for n in range(20))) == (status, body)
        with reading(server) as source:
            found, position = read_to(source, 19)
            assert list(range(20)) == new_ones(found)
        with reading(server, position) as source:
            assert [19] == read_to(source, 19)[0]


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b"", 0),
        (b":ok\n\n", 0),
        (b": hello\ndata: a\n\n", 1),
        (b"data: a\n\ndata: b\n\ndata: unfinished\n", 2),
        (b":ok\r\n\r\ndata: a\r\n\r\n", 1),
    ],
)
def test_frames(raw: bytes, count: int) -> None:
    """A frame ends with a blank line; what isn't finished, and the greeting, are none."""
    assert count == len(Recording(raw))


def test_ids() -> None:
    """The time in an id is that of the last event plus 1, and -1 the end."""
    assert (
        b'[{"topic":"a","partition":0,"timestamp":6},{"topic":"b","partition":0,"offset":-1}]'
        == wikimedia_id({"a": 5, "b": None})
    )
    assert b"event: message\nid: 7\ndata: a\ndata: b\n\n" == frame(SseEvent(b"a\nb"), b"7")


def test_resumes_topic_by_topic() -> None:
    """Each topic begins at or after its time; at the end where none, or no later one, is asked for."""
    history = History([SseEvent(b"x", at, topic) for at, topic in [(1, A), (2, B), (3, A), (4, B)]])

    def at(times: dict[str, int | None]) -> Start:
        return history.resume(wikimedia_id(times))

    assert Start(2, {}) == at({A: 2, B: 3})
    assert Start(0, {(B, 0): 3}) == at({A: 0, B: 3})
    assert Start(0, {(B, 0): 4}) == at({A: 0, B: None})
    assert Start(4, {}) == at({A: None, B: None})
    history.forget(3)
    assert Start(3, {}) == at({A: 0, B: 0})
    assert 3 == history.since(0)


def test_answers() -> None:
    """Who asks for what isn't there, or doesn't say who it is, is told so."""
    with SseServer(events(3), Manners(end_at_last=True)) as server:
        assert 400 == get(server.url + "s")[0]
        assert 404 == get(server.url.replace("/v2/stream", "/v2"))[0]
        assert 400 == get(server.url + "?since=yesterday")[0]
        assert 403 == get(server.url, User_Agent="")[0]
        status, body = get(server.url + "?since=2025-09-06T03:28:55Z")
        assert (200, 1) == (status, body.count(b"data:"))
        assert [400, 404, 400, 403, 200] == [visit.status for visit in server.visits]
        assert 1 == server.connections


def test_chunks() -> None:
    """In HTTP's chunks it is the same body."""
    with SseServer(events(50), Manners(end_at_last=True)) as plain:
        expected = get(plain.url)
    with SseServer(events(50), Manners(end_at_last=True, chunked=True)) as server:
        assert expected == get(server.url)


def test_disorder_is_bounded_and_repeatable() -> None:
    """No event comes after one that is later by more than the window; a seed makes one order."""
    ordered = events(200)
    found = shuffled(ordered, 10_000, seed=1)
    assert found != ordered
    assert found == shuffled(ordered, 10_000, seed=1)
    latest = 0
    for event in found:
        latest = max(latest, event.at_ms)
        assert event.at_ms > latest - 10_000
    assert set(found) == set(ordered)
    assert 200 < len(list(repeated(ordered, 0.2, seed=1))) < 300


def test_chaos_is_repeatable() -> None:
    """A seed makes the same faults, connection by connection."""

    def some(seed: int) -> list[str]:
        chaos = Chaos(seed, every=10)
        found = []
        for _ in range(20):
            step = chaos.next()
            faults = [step] if not hasattr(step, "__next__") else [next(step) for _ in range(3)]
            found.append(repr(faults))
        return found

    assert some(1) == some(1) != some(2)


def test_as_a_process(tmp_path: Path) -> None:
    """It prints its address, serves the file, and ends when asked to."""
    path = tmp_path / "stream.sse.zst"
    write_recording(path, events(100))
    command = [sys.executable, "-m", "qanat.testing.sse_server", str(path), "--chaos-every", "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        options = SseOptions(url, "tests", backoff_first_s=0.01, read_timeout_s=0.5)
        source = SseSource(options, FakeClock())
        source.open({"0": None})
        assert list(range(100)) == new_ones(read_to(source, 99)[0])
        source.close()
        server.send_signal(signal.SIGTERM)
        assert 0 == server.wait(30)


def test_pace() -> None:
    """At a rate the events come one by one, in order."""
    with SseServer(events(20), Manners(rate=2000)) as server, reading(server) as source:
        assert list(range(20)) == read_to(source, 19)[0]
    assert START_MS == events(1)[0].at_ms
