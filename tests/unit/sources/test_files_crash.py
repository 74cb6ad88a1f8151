"""Killed at any step of settling a file, the repetition ends it: nothing lost, doubled, left."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.digests import ALGORITHM

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(sys.platform == "win32", reason="no fork there"),
]

SIDE_FILE = json.dumps({"size": 4, "digest": "0" * 32, "algorithm": ALGORITHM})

# For each step: prepare; let a child settle and kill itself when it comes to that step; let the
# next file of the name arrive if the name is free; settle again; print what came of it. Every
# change that Python makes to a file system is announced to audit hooks before it is made. The forks
# are made here because the test's own process has threads.
_KILLER = """
import json, os, shutil, signal, sys
from pathlib import Path
from qanat.clock import SystemClock
from qanat.sources.files import After, Folder, FolderOptions

place, done = Path(sys.argv[1]), Path(sys.argv[2])
after, side_file = After(sys.argv[3]), sys.argv[4]
options = FolderOptions(place, after=after, done=done)
steps = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.utime", "os.chmod"}

def prepare():
    for old in (place, done):
        shutil.rmtree(old, ignore_errors=True)
    place.mkdir()
    done.mkdir(parents=True)
    (done / "a.txt").write_text("older")
    (place / "a.txt").write_text("1 2\\n")
    (place / "a.txt.meta.json").write_text(side_file)
    [stat] = Folder(options, SystemClock()).scan()
    return stat

def settle(stat):
    return Folder(options, SystemClock()).settle(stat, "done", 7)

def killed_at(stat, step):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = []
    def hook(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event in steps or writes:
            seen.append(event)
            if len(seen) > step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    settle(stat)
    os._exit(0)

def tree(path):
    names = (p for p in path.rglob("*") if p.suffix != ".lock")
    return {str(p.relative_to(path)): p.read_text() for p in names if p.is_file()}

for step in range(100):
    stat = prepare()
    ended = killed_at(stat, step)
    newer = not (place / "a.txt").exists()
    if newer:
        (place / "a.txt").write_text("3 4\\n")
    outcome = settle(stat)
    moving = place / ".qanat" / "moving"
    left = [p.name for p in moving.iterdir()] if moving.exists() else []
    print(json.dumps([ended, newer, outcome, tree(place), tree(done), left]), flush=True)
    if not ended:
        break
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on another device."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no second file system here")
    path = Path(tempfile.mkdtemp(prefix="qanat-test-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


def kill_at_each_step(place: Path, done: Path, after: str) -> list[list[object]]:
    """Run the killer; return what it printed: one line for each step, the last one unkilled."""
    run = subprocess.run(
        [sys.executable, "-c", _KILLER, str(place), str(done), after, SIDE_FILE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line[0] for line in lines] == [-9] * (len(lines) - 1) + [0]
    return lines


def test_a_move_is_repeatable_from_every_step(tmp_path: Path) -> None:
    """Take, take the side file, link, unlink, each again for the side file, clean up."""
    lines = kill_at_each_step(tmp_path / "in", tmp_path / "done", "move")
    assert len(lines) > 8
    for _, newer, outcome, place, done, left in lines:
        assert outcome == str(tmp_path / "done" / "a~7.txt")
        assert place == ({"a.txt": "3 4\n"} if newer else {})
        assert done == {"a.txt": "older", "a~7.txt": "1 2\n", "a~7.txt.meta.json": SIDE_FILE}
        assert left == []


def test_a_move_to_another_device_is_repeatable_from_every_step(
    tmp_path: Path, memory: Path
) -> None:
    """Copy, and only then remove."""
    lines = kill_at_each_step(tmp_path / "in", memory / "done", "move")
    assert len(lines) > 12
    for _, newer, outcome, place, done, left in lines:
        assert outcome == str(memory / "done" / "a~7.txt")
        assert place == ({"a.txt": "3 4\n"} if newer else {})
        assert done == {"a.txt": "older", "a~7.txt": "1 2\n", "a~7.txt.meta.json": SIDE_FILE}
        assert left == []


def test_a_deletion_is_repeatable_from_every_step(tmp_path: Path) -> None:
    lines = kill_at_each_step(tmp_path / "in", tmp_path / "done", "delete")
    assert len(lines) > 4
    for _, newer, outcome, place, done, left in lines:
        assert outcome is None
        assert place == ({"a.txt": "3 4\n"} if newer else {})
        assert done == {"a.txt": "older"}
        assert left == []
