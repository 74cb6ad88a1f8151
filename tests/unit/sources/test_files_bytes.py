"""Reading: the right bytes of the right file, or an error that says what happens next."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

import pytest
import zstandard

from qanat.digests import ChunkDigest
from qanat.errors import BadFile, FileChanged, FileVanished
from qanat.records import FileStat
from qanat.sources.files import ByteSource, Folder
from qanat.sources.files_bytes import PlainBytes

Put = Callable[[Folder, str, bytes], FileStat]
MakeFolder = Callable[..., Folder]
LINES = b"".join(b"%d %d\n" % (number % 977, number) for number in range(200_000))
GZ = gzip.compress(LINES, 1)
EMPTY_GZ = gzip.compress(b"")
ZST = zstandard.ZstdCompressor(3, write_checksum=True).compress(LINES)
ENDS = {"gz": GZ, "zst": ZST}
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"


def read_all(source: ByteSource, step: int = 100_003) -> bytes:
    buffer = memoryview(bytearray(step))
    content = b""
    while count := source.read_into(buffer, len(content)):
        content += buffer[:count]
    return content


def digest(content: bytes) -> str:
    summed = ChunkDigest()
    summed.update(content)
    return summed.hexdigest()


def test_a_plain_file_is_read_from_anywhere_by_any_thread(
    make_folder: MakeFolder, put: Put
) -> None:
    folder = make_folder()
    stat = put(folder, "a", LINES)
    with folder.open(stat, "none") as opened, ThreadPoolExecutor(4) as threads:
        source = opened.source
        assert (source.size, source.sequential, opened.disk_digest()) == (len(LINES), False, None)

        def part(start: int) -> bytes:
            view = memoryview(bytearray(70_001))
            return bytes(view[: source.read_into(view, start)])

        parts = list(threads.map(part, range(0, len(LINES), 70_001)))
        assert b"".join(parts) == LINES
        assert source.read_into(memoryview(bytearray(10)), len(LINES)) == 0
        assert source.read_into(memoryview(bytearray(10)), len(LINES) + 10) == 0


def test_reading_without_preadv_gives_the_same(
    make_folder: MakeFolder, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of Windows, where a position belongs to the open file."""
    stat = put(make_folder(), "a", LINES)
    monkeypatch.setattr(sys, "platform", "win32")
    with FileIO(make_folder().options.path / "a") as file:
        source = PlainBytes(file, stat)
        starts = range(0, len(LINES), 70_001)

        def part(start: int) -> bytes:
            view = memoryview(bytearray(70_001))
            return bytes(view[: source.read_into(view, start)])

        with ThreadPoolExecutor(4) as threads:
            assert b"".join(threads.map(part, starts)) == LINES


def test_a_file_truncated_while_it_is_read_is_an_error_and_no_crash(
    make_folder: MakeFolder, put: Put
) -> None:
    folder = make_folder()
    stat = put(folder, "a", LINES)
    with folder.open(stat, "none") as opened:
        os.truncate(folder.options.path / "a", 1000)
        view = memoryview(bytearray(4096))
        with pytest.raises(FileChanged, match="truncated"):
            opened.source.read_into(view, 0)


@pytest.mark.parametrize("method", ["open", "check"])
@pytest.mark.parametrize("change", ["append", "overwrite", "replace", "remove", "folder"])
def test_only_the_very_file_is_opened_and_passes_the_check(
    make_folder: MakeFolder, put: Put, method: str, change: str
) -> None:
    folder = make_folder()
    stat = put(folder, "a", b"1 2\n")
    _change(folder.options.path / "a", change)
    error = FileVanished if change == "remove" else BadFile if change == "folder" else FileChanged
    with pytest.raises(error):
        if method == "check":
            folder.check(stat)
        else:
            with folder.open(stat, "none"):
                pass


