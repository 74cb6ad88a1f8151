"""Reading a file's bytes: from anywhere and by any thread, or, of a compressed one, from its start
to its end.
"""

import errno
import os
import stat as modes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

import xxhash

from qanat.digests import CHUNK_BYTES
from qanat.errors import BadFile, FileChanged, FileVanished, Retryable
from qanat.records import FileStat
from qanat.sources.files_compressed import CompressedBytes
from qanat.sources.files_identity import Identity, unchanged

# What opening a link, a folder and a socket answers.
_NO_FILE: Final = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO})


class ByteSource(Protocol):
    """The bytes of one opened file, as those who sum them see it.

    Attributes:
        size: In bytes; None where it isn't known before the end.
        sequential: True when it can only be read from start to end, by one thread.
    """

    size: int | None
    sequential: bool

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset` on; return the bytes read, fewer than asked only at the end."""
        ...


class HeldOpen(Retryable):
    """Somebody has the file to himself (a file server for a client); he is being asked to yield."""


class OpenFile:
    """A file that was opened as the one that was registered.

    Attributes:
        source: Its content.
    """

    def __init__(self, source: "PlainBytes | CompressedBytes") -> None:
        self.source: ByteSource = source
        self._compressed = source if isinstance(source, CompressedBytes) else None

    def disk_digest(self) -> str | None:
        """Of a compressed file that was read to its end: the digest of its bytes on disk; else
        None.
        """
        return self._compressed.disk_digest() if self._compressed else None


class PlainBytes:
    """The bytes of a file as they are on disk. Any thread may read, several at once.

    Never a mapping: touching a mapped page of a file that was truncated kills the process.
    """

    sequential = False

    def __init__(self, file: FileIO, stat: FileStat) -> None:
        self.size: int | None = stat.size
        self._file = file
        self._stat = stat
        self._lock = threading.Lock()
        self._read = self._seek_and_read
        if sys.platform != "win32":
            self._read = self._read_at
        if sys.platform == "linux":
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset` on.

        Raises:
            FileChanged: The file is shorter than it was.
            FileVanished: It is gone (a network mount forgets deleted files).
            Retryable: Reading failed.
        """
        done = 0
        wanted = min(len(view), max(0, self._stat.size - offset))
        with reading(self._stat.name):
            while done < wanted:
                count = self._read(view[done:wanted], offset + done)
                if count == 0:
                    raise FileChanged(f"{self._stat.name} was truncated while it was read.")
                done += count
        return done

    if sys.platform != "win32":

        def _read_at(self, view: memoryview, offset: int) -> int:
            return os.preadv(self._file.fileno(), [view], offset)

    def _seek_and_read(self, view: memoryview, offset: int) -> int:
        """For systems that can't read at an offset (Windows): one reader at a time."""
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(view)


@contextmanager
def opened(path: Path, name: str) -> Iterator[FileIO]:
    """Open a regular file for reading.

    Raises:
        FileVanished: There is none.
        FileChanged: It is something else by now: a folder, a link, a pipe.
        BadFile: It may not be read.
        Retryable: Opening it failed.
    """
    with reading(name):
        file = FileIO(path, opener=_open_untricked)
    with file:
        if not modes.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileChanged(f"{name} is no regular file any more.")
        yield file


@contextmanager
def open_file(
    path: Path, stat: FileStat, compression: str, identity: Identity
) -> Iterator[OpenFile]:
    """Open the file at `path` if it is the one of `stat`.

    Raises:
        FileChanged: It is another one, or was written to.
        FileVanished: It is gone.
        BadFile: It may not be read.
    """
    with opened(path, stat.name) as file:
        demand_unchanged(identity.of(stat.name, os.fstat(file.fileno())), stat)
        if compression == "none":
            yield OpenFile(PlainBytes(file, stat))
            return
        with CompressedBytes(file, stat, compression) as source:
            yield OpenFile(source)


def sketch_of(source: PlainBytes, size: int) -> str:
    """Digest the size, the first MiB and the last MiB of a file; a smaller one wholly, once."""
    buffer = bytearray(min(size, CHUNK_BYTES))
    digest = xxhash.xxh3_128(size.to_bytes(8, "big"))
    source.read_into(memoryview(buffer), 0)
    digest.update(buffer)
    if size > CHUNK_BYTES:
        source.read_into(memoryview(buffer), max(CHUNK_BYTES, size - CHUNK_BYTES))
        digest.update(memoryview(buffer)[: min(CHUNK_BYTES, size - CHUNK_BYTES)])
    return digest.hexdigest()


def demand_unchanged(found: FileStat, expected: FileStat) -> None:
    """Raise FileChanged, saying what differs, unless both are the same file."""
    if unchanged(found, expected):
        return
    if found.inode != expected.inode:
        change = "was replaced by another file"
    elif found.size != expected.size:
        change = f"had {expected.size} bytes and has {found.size}"
    else:
        change = "was written to"
    raise FileChanged(
        f"{expected.name} {change} after it was registered.",
        hint="Hand files over by renaming them into the folder; give new content a new name.",
    )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn the system's errors into ours, by what happens next."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileVanished(f"{name} is gone.") from error
    except PermissionError as error:
        hint = "Let the user that runs Qanat read the file, then requeue it."
        raise BadFile(f"{name} can't be read: {error.strerror}.", hint=hint) from error
    except BlockingIOError as error:
        raise HeldOpen(f"{name} is held open by somebody else.") from error
    except OSError as error:
        if error.errno == errno.ESTALE:
            raise FileVanished(f"{name} is gone.") from error
        if error.errno in _NO_FILE:
            raise FileChanged(f"{name} is no regular file any more.") from error
        raise Retryable(f"reading {name} failed: {error}") from error


def _open_untricked(path: str, flags: int) -> int:
    """Follow no link, and wait neither for a pipe's writer nor for a lease to end: the name may
    have been swapped since it was listed.
    """
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
