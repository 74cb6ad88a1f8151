"""Announcements over a real socket: registered when answered, and once."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from qanat import failpoints
from qanat.clock import SystemClock
from qanat.records import FileStat, FoundFile
from qanat.runtime.announce import LOOKS_MAX
from qanat.runtime.announce_client import NoAnswer, announce
from qanat.runtime.announce_words import Answer, Word, path_in, request_line
from qanat.sources.files import After
from tests.unit.runtime.announcing import (
    ANSWERED_S_MAX,
    announcements,
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


def test_registered_when_answered(place: Place, short: Path) -> None:
    """When the answer is there the row and the work are, and a run counts the file once."""
    file = place.put("a.txt", "x", "x")
    with listening(place, short):
        answer = announce(short, file, SystemClock(), ANSWERED_S_MAX)
        assert (Word.OK, "registered", 1, "a.txt", 4) == (
            answer.answer, answer.state, answer.file, answer.name, answer.size,
        )  # fmt: skip
        assert ["a.txt"] == registered(place)
    place.run()
    assert {"x": 2} == place.words()


def test_again(place: Place, short: Path) -> None:
    """A repeated announcement tells what has become of the file, wherever it lies; nothing is registered twice."""
    found = place.put("found.txt", "x")
    place.run()
    file = place.put("a.txt", "y", "y")
    with listening(place, short):
        states = [announce(short, found, SystemClock(), ANSWERED_S_MAX).state]
        states += [announce(short, file, SystemClock(), ANSWERED_S_MAX).state for _ in range(2)]
        place.run()
        states.append(announce(short, file, SystemClock(), ANSWERED_S_MAX).state)
    assert ["counted", "registered", "registered", "counted"] == states
    assert ["found.txt", "a.txt"] == registered(place)
    assert {"x": 1, "y": 2} == place.words()


def test_held_and_failed_are_told(place: Place, short: Path) -> None:
    """Of a file that didn't count, the answer has the reason."""
    place.put("a.txt", "x")
    place.run()
    held, failed = place.put("b.txt", "x"), place.put("c.txt", "two words", "two words")
    place.run()
    with listening(place, short):
        answers = [announce(short, file, SystemClock(), ANSWERED_S_MAX) for file in (held, failed)]
    assert [(Word.OK, "held"), (Word.OK, "failed")] == [(a.answer, a.state) for a in answers]
    assert all(answer.message for answer in answers)


def test_new_file_of_an_old_name(place: Place, short: Path) -> None:
    """A name whose file was counted can be announced with another one; the same content is held as ever."""
    for words in (("x",), ("y",), ("y",)):
        file = place.put("a.txt", *words)
        with listening(place, short):
            answer = announce(short, file, SystemClock(), ANSWERED_S_MAX)
            assert "registered" == answer.state
            assert answer == announce(short, file, SystemClock(), ANSWERED_S_MAX)
        place.run()
    assert {"x": 1, "y": 1} == place.words()
    assert [("counted",), ("counted",), ("held",)] == place.query(
        "select state from files order by id"
    )


def test_kept_files(place: Place, short: Path) -> None:
    """With after=keep the file that was counted lies there still, and is known."""
    place.after = After.KEEP
    place.reopen()
    file = place.put("a.txt", "x")
    place.run()
    with listening(place, short):
        assert "counted" == announce(short, file, SystemClock(), ANSWERED_S_MAX).state
    assert ["a.txt"] == registered(place)


def test_scan_and_announcement_at_once(place: Place, short: Path) -> None:
    """Files that are announced by several writers while the folder is looked into are registered once each."""
    files = [place.put(f"{number}.txt", f"w{number}") for number in range(10)]
    states = []
    with listening(place, short):

        def writer() -> None:
            for file in files:
                states.append(announce(short, file, SystemClock(), ANSWERED_S_MAX).answer)

        threads = [threading.Thread(target=writer) for _ in range(4)]
        for thread in threads:
            thread.start()
        place.run()
        for thread in threads:
            thread.join()
    place.reopen()
    place.run()
    assert [Word.OK] * 40 == states
    assert 10 == len(set(registered(place))) == len(registered(place))
    assert {f"w{number}": 1 for number in range(10)} == place.words()


def test_store_that_fails_for_now(place: Place, short: Path) -> None:
    """Nothing was committed: the writer is asked to come again; then it is."""
    file = place.put("a.txt", "x")
    with listening(place, short):
        for action, reason in (("raise", "store"), ("disk-full", "error")):
            failpoints.arm(f"register.before_commit={action}")
            try:
                answer = announce(short, file, SystemClock(), ANSWERED_S_MAX)
            finally:
                failpoints.arm("")
            assert (Word.LATER, reason) == (answer.answer, answer.reason)
        assert [] == registered(place)
        assert Word.OK is announce(short, file, SystemClock(), ANSWERED_S_MAX).answer


