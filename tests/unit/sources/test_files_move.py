"""After the commit the counted file moves, stays or is deleted; no other is touched or lost."""

import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qanat.digests import ALGORITHM
from qanat.errors import FileChanged, Retryable
from qanat.records import FileStat
from qanat.sources.files import After, Folder
from qanat.sources.files_disk import rename_exclusively

Put = Callable[[Folder, str, bytes], FileStat]
MakeFolder = Callable[..., Folder]
SIDE_FILE = json.dumps({"size": 4, "digest": "0" * 32, "algorithm": ALGORITHM}).encode()


def tree(folder: Folder) -> dict[str, bytes]:
    """All files below the folder but Qanat's own."""
    path = folder.options.path
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and not file.name.endswith(".lock")
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    path = Path(tempfile.mkdtemp(prefix="qanat-test-", dir=memory))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_a_file_moves_with_its_side_file(make_folder: MakeFolder, put: Put, outcome: str) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    (folder.options.path / "a.txt.meta.json").write_bytes(SIDE_FILE)
    assert folder.settle(stat, outcome, 7) == f"{outcome}/a.txt"  # type: ignore[arg-type]  # a table's
    assert tree(folder) == {
        f"{outcome}/a.txt": b"1 2\n",
        f"{outcome}/a.txt.meta.json": SIDE_FILE,
    }
    assert [moved.name for moved in folder.settled(outcome)] == [f"{outcome}/a.txt"]  # type: ignore[arg-type]  # a table's


@pytest.mark.skipif(sys.platform == "win32", reason="whole paths are bounded there")
@pytest.mark.parametrize("length", [245, 246, 255])
def test_the_longest_names_move(make_folder: MakeFolder, put: Put, length: int) -> None:
    """A name that leaves no room for a side file's end has none, and moves as any other."""
    folder = make_folder()
    name = "n" * (length - 4) + ".txt"
    stat = put(folder, name, b"1 2\n")
    assert folder.settle(stat, "done", 7) == f"done/{name}"
    assert tree(folder) == {f"done/{name}": b"1 2\n"}
    assert folder.bring_back(name, f"done/{name}").name == name


def test_settling_again_says_the_same_and_changes_nothing(
    make_folder: MakeFolder, put: Put
) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    assert folder.settle(stat, "done", 7) == folder.settle(stat, "done", 7) == "done/a.txt"
    assert tree(folder) == {"done/a.txt": b"1 2\n"}


def test_a_name_that_is_taken_is_not_overwritten(make_folder: MakeFolder, put: Put) -> None:
    """Daily files of one name; the side file follows its file's new name."""
    folder = make_folder()
    for number, line in enumerate((b"1 1\n", b"2 2\n", b"3 3\n"), 1):
        stat = put(folder, "a.txt.gz", line)
        (folder.options.path / "a.txt.gz.meta.json").write_bytes(SIDE_FILE)
        folder.settle(stat, "done", number)
        assert folder.settle(stat, "done", number) is not None
    (folder.options.path / "done" / "a.txt.gz").unlink()  # cleaned up by somebody, not by us
    assert folder.settle(stat, "done", 3) == "done/a.txt~3.gz"
    assert tree(folder) == {
        "done/a.txt~2.gz": b"2 2\n",
        "done/a.txt~3.gz": b"3 3\n",
        **{f"done/a.txt{mark}.gz.meta.json": SIDE_FILE for mark in ("", "~2", "~3")},
    }


