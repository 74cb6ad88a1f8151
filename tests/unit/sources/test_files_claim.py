"""A folder feeds one store at a time, and remembers which."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qanat.errors import Busy
from qanat.sources.files import After, Folder, FolderClaim

MakeFolder = Callable[..., Folder]
ONE, OTHER = "6f1c", "90ab"

_CLAIMER = """
import os, sys
from pathlib import Path
from qanat.clock import SystemClock
from qanat.sources.files import Folder, FolderOptions
claim = Folder(FolderOptions(Path(sys.argv[1])), SystemClock()).claim(
    sys.argv[2], "metering", f"store {sys.argv[2]}")
print(os.getpid(), flush=True)
sys.stdin.readline()
"""


def claim(folder: Folder, store: str, pipeline: str = "metering") -> FolderClaim:
    return folder.claim(store, pipeline, f"store {store}")


@pytest.fixture
def claimer() -> Callable[[Path, str], "subprocess.Popen[str]"]:
    """Start a process that claims a folder and holds it until it is killed."""

    def start(path: Path, store: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", _CLAIMER, str(path), store],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(process.pid)
        return process

    return start


def test_instances_with_the_same_store_share_a_folder(make_folder: MakeFolder) -> None:
    folder = make_folder()
    with claim(folder, ONE) as first, claim(make_folder(), ONE) as second:
        assert (first.before, first.guarded) == (None, True)
        assert (second.before, second.guarded) == (None, True)


@pytest.mark.parametrize(("store", "pipeline"), [(OTHER, "metering"), (ONE, "social")])
def test_another_store_or_pipeline_is_refused_while_one_lives(
    make_folder: MakeFolder, store: str, pipeline: str
) -> None:
    folder = make_folder()
    with claim(folder, ONE), pytest.raises(Busy, match=f"store {ONE}"):
        claim(folder, store, pipeline)
    with claim(folder, store, pipeline) as changed:
        assert changed.before == f"store {ONE}"


def test_the_refusal_says_who_holds_the_folder_until_that_process_is_killed(
    make_folder: MakeFolder, claimer: Callable[[Path, str], "subprocess.Popen[str]"]
) -> None:
    """A process that was killed leaves nothing that has to be cleaned up by hand."""
    folder = make_folder()
    with claimer(folder.options.path, ONE) as process:
        try:
            with pytest.raises(Busy, match=rf"store {ONE} \(process {process.pid} on "):
                claim(folder, OTHER)
            claim(folder, ONE).release()
            with pytest.raises(Busy):
                claim(folder, OTHER)
        finally:
            process.kill()
    with claim(folder, OTHER) as changed:
        assert changed.before == f"store {ONE}"
        instances = folder.options.path / ".qanat" / "instances"
        assert len(list(instances.iterdir())) == 2


def test_the_change_of_stores_is_told_once(make_folder: MakeFolder) -> None:
    folder = make_folder()
    claim(folder, ONE).release()
    assert claim(folder, ONE).before is None


def test_the_change_of_stores_is_told_after_everybody_has_gone(make_folder: MakeFolder) -> None:
    folder = make_folder()
    claim(folder, ONE).release()
    released = claim(folder, OTHER)
    assert released.before == f"store {ONE}"
    released.release()
    released.release()
    with claim(folder, OTHER) as again:
        assert again.before is None


def test_descriptions_cut_short_by_a_power_failure_are_no_obstacle(
    make_folder: MakeFolder,
) -> None:
    folder = make_folder()
    instances = folder.options.path / ".qanat" / "instances"
    instances.mkdir(parents=True)
    (instances / "1-a.json").write_text("{")
    (instances.parent / "last.json").write_bytes(b"")
    with claim(folder, ONE) as mine:
        assert mine.before is None
    assert list(instances.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_unguarded(make_folder: MakeFolder) -> None:
    """Its files are kept; nothing can be left there for others to see."""
    folder = make_folder(after=After.KEEP)
    (folder.options.path / ".qanat").touch()  # stands for a read-only mount
    with claim(folder, ONE) as mine:
        assert not mine.guarded