def test_answer_that_was_lost(place: Place, short: Path) -> None:
    """A fault after the commit leaves the file registered, and the next announcement says so."""
    file = place.put("a.txt", "x")
    with listening(place, short):
        failpoints.arm("register.after_commit=raise")
        try:
            first = announce(short, file, SystemClock(), ANSWERED_S_MAX)
        finally:
            failpoints.arm("")
        again = announce(short, file, SystemClock(), ANSWERED_S_MAX)
    assert (Word.LATER, Word.OK) == (first.answer, again.answer)
    assert ["a.txt"] == registered(place)


def test_end_of_a_run(place: Place, short: Path) -> None:
    """Who hasn't announced yet is told that the run ends; the socket is gone."""
    with connected_while_it_ends(place, short) as connection:
        answer = said(connection)
    assert ("later", "stopping") == (answer["answer"], answer["reason"])
    assert [] == list(short.absolute().parent.glob("a.sock*"))


@contextmanager
def connected_while_it_ends(place: Place, path: Path) -> Iterator[socket.socket]:
    with listening(place, path):
        connection = connected(path)
        connection.sendall(b"a")
        threads = {thread.name for thread in threading.enumerate()}
        while "announce-writer" not in threads:
            threads = {thread.name for thread in threading.enumerate()}
    with connection:
        yield connection


def test_registration_that_goes_on(place: Place, short: Path) -> None:
    """At the end of a run a registration that has begun is waited for, and answered."""
    file = place.put("a.txt", "x")
    answers: list[Answer] = []
    failpoints.arm("register.before_commit=sleep:0.5")
    try:
        with listening(place, short):
            writer = threading.Thread(
                target=lambda: answers.append(announce(short, file, SystemClock(), ANSWERED_S_MAX))
            )
            writer.start()
            while not any(thread.name == "announce-writer" for thread in threading.enumerate()):
                pass
        assert ["a.txt"] == registered(place)
        writer.join()
    finally:
        failpoints.arm("")
    assert ["ok"] == [str(answer.answer) for answer in answers]


def test_file_that_keeps_changing(place: Place) -> None:
    """A file that is another one at each look is answered with later, and isn't registered."""
    path = place.put("a.txt", "x")
    answering = announcements(place)
    vouched, looks = place.folder.vouched, []

    class Restless:
        named, look = place.folder.named, place.folder.look

        @staticmethod
        def vouched(stat: FileStat) -> FoundFile:
            looks.append(stat)
            path.write_text("y\n" * (1 + len(looks)))
            return vouched(stat)

    answer = replace(answering, source=Restless()).answer(b"a.txt")  # type: ignore[arg-type]  # what is asked of it
    assert (Word.LATER, LOOKS_MAX) == (answer.answer, len(looks))
    assert [] == registered(place)


def test_counted_by_answer(place: Place, short: Path) -> None:
    """Answers are counted, refusals too."""
    place.put("a.txt", "x")
    with listening(place, short) as answering:
        for line in (b"a.txt\n", b"b.txt\n", b"b"):
            ask(short, line)
    values = answering.registrar.committer.telemetry.values()
    counted = {
        dict(labels)["answer"]: value for name, labels, value in values if "announce" in name
    }
    assert {"ok": 1, "refused": 2} == counted


def test_mode_of_the_socket(place: Place, short: Path) -> None:
    """Only this user may connect, whatever the umask."""
    before = os.umask(0)
    try:
        with listening(place, short):
            assert 0o600 == stat.S_IMODE(short.lstat().st_mode)
    finally:
        os.umask(before)


def test_answer_of_something_else(short: Path) -> None:
    """A server that answers otherwise is no answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short))
        listener.listen()

        def other() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")

        thread = threading.Thread(target=other)
        thread.start()
        with pytest.raises(NoAnswer, match=r"a\.txt"):
            announce(short, Path("a.txt"), SystemClock(), ANSWERED_S_MAX)
        thread.join()


@pytest.mark.parametrize(
    "path", ["/in/a.txt", "with space", '{"begins": like JSON', "new\nline", "\udcff"]
)
def test_words(path: str) -> None:
    """What the client sends is what the run reads, for every name."""
    line = request_line(Path(path))
    assert line.endswith(b"\n")
    assert path == path_in(line.removesuffix(b"\n"))
    answer = Answer(Word.OK, state="counted", file=7, name="a.txt")
    assert answer == Answer.of_line(answer.line())