def test_kept_files_stay_where_they_are(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder(after=After.KEEP)
    stat = put(folder, "a.txt", b"1 2\n")
    assert folder.settle(stat, "failed", 7) == folder.settle(stat, "done", 7) == "a.txt"
    assert tree(folder) == {"a.txt": b"1 2\n"}


def test_counted_files_are_deleted_and_failed_ones_moved(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder(after=After.DELETE)
    counted = put(folder, "counted", b"1 2\n")
    failed = put(folder, "failed.txt", b"1 2\n")
    (folder.options.path / "counted.meta.json").write_bytes(SIDE_FILE)
    assert folder.settle(counted, "done", 7) is None
    assert folder.settle(counted, "done", 7) is None
    assert folder.settle(failed, "failed", 8) == "failed/failed.txt"
    assert tree(folder) == {"failed/failed.txt": b"1 2\n"}


@pytest.mark.parametrize("after", [After.MOVE, After.DELETE])
def test_another_file_under_the_name_is_left_alone(
    make_folder: MakeFolder, put: Put, after: After
) -> None:
    folder = make_folder(after=after)
    stat = put(folder, "a.txt", b"1 2\n")
    put(folder, "a.txt", b"3 4\n")
    if after is After.MOVE:
        with pytest.raises(FileChanged, match="left where it is"):
            folder.settle(stat, "done", 7)
    else:
        assert folder.settle(stat, "done", 7) is None
    assert tree(folder) == {"a.txt": b"3 4\n"}


def test_a_new_file_of_a_settled_name_is_left_alone(make_folder: MakeFolder, put: Put) -> None:
    """The repetition at the next start comes when the next file of the name is there."""
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    folder.settle(stat, "done", 7)
    put(folder, "a.txt", b"3 4\n")
    assert folder.settle(stat, "done", 7) == "done/a.txt"
    assert tree(folder) == {"a.txt": b"3 4\n", "done/a.txt": b"1 2\n"}


@pytest.mark.skipif(sys.platform == "win32", reason="an open file isn't replaced there")
@pytest.mark.parametrize("after", [After.MOVE, After.DELETE])
def test_a_file_that_comes_between_the_look_and_the_move_is_put_back(
    make_folder: MakeFolder, put: Put, after: After
) -> None:
    """The race that no check before a rename can win: a writer is quicker than we are."""
    folder = make_folder(after=after)
    stat = put(folder, "a.txt", b"1 2\n")
    newer = folder.options.path / "newer.part"
    newer.write_bytes(b"3 4\n")

    def race(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[0]).endswith("in/a.txt") and newer.exists():
            newer.replace(folder.options.path / "a.txt")

    sys.addaudithook(race)
    if after is After.MOVE:
        with pytest.raises(FileChanged):
            folder.settle(stat, "done", 7)
    else:
        assert folder.settle(stat, "done", 7) is None
    assert tree(folder) == {"a.txt": b"3 4\n"}
    assert [found.name for found in folder.scan()] == ["a.txt"]


def test_a_side_file_of_another_file_stays(make_folder: MakeFolder, put: Put) -> None:
    """That of the next file may come first."""
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n3 4\n")
    (folder.options.path / "a.txt.meta.json").write_bytes(SIDE_FILE)
    folder.settle(stat, "done", 7)
    assert tree(folder) == {"done/a.txt": b"1 2\n3 4\n", "a.txt.meta.json": SIDE_FILE}


def test_a_file_that_is_gone_is_settled_nowhere(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    (folder.options.path / "a.txt").unlink()
    assert folder.settle(stat, "done", 7) is None


def test_files_move_to_another_device_with_their_times(
    make_folder: MakeFolder, put: Put, elsewhere: Path
) -> None:
    folder = make_folder(done=elsewhere / "made" / "on demand")
    stat = put(folder, "a.txt", b"1 2\n")
    (folder.options.path / "a.txt.meta.json").write_bytes(SIDE_FILE)
    target = elsewhere / "made" / "on demand" / "a.txt"
    assert folder.settle(stat, "done", 7) == str(target)
    assert folder.settle(stat, "done", 7) == str(target)
    assert tree(folder) == {}
    assert sorted(path.name for path in target.parent.iterdir()) == ["a.txt", "a.txt.meta.json"]
    assert target.stat().st_mtime_ns == stat.mtime_ns
    assert [moved.name for moved in folder.settled("done")] == [str(target)]


def test_an_older_copy_of_the_same_name_size_and_time_is_not_taken_for_the_file(
    make_folder: MakeFolder, put: Put, elsewhere: Path
) -> None:
    folder = make_folder(done=elsewhere)
    stat = put(folder, "a.txt", b"1 2\n")
    (elsewhere / "a.txt").write_bytes(b"9 9\n")
    os.utime(elsewhere / "a.txt", ns=(stat.mtime_ns, stat.mtime_ns))
    assert folder.settle(stat, "done", 7) == str(elsewhere / "a~7.txt")
    assert (elsewhere / "a.txt").read_bytes() == b"9 9\n"
    assert (elsewhere / "a~7.txt").read_bytes() == b"1 2\n"


def test_where_a_file_cannot_go_is_a_matter_of_time(make_folder: MakeFolder, put: Put) -> None:
    """It is moved when the obstacle is gone."""
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    (folder.options.path / "done").touch()
    with pytest.raises(Retryable, match="is counted"):
        folder.settle(stat, "done", 7)
    assert folder.locate("a.txt") == folder.options.path / "a.txt"
    (folder.options.path / "done").unlink()
    assert folder.settle(stat, "done", 7) == "done/a.txt"


def test_a_file_that_got_stuck_on_its_way_is_located_and_moved_later(
    make_folder: MakeFolder, put: Put, elsewhere: Path
) -> None:
    """The other device is full, so to say."""
    folder = make_folder(done=elsewhere)
    stat = put(folder, "a.txt", b"1 2\n")
    armed = True

    def fill(event: str, arguments: tuple[object, ...]) -> None:
        if armed and event == "open" and str(arguments[0]).startswith(str(elsewhere)):
            raise OSError(errno.ENOSPC, "No space left on device")

    sys.addaudithook(fill)
    with pytest.raises(Retryable, match="No space left"):
        folder.settle(stat, "done", 7)
    armed = False
    located = folder.locate("a.txt")
    assert located is not None
    assert located.read_bytes() == b"1 2\n"
    assert folder.settle(stat, "done", 7) == str(elsewhere / "a.txt")
    assert tree(folder) == {}


@pytest.mark.parametrize("links", [True, False])
def test_renaming_exclusively_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Also on a file system without hard links."""
    if not links:

        def refuse(*arguments: object, **options: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        rename_exclusively(tmp_path / "one", tmp_path / "two")
    rename_exclusively(tmp_path / "one", tmp_path / "three")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "two": "two",
        "three": "one",
    }


def test_files_are_located_as_users_name_them(
    make_folder: MakeFolder, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder()
    path = folder.options.path
    put(folder, "waiting.txt", b"")
    folder.settle(put(folder, "counted.txt", b""), "done", 1)
    folder.settle(put(folder, "bad.txt", b""), "failed", 2)
    monkeypatch.chdir(path.parent)
    assert folder.locate("waiting.txt") == path / "waiting.txt"
    assert folder.locate("counted.txt") == path / "done" / "counted.txt"
    assert folder.locate("bad.txt") == path / "failed" / "bad.txt"
    assert folder.locate("done/counted.txt") == path / "done" / "counted.txt"
    assert folder.locate("in/waiting.txt") == Path("in/waiting.txt")
    assert folder.locate(str(path / "waiting.txt")) == path / "waiting.txt"
    assert folder.locate("missing.txt") is None
