"""How the generator hands its files over."""

import gzip
import io
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from qanat.digests import CHUNK_BYTES, chunk_digest, combine_digests
from qanat.errors import Busy, ConfigError
from qanat.pipelines.metering.generate.handover import (
    TEMPORARY_SUFFIX,
    HandOver,
    clean_leftovers,
)
from qanat.pipelines.metering.generator import (
    GeneratedFile,
    GeneratorOptions,
    expect,
    generate,
    generate_stream,
)
from qanat.testing.clock import FakeClock

SMALL = GeneratorOptions(
    files=3, size_bytes_min=50_000, size_bytes_max=60_000, consumers=500, bad_share=0.01, seed=5
)
LARGE = replace(SMALL, size_bytes_min=5 << 20, size_bytes_max=5 << 20)

# Writes at a rate, on a clock on which each wait passes at once; the twelfth is its death.
KILLED = """
import os, pathlib, sys
from qanat.pipelines.metering.generator import GeneratorOptions, generate
from qanat.testing.clock import FakeClock

class Killer(FakeClock):
    waits = 0

    def sleep(self, seconds):
        self.waits += 1
        if self.waits == 12:
            os.kill(os.getpid(), 9)
        self.advance(1e7)

generate(
    GeneratorOptions(files=None, size_bytes_min=3 << 20, size_bytes_max=3 << 20, consumers=500,
        bad_share=0.01, seed=5, bytes_per_s=0.1),
    pathlib.Path(sys.argv[1]), clock=Killer())
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def file_digest(content: bytes) -> str:
    chunks = (content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))
    return combine_digests(b"".join(map(chunk_digest, chunks)), len(content))


@pytest.mark.parametrize("compression", ["none", "gz", "zst"])
def test_files_on_disk_hold_the_lines_and_their_side_files_describe_them(
    compression: str, tmp_path: Path
) -> None:
    """Decompressed they are the plain bytes; size and digest are those of the bytes on disk."""
    options = replace(LARGE, files=2, compression=compression, side_files=True, pattern="f{index}")
    expected = generate(options, tmp_path / "made" / "here")

    suffix = {"none": "", "gz": ".gz", "zst": ".zst"}[compression]
    assert [f"f0{suffix}", f"f0{suffix}.meta.json", f"f1{suffix}", f"f1{suffix}.meta.json"] == (
        names(tmp_path / "made" / "here")
    )
    for file in expected.files:
        stored = (tmp_path / "made" / "here" / file.name).read_bytes()
        side_file = tmp_path / "made" / "here" / f"{file.name}.meta.json"
        digest = file_digest(stored)
        assert b"".join(generate_stream(options, file.index)) == decompress(compression, stored)
        assert (len(stored), digest) == (file.stored_bytes, file.digest)
        described = {"size": len(stored), "digest": digest, "algorithm": "xxh3-chunks-1m"}
        assert described == json.loads(side_file.read_text())


def decompress(compression: str, stored: bytes) -> bytes:
    if compression == "gz":
        return gzip.decompress(stored)
    if compression == "zst":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(stored)).read()
    return stored


def test_a_file_is_invisible_until_it_is_whole(tmp_path: Path) -> None:
    """While it is written there is one hidden temporary name, which no reader takes for input."""
    seen: set[str] = set()

    class LookingClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            seen.update(names(tmp_path))
            super().sleep(seconds)

    generate(replace(LARGE, files=1, bytes_per_s=1 << 20), tmp_path, clock=LookingClock())

    assert {".metering-000000.txt.qanat.part"} == seen
    assert ["metering-000000.txt"] == names(tmp_path)
    assert all(name.startswith(".") and name.endswith(".part") for name in seen)


def test_the_side_file_appears_before_its_file(tmp_path: Path) -> None:
    """A file that can't get its name leaves the side file, which the next run replaces."""
    handover = HandOver(tmp_path, "name", durable=True)
    with handover, pytest.raises(ConfigError, match="name"):
        (tmp_path / "name").write_text("somebody else's")
        handover.publish(b"{}")
    assert ["name", "name.meta.json"] == names(tmp_path)
    assert "somebody else's" == (tmp_path / "name").read_text()

    (tmp_path / "name").unlink()
    with HandOver(tmp_path, "name", durable=True) as handover:
        handover.write(b"1 2\n")
        handover.publish(b"{} ")
    assert b"1 2\n" == (tmp_path / "name").read_bytes()
    assert b"{} " == (tmp_path / "name.meta.json").read_bytes()


def test_an_existing_name_is_never_overwritten(tmp_path: Path) -> None:
    """The second run is refused before it changes anything, and says what to do."""
    generate(SMALL, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(ConfigError, match=r"metering-000000\.txt.*\n.*first_index"):
        generate(replace(SMALL, seed=6), tmp_path)

    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_later_run_goes_on_at_the_next_index(tmp_path: Path) -> None:
    """Two runs of two files make what one run of four makes."""
    generate(replace(SMALL, files=2), tmp_path / "parts")
    generate(replace(SMALL, files=2, first_index=2), tmp_path / "parts")
    generate(replace(SMALL, files=4), tmp_path / "whole")

    assert names(tmp_path / "whole") == names(tmp_path / "parts")
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / path.name).read_bytes()


