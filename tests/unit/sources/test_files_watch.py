"""Waiting ends when something comes, when it is told to, and in time; it leaves nothing behind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.records import FileStat
from qanat.sources.files import LOOK_AGAIN_S, Folder, Ready, Watch
from qanat.testing.clock import FakeClock

Put = Callable[[Folder, str, bytes], FileStat]
MakeFolder = Callable[..., Folder]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
# Far more than any wait here should take: what is tested is that it ends by itself, before that.
LONG_S = 60.0

_HAND_OVER = """
import pathlib, sys
partial = pathlib.Path(sys.argv[1], ".new.part")
partial.write_bytes(b"1 2\\n")
partial.rename(partial.with_name("new.txt"))
"""


def watched(make_folder: MakeFolder, **options: object) -> Folder:
    """A folder whose watching has begun: the first wait ends at once, so that nothing is missed."""
    folder = make_folder(**options)
    folder.scan()
    if folder.options.watch is not Watch.POLL:
        assert folder.wait(LONG_S)
        folder.scan()
    return folder


def later(action: Callable[[], object]) -> threading.Timer:
    """Do something while the test waits."""
    timer = threading.Timer(0.1, action)
    timer.start()
    return timer


def took_s(folder: Folder, timeout_s: float) -> tuple[bool, float]:
    started_s = time.monotonic()
    noticed = folder.wait(timeout_s)
    return noticed, time.monotonic() - started_s


def test_the_first_wait_ends_at_once(make_folder: MakeFolder) -> None:
    """Nobody has looked yet."""
    assert make_folder().wait(LONG_S)


def test_an_event_ends_the_wait(make_folder: MakeFolder) -> None:
    """Another process hands a file over."""
    folder = watched(make_folder)
    with subprocess.Popen([sys.executable, "-c", _HAND_OVER, str(folder.options.path)]):
        noticed, waited_s = took_s(folder, LOOK_AGAIN_S - 5)
    assert noticed
    assert waited_s < LOOK_AGAIN_S - 5
    assert [stat.name for stat in folder.scan()] == ["new.txt"]


def test_a_file_written_in_place_is_noticed_too(make_folder: MakeFolder) -> None:
    """It is looked at every poll_s while it is written, and found when its writer has closed it."""
    folder = watched(make_folder, poll_s=0.2)
    with (folder.options.path / "slow.txt").open("wb") as file:
        file.write(b"1 2\n")
        assert folder.wait(LONG_S)
        [stat] = folder.scan()
        found = folder.find(stat)
        if found is None:  # where the system can tell that it is open for writing
            assert folder.wait(LONG_S)
    while found is None:
        assert folder.wait(LONG_S)
        found = folder.find(folder.scan()[0])
    assert found.stat.size == 4


def test_what_cannot_be_input_does_not_end_the_wait(make_folder: MakeFolder, put: Put) -> None:
    folder = watched(make_folder, pattern="*.txt")
    path = folder.options.path
    put(folder, "a.txt", b"1 2\n")
    while folder.wait(0.2):
        folder.scan()
    (path / "b.part").touch()
    (path / "b.csv").touch()
    (path / "a.txt.meta.json").touch()
    (path / ".qanat").mkdir()
    (path / "a.txt").unlink()
    assert not folder.wait(0.3)


def test_a_side_file_ends_the_wait_where_they_matter(make_folder: MakeFolder) -> None:
    folder = watched(make_folder, ready=Ready.SIDE_FILE)
    (folder.options.path / "a.txt.meta.json").touch()
    assert folder.wait(LOOK_AGAIN_S - 5)


@linux
def test_names_that_are_not_utf8_are_noticed_again_and_again(make_folder: MakeFolder) -> None:
    """The library stops at such a name; watching goes on."""
    folder = watched(make_folder, poll_s=0.1)
    for number in (b"1", b"2"):
        (folder.options.path / os.fsdecode(b"\xff" + number)).write_bytes(b"1 2\n")
        assert folder.wait(LOOK_AGAIN_S - 5)
        folder.scan()
    assert len(folder.scan()) == 2


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.POLL])
def test_wake_ends_the_wait_or_the_next_one(make_folder: MakeFolder, watch: Watch) -> None:
    folder = watched(make_folder, watch=watch, poll_s=LONG_S)
    folder.wake()
    assert folder.wait(LONG_S)
    timer = later(folder.wake)
    assert folder.wait(LONG_S)
    timer.join()
    assert not folder.wait(0.1)


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.POLL])
def test_a_thread_that_never_scans_is_not_kept_busy(make_folder: MakeFolder, watch: Watch) -> None:
    """It's told that a look is due once; others may be busy with a large file for an hour."""
    clock = FakeClock()
    folder = watched(make_folder, watch=watch, clock=clock)
    clock.advance(3600)
    assert folder.wait(LONG_S)
    assert not folder.wait(0.05)


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.POLL])
def test_every_waiting_thread_is_told_of_every_change(
    make_folder: MakeFolder, watch: Watch
) -> None:
    """None takes an event away from another, whether it waits at that moment or comes later."""
    folder = watched(make_folder, watch=watch, poll_s=LONG_S)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(folder.wait, LONG_S) for _ in range(3)]
        if watch is Watch.EVENTS:
            (folder.options.path / "new.txt").touch()
        else:
            folder.wake()
        assert all(wait.result() for wait in waiting)
    assert folder.wait(LONG_S)


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.POLL])
def test_a_wait_without_news_ends_in_time(make_folder: MakeFolder, watch: Watch) -> None:
    noticed, waited_s = took_s(watched(make_folder, watch=watch, poll_s=LONG_S), 0.3)
    assert not noticed
    assert 0.3 <= waited_s < LONG_S


