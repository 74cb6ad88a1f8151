"""Announced files: which one is meant, and what is demanded of it although its writer vouches for it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qanat.errors import FileChanged, FileVanished, NotAccepted, Retryable
from qanat.records import FileStat
from qanat.sources.files import Folder, Ready
from qanat.sources.files_names import shown

MakeFolder = Callable[..., Folder]
Put = Callable[[Folder, str, bytes], FileStat]
posix = pytest.mark.skipif(sys.platform == "win32", reason="such files can't be made there")


def written(folder: Folder, name: str, content: bytes = b"7 1\n") -> FileStat:
    """Write a file as a careless writer does: under its name, without a rename."""
    path = folder.options.path / name
    path.write_bytes(content)
    stat = folder.look(shown(name))
    assert stat is not None
    return stat


def refused(folder: Folder, given: str) -> str:
    """The reason for which a path isn't taken."""
    with pytest.raises(NotAccepted) as caught:
        folder.named(given)
    return caught.value.reason


@pytest.mark.parametrize("spelt", ["a.txt", "./a.txt", "sub/../a.txt"])
def test_path_within_the_folder(spelt: str, make_folder: MakeFolder) -> None:
    """A path that isn't absolute is one in the folder; an absolute one may lead there by any way."""
    folder = make_folder()
    (folder.options.path / "sub").mkdir()
    written(folder, "a.txt")
    assert "a.txt" == folder.named(spelt)
    assert "a.txt" == folder.named(str(folder.options.path.absolute() / spelt))


@posix
def test_folder_under_another_name(make_folder: MakeFolder, tmp_path: Path) -> None:
    """A folder that writers know by a link is the same folder."""
    folder = make_folder()
    written(folder, "a.txt")
    (tmp_path / "link").symlink_to(folder.options.path)
    assert "a.txt" == folder.named(str(tmp_path / "link" / "a.txt"))


@pytest.mark.parametrize(
    "given", ["../a.txt", "sub/a.txt", "/a.txt", "..", ".", "/", "a.txt/", "nowhere/a.txt"]
)
def test_outside(given: str, make_folder: MakeFolder) -> None:
    """What doesn't lie in the folder itself is refused, whether it is there or not."""
    folder = make_folder()
    (folder.options.path / "sub").mkdir()
    (folder.options.path / "sub" / "a.txt").write_bytes(b"7 1\n")
    (folder.options.path.parent / "a.txt").write_bytes(b"7 1\n")
    assert "outside" == refused(folder, given)


@pytest.mark.parametrize("name", [".a.txt", "a.part", "a.txt~", "a.txt.meta.json", "a.csv"])
def test_names_that_are_passed_over(name: str, make_folder: MakeFolder) -> None:
    """A name that a look into the folder passes over, or that doesn't match, is refused."""
    folder = make_folder(pattern="*.txt*")
    (folder.options.path / name).write_bytes(b"7 1\n")
    assert "name" == refused(folder, name)


@posix
def test_no_regular_file(make_folder: MakeFolder) -> None:
    """Links, folders and pipes are refused, and not followed."""
    folder = make_folder()
    written(folder, "a.txt")
    (folder.options.path / "link").symlink_to("a.txt")
    (folder.options.path / "sub").mkdir()
    os.mkfifo(folder.options.path / "pipe")
    assert ["not-regular"] * 3 == [refused(folder, name) for name in ("link", "sub", "pipe")]


@posix
@pytest.mark.parametrize("raw", [b"two\nlines.txt", b"not \xff utf-8.txt", b"back\\slash.txt"])
def test_any_name(raw: bytes, make_folder: MakeFolder) -> None:
    """Every name that a file can have can be announced, and is shown as a scan shows it."""
    folder = make_folder()
    name = os.fsdecode(raw)
    try:
        (folder.options.path / name).write_bytes(b"7 1\n")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert shown(name) == folder.named(name)
    assert [shown(name)] == [stat.name for stat in folder.scan()]


@posix
def test_one_name_for_one_file(make_folder: MakeFolder) -> None:
    """A hard link whose name differs in its case alone is a file of its own, where the system tells them apart."""
    folder = make_folder()
    written(folder, "a.txt")
    if (folder.options.path / "A.TXT").exists():
        assert "name" == refused(folder, "A.TXT")
        return
    os.link(folder.options.path / "a.txt", folder.options.path / "A.TXT")
    assert "A.TXT" == folder.named("A.TXT")


@pytest.mark.parametrize("ready", list(Ready))
def test_finished_whatever_is_demanded(ready: Ready, make_folder: MakeFolder) -> None:
    """The look at an announced file is the same as at one that is found, but asks for no evidence."""
    folder = make_folder(ready=ready)
    stat = written(folder, "a.txt.gz")
    found = folder.vouched(stat)
    assert (stat, None, "gz") == (found.stat, found.promised_digest, found.compression)
    assert found.sketch == make_folder(ready=ready).vouched(stat).sketch


@pytest.mark.parametrize("ready", list(Ready))
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes to a file")
def test_still_open_for_writing(ready: Ready, make_folder: MakeFolder) -> None:
    """A file that somebody writes to is refused, until it is closed."""
    folder = make_folder(ready=ready)
    with (folder.options.path / "a.txt").open("wb") as file:
        file.write(b"7 1\n")
        file.flush()
        stat = folder.look("a.txt")
        assert stat is not None
        with pytest.raises(NotAccepted, match="open for writing") as caught:
            folder.vouched(stat)
    assert "writing" == caught.value.reason
    assert stat == folder.vouched(stat).stat


def test_side_file_has_its_say(make_folder: MakeFolder) -> None:
    """Where side files are used, one that is there promises the digest; one that contradicts is a refusal."""
    folder = make_folder(ready=Ready.SIDE_FILE)
    stat = written(folder, "a.txt")
    side_file = folder.options.path / "a.txt.meta.json"
    promise = (
        '{"size": %d, "digest": "b38c333b9142a684652d540bac65dca9", "algorithm": "xxh3-chunks-1m"}'
    )
    side_file.write_text(promise % 4)
    assert "b38c333b9142a684652d540bac65dca9" == folder.vouched(stat).promised_digest
    for content in (promise % 5, "{"):
        side_file.write_text(content)
        with pytest.raises(NotAccepted) as caught:
            folder.vouched(stat)
        assert "side-file" == caught.value.reason


def test_another_file_by_now(make_folder: MakeFolder) -> None:
    """A file that changed or went since it was looked at isn't taken for the one that was."""
    folder = make_folder()
    stat = written(folder, "a.txt")
    written(folder, "a.txt", b"7 1\n8 1\n")
    with pytest.raises(FileChanged):
        folder.vouched(stat)
    (folder.options.path / "a.txt").unlink()
    with pytest.raises(FileVanished):
        folder.vouched(stat)


@posix
def test_unreadable(make_folder: MakeFolder) -> None:
    """A file that this user may not read is refused, with what to do."""
    folder = make_folder()
    stat = written(folder, "a.txt")
    (folder.options.path / "a.txt").chmod(0)
    if os.access(folder.options.path / "a.txt", os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(NotAccepted, match="can't be read") as caught:
        folder.vouched(stat)
    assert "unreadable" == caught.value.reason


def test_folder_that_is_gone(make_folder: MakeFolder) -> None:
    """A folder that can't be looked into, unmounted perhaps, is no reason to refuse for good."""
    folder = make_folder()
    folder.options.path.rmdir()
    with pytest.raises(Retryable):
        folder.named("a.txt")
