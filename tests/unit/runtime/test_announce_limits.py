"""Whoever may announce may also be broken, slow or malicious: it costs a bounded time and memory, and registers nothing."""

import os
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.runtime.announce_client import announce
from qanat.runtime.announce_server import AnnounceLimits
from qanat.runtime.announce_words import Word
from tests.unit.runtime.announcing import (
    ANSWERED_S_MAX,
    ask,
    connected,
    listening,
    registered,
    said,
)
from tests.unit.runtime.plain_files import Place

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Python has no UNIX sockets there")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A path for a socket, which may not be long."""
    monkeypatch.chdir(tmp_path)
    return Path("a.sock")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "garbage"),
        (b"\0\n", "garbage"),
        (b"a\0.txt\n", "garbage"),
        (b"{\n", "garbage"),
        (b"{}\n", "garbage"),
        (b'{"file": 7}\n', "garbage"),
        (b'{"file": ""}\n', "garbage"),
        (b'{"file": "\\ud800"}\n', "garbage"),
        (b"{" * 20_000 + b"\n", "garbage"),
        (b"\xff\xfe\x01GET / HTTP/1.1\n", "outside"),
        (b"GET\n", "missing"),
        (b"/etc/passwd\n", "outside"),
        (b"a.txt", "cut"),
        (b"a", "cut"),
        (b"a" * 200 + b"\n", "missing"),
        (b"a" * 5000 + b"\n", "name"),
        (b"a" * 40_000 + b"\n", "too-long"),
    ],
)
def test_garbage(line: bytes, reason: str, place: Place, short: Path) -> None:
    """What names no file of the folder, wholly, is refused with the reason, and registers nothing."""
    place.put("a.txt", "x")
    with listening(place, short):
        answer = ask(short, line)
    assert ("refused", reason) == (answer["answer"], answer["reason"])
    assert answer["message"]
    assert [] == registered(place)


@pytest.mark.parametrize(
    "line", [b"a.txt\n", b"./a.txt\nb.txt\n", b'{"file": "a.txt", "later": [1]}\n']
)
def test_one_line(line: bytes, place: Place, short: Path) -> None:
    """A connection is good for one line, plain or JSON; what follows isn't read."""
    place.put("a.txt", "x")
    place.put("b.txt", "y")
    with listening(place, short):
        assert "ok" == ask(short, line)["answer"]
    assert ["a.txt"] == registered(place)


def test_disconnected_in_the_middle(place: Place, short: Path) -> None:
    """Writers that hang up, before a word, in a word, or before the answer, disturb nobody."""
    file = place.put("a.txt", "x")
    with listening(place, short):
        for line in (b"", b"a.t", b"a.txt\n"):
            with connected(short) as connection:
                connection.sendall(line)
        answer = announce(short, file, SystemClock(), ANSWERED_S_MAX)
    assert Word.OK is answer.answer
    assert ["a.txt"] == registered(place)


def test_megabytes_without_a_newline(place: Place, short: Path) -> None:
    """An endless line is refused at its limit, and not gathered."""
    with listening(place, short), connected(short) as connection:
        sent = 0
        try:
            for _ in range(64):
                sent += connection.send(b"a" * (1 << 20))
        except OSError:  # it was hung up on
            pass
        assert sent < 64 << 20
    assert [] == registered(place)


def test_slow_writers(place: Place, short: Path) -> None:
    """A line that drips, or doesn't come, ends at its time; then others have their turn."""
    file = place.put("a.txt", "x")
    limits = AnnounceLimits(connections_max=2, line_timeout_s=0.3)
    with listening(place, short, limits):
        silent, dripping = connected(short), connected(short)
        with silent, dripping:
            dripping.sendall(b"a.t")
            # Both threads are taken; this one waits for them.
            assert Word.OK is announce(short, file, SystemClock(), ANSWERED_S_MAX).answer
            assert "slow" == said(silent)["reason"]
            assert "slow" == said(dripping)["reason"]


def test_many_at_once(place: Place, short: Path) -> None:
    """More connections than are answered at a time wait, and each gets its answer."""
    files = [place.put(f"{number}.txt", f"w{number}") for number in range(12)]
    with listening(place, short, AnnounceLimits(connections_max=3)):
        connections = [connected(short) for _ in files]
        for connection, file in zip(connections, files, strict=True):
            connection.sendall(f"{file.name}\n".encode())
        answers = [said(connection)["answer"] for connection in connections]
        for connection in connections:
            connection.close()
    assert ["ok"] * 12 == answers
    assert 12 == len(registered(place))