def _change(path: Path, change: str) -> None:
    if change == "append":
        path.write_bytes(b"1 2\n3 4\n")
    elif change == "overwrite":  # the same size, another time
        path.write_bytes(b"1 3\n")
        os.utime(path, ns=(1, 1))
    elif change == "replace":  # the same size and time, another inode
        before = path.stat()
        other = path.with_name("b")
        other.write_bytes(b"1 3\n")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(path)
    else:
        path.unlink()
        if change == "folder":
            path.mkdir()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.gz", GZ, LINES),
        ("a.zst", ZST, LINES),
        ("a.gz", GZ + EMPTY_GZ + GZ, LINES + LINES),
        ("a.zst", ZST + SKIPPABLE_FRAME + ZST, LINES + LINES),
        ("a.gz", EMPTY_GZ, b""),
    ],
    ids=["gz", "zst", "gz members", "zst frames", "gz of nothing"],
)
def test_archives_are_read_whole_and_summed_as_on_disk(
    make_folder: MakeFolder, put: Put, name: str, content: bytes, expected: bytes
) -> None:
    folder = make_folder()
    found = folder.find(put(folder, name, content))
    assert found is not None
    with folder.open(found.stat, found.compression) as opened:
        assert (opened.source.size, opened.source.sequential) == (None, True)
        assert opened.disk_digest() is None
        assert read_all(opened.source) == expected
        assert opened.disk_digest() == digest(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.gz", b""),
        ("empty.zst", b""),
        ("plain.gz", LINES),
        ("plain.zst", LINES),
        *((f"cut-{cut}.{end}", ENDS[end][:-cut]) for end in ENDS for cut in (1, 5, 100_000)),
        *((f"cut-header.{end}", ENDS[end] + ENDS[end][:3]) for end in ENDS),
        *((f"cut-second.{end}", ENDS[end] + ENDS[end][:-7]) for end in ENDS),
        *((f"rubbish-after.{end}", ENDS[end] + b"rubbish") for end in ENDS),
        *((f"bit.{end}", ENDS[end][:-1] + bytes([ENDS[end][-1] ^ 1])) for end in ENDS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_archive_is_a_bad_file(
    make_folder: MakeFolder, put: Put, name: str, content: bytes
) -> None:
    """Above all one that is cut off: its lines so far look perfectly well."""
    folder = make_folder()
    found = folder.find(put(folder, name, content))
    assert found is not None
    with (
        pytest.raises(BadFile, match=name),
        folder.open(found.stat, found.compression) as opened,
    ):
        read_all(opened.source)


@pytest.mark.parametrize("end", ["gz", "zst"])
def test_a_small_archive_of_a_huge_file_takes_little_memory(
    make_folder: MakeFolder, put: Put, end: str
) -> None:
    """256 MiB of zeros are read in bounded memory: Arrow's buffers are measured."""
    import pyarrow as pa

    packer = (
        zlib.compressobj(9, wbits=31) if end == "gz" else zstandard.ZstdCompressor().compressobj()
    )
    mib = bytes(1 << 20)
    content = b"".join([*(packer.compress(mib) for _ in range(256)), packer.flush()])
    folder = make_folder()
    stat = put(folder, f"a.{end}", content)
    view, size = memoryview(bytearray(1 << 20)), 0
    before = pa.total_allocated_bytes()
    with folder.open(stat, end) as opened:
        while count := opened.source.read_into(view, size):
            size += count
            assert pa.total_allocated_bytes() - before < 16 << 20
    assert size == 256 << 20


def test_a_sequential_source_goes_on_where_it_was(make_folder: MakeFolder, put: Put) -> None:
    folder = make_folder()
    stat = put(folder, "a.gz", GZ)
    with folder.open(stat, "gz") as opened:
        opened.source.read_into(memoryview(bytearray(10)), 0)
        with pytest.raises(ValueError, match="goes on at 10"):
            opened.source.read_into(memoryview(bytearray(10)), 0)