def test_leftovers_of_killed_generators_are_deleted_and_others_stay(tmp_path: Path) -> None:
    """Only our own temporary names go, and only those that no living process holds."""
    (tmp_path / f".metering-000000.txt{TEMPORARY_SUFFIX}").write_bytes(b"1 2")
    (tmp_path / f".metering-000007.txt{TEMPORARY_SUFFIX}").write_bytes(b"1 2")
    (tmp_path / ".upload.part").write_bytes(b"not ours")

    with HandOver(tmp_path, "live", durable=False):
        assert [
            f".metering-000000.txt{TEMPORARY_SUFFIX}",
            f".metering-000007.txt{TEMPORARY_SUFFIX}",
        ] == [path.name for path in clean_leftovers(tmp_path)]
        assert [f".live{TEMPORARY_SUFFIX}", ".upload.part"] == names(tmp_path)


def test_a_leftover_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    """A generator that was killed after our start doesn't block its name."""
    (tmp_path / f".name{TEMPORARY_SUFFIX}").write_bytes(b"half a line")
    with HandOver(tmp_path, "name", durable=False) as handover:
        handover.write(b"1 2\n")
        handover.publish()
    assert ["name"] == names(tmp_path)
    assert b"1 2\n" == (tmp_path / "name").read_bytes()


def test_two_generators_never_write_one_name(tmp_path: Path) -> None:
    """The second is refused while the first is writing, and the first isn't disturbed."""
    with HandOver(tmp_path, "name", durable=False) as first:
        with (
            pytest.raises(Busy, match="another generator"),
            HandOver(tmp_path, "name", durable=False),
        ):
            pass
        first.write(b"1 2\n")
        first.publish()
    assert b"1 2\n" == (tmp_path / "name").read_bytes()


@pytest.mark.fault
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_a_killed_generator_leaves_whole_files_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle of a file: every visible file is whole."""
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=120, check=False)

    assert -9 == died.returncode
    made = [name for name in names(tmp_path) if not name.startswith(".")]
    assert made
    assert len(made) + 1 == len(names(tmp_path))
    options = replace(SMALL, size_bytes_min=3 << 20, size_bytes_max=3 << 20, first_index=len(made))
    for index, name in enumerate(made):
        assert b"".join(generate_stream(options, index)) == (tmp_path / name).read_bytes()
    generate(replace(options, files=1), tmp_path)
    assert len(made) + 1 == len(names(tmp_path))
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_stop_gives_up_the_file_being_written(tmp_path: Path) -> None:
    """The result is that of the files handed over, also where consumers were new in the last."""
    stop = threading.Event()

    class StoppingClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.monotonic() > 12.5:  # within the third file
                stop.set()

    options = replace(
        LARGE, files=None, bytes_per_s=1 << 20, consumers=10**6, amount_min=0, amount_max=10**18 - 1
    )
    stopped = generate(options, tmp_path, clock=StoppingClock(), stop=stop)

    expected = expect(replace(options, files=2))
    assert ["metering-000000.txt", "metering-000001.txt"] == names(tmp_path)
    assert expected.totals() == stopped.totals()
    assert (expected.lines_good, expected.lines_bad, expected.amount_sum) == (
        stopped.lines_good,
        stopped.lines_bad,
        stopped.amount_sum,
    )
    assert expected.bad_lines == stopped.bad_lines
    assert expected.bad_by_kind == stopped.bad_by_kind


def test_a_stop_before_the_start_makes_nothing(tmp_path: Path) -> None:
    """No file, and a result of nothing."""
    stop = threading.Event()
    stop.set()
    assert 0 == generate(replace(SMALL, files=None), tmp_path, stop=stop).file_count
    assert [] == names(tmp_path)


def test_endless_generation_ends_by_the_stop_event(tmp_path: Path) -> None:
    """Without a count it goes on until it is stopped between two files."""
    stop = threading.Event()

    def after(file: GeneratedFile) -> None:
        if file.index == 4:
            stop.set()

    expected = generate(replace(SMALL, files=None), tmp_path, stop=stop, on_file=after)
    assert 5 == expected.file_count == len(names(tmp_path))


def test_rates_are_kept(tmp_path: Path) -> None:
    """Bytes over all files, or files, come no faster than asked, and not much slower."""
    clock = FakeClock()
    expected = generate(replace(LARGE, bytes_per_s=1 << 20), tmp_path / "bytes", clock=clock)
    assert expected.size_bytes / (1 << 20) == pytest.approx(clock.monotonic(), rel=0.001)

    clock = FakeClock()
    generate(replace(SMALL, files=5, files_per_s=0.5), tmp_path / "files", clock=clock)
    assert 8 == pytest.approx(clock.monotonic())


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are of POSIX")
def test_a_write_that_fails_leaves_nothing_of_the_file(tmp_path: Path) -> None:
    """As on a full disk: the system's error comes through, files handed over before stay."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    options = replace(LARGE, first_index=1, pattern="f{index}")
    generate(replace(SMALL, files=1, pattern="f{index}"), tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            generate(options, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ["f0"] == names(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no permissions there")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The system's own error comes through, with the path."""
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="metering-000000"):
        generate(SMALL, tmp_path)
