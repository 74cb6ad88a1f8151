"""What a folder lists and finds."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash

from qanat.errors import ConfigError, Retryable
from qanat.records import FileStat
from qanat.sources.files import After, Folder, FolderOptions
from qanat.testing.clock import FakeClock

Put = Callable[[Folder, str, bytes], FileStat]
MakeFolder = Callable[..., Folder]
posix = pytest.mark.skipif(sys.platform == "win32", reason="such files can't be made there")


def test_files_come_oldest_first(make_folder: MakeFolder, put: Put) -> None:
    """Order is by time of change, then by name."""
    folder = make_folder()
    for name, mtime_s in [("b", 2), ("c", 1), ("a", 2)]:
        put(folder, name, b"1 2\n")
        os.utime(folder.options.path / name, (mtime_s, mtime_s))
    assert [stat.name for stat in folder.scan()] == ["c", "a", "b"]


def test_a_listing_tells_size_time_and_inode(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    real = (folder.options.path / "a.txt").stat()
    assert stat == FileStat("a.txt", 4, real.st_mtime_ns, real.st_ino, 0)


@posix
def test_what_is_no_input_is_not_listed(make_folder: MakeFolder, put: Put) -> None:
    """Folders, links, pipes, temporary names, side files, other patterns."""
    folder = make_folder(pattern="*.txt")
    path = folder.options.path
    put(folder, "input.txt", b"1 2\n")
    for name in (".hidden.txt", "a.part", "input.txt.meta.json", "other.csv"):
        (path / name).write_bytes(b"1 2\n")
    for name in ("done", "failed", ".qanat", "sub.txt"):
        (path / name).mkdir()
    (path / "link.txt").symlink_to(path / "input.txt")
    os.mkfifo(path / "pipe.txt")
    assert [stat.name for stat in folder.scan()] == ["input.txt"]


@posix
@pytest.mark.parametrize("raw", [b"two\nlines.txt", b"not \xff utf-8.txt", b"back\\slash.txt"])
def test_a_file_with_any_name_is_found_read_and_settled(
    make_folder: MakeFolder, raw: bytes
) -> None:
    folder = make_folder()
    path = folder.options.path / os.fsdecode(raw)
    try:
        path.write_bytes(b"1 2\n")
    except OSError:
        pytest.skip("this file system refuses the name")
    [stat] = folder.scan()
    found = folder.find(stat)
    assert found is not None
    assert stat.name.isprintable()
    assert folder.locate(stat.name) == path
    assert folder.settle(stat, "done", 1) == f"done/{stat.name}"
    assert folder.locate(f"done/{stat.name}") == folder.options.path / "done" / path.name


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 5, 3 << 20])
def test_the_sketch_covers_size_and_both_ends(make_folder: MakeFolder, put: Put, size: int) -> None:
    """It is XXH3 of the size, the first MiB, and the last MiB that isn't in the first."""
    content = os.urandom(size)
    folder = make_folder()
    found = folder.find(put(folder, "a", content))
    mib = 1 << 20
    last = content[max(mib, size - mib) :]
    expected = xxhash.xxh3_128_hexdigest(size.to_bytes(8, "big") + content[:mib] + last)
    assert found is not None
    assert (found.sketch, found.compression, found.promised_digest) == (expected, "none", None)


def test_a_file_that_is_gone_or_changed_is_not_found(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    gone = put(folder, "gone", b"1 2\n")
    changed = put(folder, "changed", b"1 2\n")
    (folder.options.path / "gone").unlink()
    (folder.options.path / "changed").write_bytes(b"1 2\n3 4\n")
    assert folder.find(gone) is None
    assert folder.find(changed) is None


@posix
def test_what_took_the_place_of_a_file_is_not_followed(make_folder: MakeFolder, put: Put) -> None:
    """A link or a pipe under the name of a listed file is neither read nor waited for."""
    folder = make_folder()
    stat = put(folder, "a", b"1 2\n")
    path = folder.options.path / "a"
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert folder.find(stat) is None
    path.unlink()
    os.mkfifo(path)
    assert folder.find(stat) is None


def test_a_folder_that_goes_away_is_a_matter_of_time(make_folder: MakeFolder) -> None:
    folder = make_folder()
    shutil.rmtree(folder.options.path)
    with pytest.raises(Retryable, match="still mounted"):
        folder.scan()


@posix
def test_kept_files_are_not_opened_by_a_scan(make_folder: MakeFolder, tmp_path: Path) -> None:
    """Listing needs no rights on the files: 100,000 kept ones cost a stat each and no more."""
    folder = make_folder(after=After.KEEP)
    opened: list[str] = []
    armed = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if armed and event == "open" and "kept-" in str(arguments[0]):
            opened.append(str(arguments[0]))

    for number in range(300):
        (folder.options.path / f"kept-{number}").touch()
    sys.addaudithook(watch)
    assert len(folder.scan()) == 300
    armed = False
    assert opened == []


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"path": Path("missing")}, "input"),
        ({"path": Path("file")}, "input"),
        ({"poll_s": 0}, "poll_s"),
        ({"rest_s": -1}, "rest_s"),
        ({"pattern": "sub/*.txt"}, "pattern"),
        ({"pattern": ""}, "pattern"),
        ({"done": Path("in")}, "done"),
        ({"done": Path("in/failed")}, "failed"),
        ({"failed": Path("in/.qanat")}, "failed"),
        ({"done": Path("file/done")}, "done"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_changes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    setting: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("file").touch()
    chosen = FolderOptions(**{"path": Path("in"), **options})  # type: ignore[arg-type]  # from a table
    with pytest.raises(ConfigError) as refused:
        Folder(chosen, FakeClock())
    assert refused.value.setting == setting
    assert sorted(str(path) for path in tmp_path.rglob("*")) == [
        str(tmp_path / "file"),
        str(tmp_path / "in"),
    ]
