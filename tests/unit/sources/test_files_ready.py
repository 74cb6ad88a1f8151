"""A file that is still being written is never found."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qanat.digests import ALGORITHM
from qanat.errors import FileChanged
from qanat.records import FileStat
from qanat.sources import files_ready
from qanat.sources.files import Folder, Ready, Reason
from qanat.sources.files_identity import Identity
from qanat.testing.clock import FakeClock

Put = Callable[[Folder, str, bytes], FileStat]
MakeFolder = Callable[..., Folder]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel can be asked on Linux only")

# Writes a part of the file, says so, and goes on at each line it is sent.
_WRITER = """
import sys
with open(sys.argv[1], sys.argv[2]) as file:
    for step in range(3):
        file.write(f"{step} 1\\n")
        file.flush()
        print("written", flush=True)
        sys.stdin.readline()
print("closed", flush=True)
"""


class Writer:
    """A process that writes a file slowly, in place."""

    def __init__(self, path: Path, mode: str = "w") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said()

    def go_on(self) -> str:
        """Let it take the next step; return what it says then."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.said()

    def said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        with self._process:
            self._process.kill()


@contextlib.contextmanager
def writing(path: Path, mode: str = "w") -> Iterator[Writer]:
    writer = Writer(path, mode)
    try:
        yield writer
    finally:
        writer.end()


@linux
@pytest.mark.parametrize("ready", [Ready.RENAME, Ready.REST])
def test_a_file_that_a_process_still_writes_is_never_found(
    make_folder: MakeFolder, ready: Ready
) -> None:
    """However long it pauses, and although its name looks finished."""
    clock = FakeClock()
    folder = make_folder(clock, ready=ready)
    path = folder.options.path / "slow.txt"
    with writing(path) as writer:
        for said in ("written", "written", "closed"):
            folder.scan()
            clock.advance(3600)
            [stat] = folder.scan()
            assert folder.find(stat) is None
            assert [held.reason for held in folder.waiting()] == [Reason.WRITING]
            assert writer.go_on() == said
    folder.scan()
    clock.advance(3600)
    [stat] = folder.scan()
    found = folder.find(stat)
    assert found is not None
    assert found.stat.size == len("0 1\n1 1\n2 1\n")
    assert folder.waiting() == []


@linux
def test_the_final_check_notices_a_writer_who_has_not_written_yet(
    make_folder: MakeFolder, put: Put
) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    folder.check(stat)
    with (folder.options.path / "a.txt").open("ab"), pytest.raises(FileChanged, match="writing"):
        folder.check(stat)
    folder.check(stat)


