"""Verify, undo and requeue: what can be done with a single file afterwards."""

from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.errors import BadFile, ConfigError
from qanat.runtime.commit import Committer
from qanat.runtime.fileops import FileOperations
from qanat.runtime.registry import FileState
from qanat.telemetry import Telemetry
from tests.unit.runtime.plain_files import CountWords, Place

COUNTED = (FileState.COUNTED,)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def operations(place: Place) -> FileOperations:
    committer = Committer(place.store, "words", "count", SystemClock(), Telemetry())
    return FileOperations(place.folder, CountWords(place.keys_max), committer)


def test_verify(place: Place) -> None:
    """A file is summed again where it lies now."""
    place.put("a.txt", "x", "not good", "y")
    place.run()
    files = operations(place)
    row = files.find("a.txt", COUNTED)
    again = files.verify(row)
    assert (row.lines_good, row.lines_bad, row.total, row.digest) == (
        again.lines_good,
        again.lines_bad,
        again.total,
        again.digest,
    )


def test_undo(place: Place) -> None:
    """An undone file leaves no trace in the tables; rows it shares with others keep what is theirs."""
    place.put("a.txt", "x", "y")
    place.put("b.txt", "x", "z")
    place.run()
    files = operations(place)
    files.undo(files.find("b.txt", COUNTED))
    assert {"x": 1, "y": 1} == place.words()
    assert [("x", 1), ("y", 1)] == place.query("select word, parts from words order by word")
    with pytest.raises(ConfigError, match="undone"):
        files.find("b.txt", COUNTED)


def test_undo_by_ranges(place: Place) -> None:
    """A file with more keys than fit is undone range by range, in one transaction."""
    place.put("b.txt", "x")
    place.put("a.txt", *(f"w{number}" for number in range(100)))
    place.run()
    place.keys_max = 60
    files = operations(place)
    files.undo(files.find("a.txt", COUNTED))
    assert {"x": 1} == place.words()


def test_undo_in_parts(place: Place) -> None:
    """A file that was counted in parts is verified and undone in the same parts."""
    place.whole_bytes_max = 100
    place.put("b.txt", "word")
    place.put("a.txt", *(["word"] * 500_000), "bad line", "once")
    place.run()
    assert [("word", 4), ("once", 1)] == place.query(
        "select word, parts from words order by times desc"
    )
    files = operations(place)
    row = files.find("a.txt", COUNTED)
    assert row.parts > 1
    assert (row.digest, row.lines_good) == (files.verify(row).digest, files.verify(row).lines_good)
    files.undo(row)
    assert [("word", 1)] == place.query("select word, parts from words")


def test_undo_of_a_changed_file(place: Place) -> None:
    """A file that isn't what was counted can't be undone; nothing is changed."""
    place.put("a.txt", "x")
    place.run()
    (place.root / "in/done/a.txt").write_text("y\n")
    files = operations(place)
    with pytest.raises(BadFile, match="was counted"):
        files.undo(files.find("a.txt", COUNTED))
    assert {"x": 1} == place.words()


def test_requeue_undone(place: Place) -> None:
    """An undone file can be counted again: it moves back, and the next run counts it."""
    place.put("a.txt", "x")
    place.run()
    files = operations(place)
    files.undo(files.find("a.txt", COUNTED))
    files.requeue(files.find("a.txt", (FileState.UNDONE,)))
    assert (place.root / "in/a.txt").exists()
    place.run()
    assert {"x": 1} == place.words()
    assert {"a.txt": "counted"} == place.states()


def test_requeue_held(place: Place) -> None:
    """A held file is counted on request, and only then."""
    place.put("a.txt", "x")
    place.put("b.txt", "x")
    place.run()
    assert {"x": 1} == place.words()
    files = operations(place)
    (name,) = [name for name, state in place.states().items() if state == "held"]
    files.requeue(files.find(str(name), (FileState.HELD,)))
    place.run()
    assert {"x": 2} == place.words()


def test_unknown(place: Place) -> None:
    """A file that was never found is refused with what to do."""
    with pytest.raises(ConfigError, match="status"):
        operations(place).find("nothing.txt", COUNTED)
