"""A run over a folder: each file counts wholly or not at all, and is told apart from every other."""

from pathlib import Path

import pytest

from qanat import failpoints
from qanat.errors import Fatal
from qanat.runtime.counting import OnBad, Rules, SameContent
from qanat.runtime.registry import FileState, files_where
from qanat.sources.files import After
from tests.unit.runtime.plain_files import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_counts_each_file_once(place: Place) -> None:
    """Files are counted, moved to done/, and not counted again by the next run."""
    place.put("a.txt", "x", "y", "x")
    place.put("b.txt", "x")
    place.run()
    place.run()
    assert {"x": 3, "y": 1} == place.words()
    assert {"a.txt": "counted", "b.txt": "counted"} == place.states()
    assert ["a.txt", "b.txt"] == sorted(path.name for path in (place.root / "in/done").iterdir())
    assert [("done/a.txt",), ("done/b.txt",)] == place.query(
        "select settled_as from files order by id"
    )


def test_dead_letters(place: Place) -> None:
    """A malformed line is kept with its place and bytes; the others count."""
    place.put("a.txt", "x", "not good", "y")
    place.run()
    assert {"x": 1, "y": 1} == place.words()
    letters = place.query("select origin, line, byte_offset, length, raw from dead_letters")
    assert [("a.txt", 2, 2, 8, b"not good")] == letters


def test_fails_on_bad(place: Place) -> None:
    """With on_bad=fail nothing of the file counts; its dead letters are kept, it moves to failed/."""
    place.rules = Rules(OnBad.FAIL, SameContent.HOLD, 0.5)
    place.put("a.txt", "x", "not good")
    summary = place.run().summary
    assert {} == place.words()
    assert {"failed": 1} == summary.ended
    assert [(1,)] == place.query("select count(*) from dead_letters")
    assert (place.root / "in/failed/a.txt").exists()


def test_fails_above_the_share(place: Place) -> None:
    """Above the share of malformed lines a file fails whatever on_bad says."""
    place.put("a.txt", "x", "not good", "nor this", "nor that")
    place.run()
    assert {"a.txt": "failed"} == place.states()
    assert {} == place.words()


def test_same_content_is_held(place: Place) -> None:
    """The same content under another name is held, stays where it is, and is counted on request."""
    place.put("a.txt", "x")
    place.run()
    place.put("b.txt", "x")
    summary = place.run().summary
    assert {"held": 1} == summary.ended
    assert "a.txt" in summary.problems[0]
    assert {"x": 1} == place.words()
    assert (place.root / "in/b.txt").exists()


def test_same_content_counts_if_asked(place: Place) -> None:
    """With same_content=count another name counts, but the same file put back never does."""
    place.rules = Rules(OnBad.QUARANTINE, SameContent.COUNT, 0.5)
    for name in ("a.txt", "b.txt", "a.txt"):
        place.put(name, "x")
        place.run()
    assert {"x": 2} == place.words()
    assert ["counted", "counted", "held"] == [
        row[0] for row in place.query("select state from files order by id")
    ]


def test_same_name_other_content(place: Place) -> None:
    """The same name with other content is a new file; what lies in done/ isn't overwritten."""
    for word in ("x", "y"):
        place.put("a.txt", word)
        place.run()
    assert {"x": 1, "y": 1} == place.words()
    assert 2 == len(list((place.root / "in/done").iterdir()))


def test_parts(place: Place) -> None:
    """A large file is counted in parts, with the line numbers of the whole file."""
    place.whole_bytes_max = 100
    place.put("a.txt", *(["word"] * 300_000), "not good", *(["word"] * 200_000), "nor this")
    place.run()
    assert {"word": 500_000} == place.words()
    assert [(300_001,), (500_002,)] == place.query("select line from dead_letters order by line")
    assert [(0,)] == place.query("select count(*) from parts")
    assert [(3, 500_000)] == place.query("select parts, lines_good from files")


def test_key_ranges(place: Place) -> None:
    """A file with more distinct keys than fit is read once per key range, and counts the same."""
    place.keys_max = 60
    words = [f"w{number}" for number in range(100)]
    place.put("a.txt", *words, "not good")
    place.run()
    assert dict.fromkeys(sorted(words), 1) == place.words()
    assert [(2, 2, 100, 1)] == place.query("select parts, ranges, lines_good, lines_bad from files")


@pytest.mark.parametrize(
    "point", [p for p in failpoints.POINTS if p.split(".")[0] in {"register", "count", "move"}]
)
def test_fault_at_every_point(point: str, place: Place) -> None:
    """A fault at any point is overcome, and nothing counts twice or is lost."""
    place.put("a.txt", "x", "y")
    failpoints.arm(f"{point}=raise")
    try:
        place.run()
    finally:
        failpoints.arm("")
    place.reopen()
    place.run()
    assert {"x": 1, "y": 1} == place.words()
    assert {"a.txt": "counted"} == place.states()
    assert (place.root / "in/done/a.txt").exists()


@pytest.mark.parametrize(
    "point", [p for p in failpoints.POINTS if p.split(".")[0] in {"plan", "part", "count"}]
)
def test_fault_between_parts(point: str, place: Place) -> None:
    """The same in the middle of a large file's parts."""
    place.whole_bytes_max = 100
    place.put("a.txt", *(["word"] * 500_000))
    failpoints.arm(f"{point}=raise@{2 if point.startswith('part') else 1}")
    try:
        place.run()
    finally:
        failpoints.arm("")
    assert {"word": 500_000} == place.words()


def test_keeps_files(place: Place) -> None:
    """With after=keep a counted file stays, and isn't looked at again."""
    place.after = After.KEEP
    place.reopen()
    place.put("a.txt", "x")
    place.run()
    place.reopen()
    place.run()
    assert {"x": 1} == place.words()
    assert (place.root / "in/a.txt").exists()


def test_restored_database(place: Place) -> None:
    """A database that knows of fewer counted files than the folder is refused, with what to do."""
    place.put("a.txt", "x")
    place.run()
    place.folder.remember(place.store.identity, 5)
    with pytest.raises(Fatal, match="older than the files in done"):
        place.run()


def test_empty_file(place: Place) -> None:
    """A file of no bytes is counted with 0 lines; a second one isn't taken for a repeat."""
    place.put("a.txt")
    place.put("b.txt")
    place.run()
    assert {"a.txt": "counted", "b.txt": "counted"} == place.states()


def test_rows_of_files(place: Place) -> None:
    """A row of `files` tells what became of a file."""
    place.put("a.txt", "x", "not good")
    place.run()
    with place.store.snapshot() as reader:
        (row,) = files_where(reader, "name = $name", name="a.txt")
    assert (FileState.COUNTED, 1, 1, 1, True) == (
        row.state,
        row.lines_good,
        row.lines_bad,
        row.number,
        row.settled,
    )