def test_polling_asks_for_a_look_every_so_often(make_folder: MakeFolder) -> None:
    """Also when the waits are shorter than that."""
    clock = FakeClock()
    folder = make_folder(clock, watch=Watch.POLL, poll_s=10)
    folder.scan()
    clock.advance(9.9)
    assert not folder.wait(0.05)
    clock.advance(0.2)
    assert folder.wait(LONG_S)
    folder.scan()
    assert not folder.wait(0.05)


def test_with_events_a_look_is_due_now_and_then_all_the_same(make_folder: MakeFolder) -> None:
    """Events can be lost."""
    clock = FakeClock()
    folder = watched(make_folder, clock=clock)
    clock.advance(LOOK_AGAIN_S - 0.1)
    assert not folder.wait(0.05)
    clock.advance(0.2)
    assert folder.wait(LONG_S)


def test_a_folder_that_was_replaced_is_watched_again(make_folder: MakeFolder) -> None:
    """As after an unmount and a mount."""
    folder = watched(make_folder)
    path = folder.options.path
    path.rename(path.with_name("before"))
    while folder.wait(0.1):
        pass
    path.mkdir()
    assert folder.wait(LONG_S)
    folder.scan()
    timer = later((path / "new.txt").touch)
    assert folder.wait(LOOK_AGAIN_S - 5)
    timer.join()


@pytest.mark.parametrize("watch", [Watch.EVENTS, Watch.POLL])
def test_close_ends_a_wait_and_leaves_no_thread(make_folder: MakeFolder, watch: Watch) -> None:
    before = _threads()
    folder = watched(make_folder, watch=watch, poll_s=LONG_S)
    timer = later(folder.close)
    assert folder.wait(LONG_S)
    timer.join()
    folder.close()
    while _threads() > before:  # the system's ends a moment after it was told to; or the test hangs
        time.sleep(0.01)


def _threads() -> int:
    if sys.platform == "linux":
        return len(list(Path("/proc/self/task").iterdir()))
    return threading.active_count()


def test_a_network_mount_is_polled(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qanat.sources.files_identity.mount_type", lambda _: "cifs")
    clock = FakeClock()
    folder = make_folder(clock, poll_s=10)
    folder.scan()
    assert not folder.wait(0.05)
    clock.advance(10)
    assert folder.wait(LONG_S)


@contextmanager
def no_watch_left() -> Iterator[None]:
    """Let nothing more be opened by this process, as if the system's watches were used up."""
    import resource

    import watchfiles  # noqa: F401 - while modules can be opened

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@linux
def test_without_a_watch_left_auto_polls(make_folder: MakeFolder) -> None:
    clock = FakeClock()
    folder = make_folder(clock, poll_s=10)
    folder.scan()
    with no_watch_left():
        assert folder.wait(LONG_S)
    assert not folder.wait(0.05)
    clock.advance(10)
    assert folder.wait(LONG_S)


@linux
def test_without_a_watch_left_events_are_refused(make_folder: MakeFolder) -> None:
    folder = make_folder(watch=Watch.EVENTS)
    with no_watch_left(), pytest.raises(ConfigError, match="max_user_instances"):
        folder.wait(LONG_S)