@linux
def test_a_reader_does_not_hold_a_file_back(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    with (folder.options.path / "a.txt").open("rb"):
        assert folder.find(stat) is not None
        folder.check(stat)


@linux
def test_a_file_that_a_server_holds_for_a_client_is_not_waited_for(
    make_folder: MakeFolder, put: Put
) -> None:
    """A file server may hold a write lease; opening would block until it gives way."""
    import fcntl
    import signal

    folder = make_folder()
    stat = put(folder, "a.txt", b"1 2\n")
    with (folder.options.path / "a.txt").open("r+b") as held:
        fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert folder.find(stat) is None
        assert [waiting.reason for waiting in folder.waiting()] == [Reason.WRITING]


def test_rest_means_neither_size_nor_time_changed_for_so_long(make_folder: MakeFolder) -> None:
    clock = FakeClock()
    folder = make_folder(clock, ready=Ready.REST, rest_s=10)
    path = folder.options.path / "a.txt"
    path.write_bytes(b"1 2\n")
    assert folder.scan() == []
    clock.advance(9.9)
    assert folder.scan() == []
    path.write_bytes(b"1 2\n3 4\n")  # it went on: the time starts again
    clock.advance(0.2)
    assert folder.scan() == []
    clock.advance(9.9)
    assert folder.scan() == []
    assert [held.reason for held in folder.waiting()] == [Reason.RESTING]
    clock.advance(0.2)
    [stat] = folder.scan()
    assert folder.find(stat) is not None


def test_where_the_system_cannot_say_a_renamed_file_is_taken_at_once_and_others_rest(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user who doesn't own the files, on Linux; or on macOS."""
    if sys.platform == "win32":
        pytest.skip("no time of the last rename there")
    monkeypatch.setattr(files_ready, "has_writer", lambda *_: None)
    clock = FakeClock()
    folder = make_folder(clock, rest_s=10)
    (folder.options.path / "in-place.txt").write_bytes(b"1 2\n")
    partial = folder.options.path / ".renamed.part"
    partial.write_bytes(b"1 2\n")
    os.utime(partial, ns=(1, 1))  # written long before it was renamed
    partial.rename(folder.options.path / "renamed.txt")
    renamed, in_place = folder.scan()
    assert folder.find(renamed) is not None
    assert folder.find(in_place) is None
    clock.advance(10)
    assert folder.find(in_place) is not None


def test_on_a_network_mount_every_file_rests(
    make_folder: MakeFolder, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine may be writing, and its clock tells nothing."""
    monkeypatch.setattr("qanat.sources.files_identity.mount_type", lambda _: "nfs4")
    clock = FakeClock()
    folder = make_folder(clock, rest_s=10)
    stat = put(folder, "a.txt", b"1 2\n")
    assert folder.find(stat) is None
    clock.advance(10)
    assert folder.find(stat) is not None
    folder.check(stat)


def test_inodes_that_a_mount_makes_up_are_left_out(tmp_path: Path) -> None:
    identity = Identity(tmp_path.stat().st_dev, remote=True, lasting_inodes=False)
    (tmp_path / "a").touch()
    stat = identity.at(tmp_path / "a", "a")
    assert stat is not None
    assert stat.inode == 0


def test_a_folder_that_is_mounted_anew_has_the_same_files(tmp_path: Path) -> None:
    """Under another device number."""
    identity = Identity(tmp_path.stat().st_dev + 1, remote=False, lasting_inodes=True)
    (tmp_path / "a").touch()
    identity.renew(tmp_path)
    stat = identity.at(tmp_path / "a", "a")
    assert stat is not None
    assert stat.device == 0


def _promise(size: object, **other: object) -> bytes:
    return json.dumps({"size": size, "digest": "AB" * 16, "algorithm": ALGORITHM} | other).encode()


def test_a_side_file_that_fits_makes_a_file_ready_and_promises_its_digest(
    make_folder: MakeFolder, put: Put
) -> None:
    folder = make_folder(ready=Ready.SIDE_FILE)
    path = folder.options.path
    (path / "a.txt").write_bytes(b"1 2\n")
    assert folder.scan() == []
    assert [held.reason for held in folder.waiting()] == [Reason.NO_SIDE_FILE]
    (path / "a.txt.meta.json").write_bytes(_promise(4))
    [stat] = folder.scan()
    found = folder.find(stat)
    assert found is not None
    assert found.promised_digest == "ab" * 16
    assert folder.waiting() == []


def test_a_file_that_is_shorter_than_promised_waits(make_folder: MakeFolder, put: Put) -> None:
    """The side file may come first, and the file grow in place."""
    folder = make_folder(ready=Ready.SIDE_FILE)
    (folder.options.path / "a.txt.meta.json").write_bytes(_promise(8))
    stat = put(folder, "a.txt", b"1 2\n")
    assert folder.find(stat) is None
    [held] = folder.waiting()
    assert (held.reason, held.passing, held.problem) == (Reason.SIDE_FILE_DIFFERS, True, False)
    stat = put(folder, "a.txt", b"1 2\n3 4\n")
    assert folder.find(stat) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 5000,
        b" " * 100_000,
        _promise(4, algorithm="md5"),
        _promise(4, digest="xyz"),
        _promise(4, digest=None),
        _promise(-4),
        _promise(True),
    ],
)
def test_a_side_file_that_cannot_be_used_is_a_problem_and_no_crash(
    make_folder: MakeFolder, put: Put, content: bytes
) -> None:
    folder = make_folder(ready=Ready.SIDE_FILE)
    (folder.options.path / "a.txt.meta.json").write_bytes(content)
    assert folder.find(put(folder, "a.txt", b"1 2\n")) is None
    [held] = folder.waiting()
    assert (held.stat.name, held.reason, held.problem) == ("a.txt", Reason.SIDE_FILE_BAD, True)
    assert held.detail


def test_without_side_file_mode_side_files_mean_nothing(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    (folder.options.path / "a.txt.meta.json").write_bytes(_promise(8))
    found = folder.find(put(folder, "a.txt", b"1 2\n"))
    assert found is not None
    assert found.promised_digest is None
