"""A small disk that can be filled: a file system in memory, which only root on Linux can mount."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Room for a database of some megabytes twice (a checkpoint writes anew), for PostgreSQL's empty database of 8 MB, and for
# the input.
SIZE_BYTES = 96 << 20
_FILLER = "filler"
_BLOCK_BYTES = 4096


def disk_refusal() -> str:
    """Say why no small disk can be had here; empty when one can."""
    if sys.platform != "linux":
        return (
            "a small disk can be mounted on Linux only; full:… reports a full disk at every point"
        )
    if os.geteuid() != 0:
        return "only root can mount a small disk; full:… reports a full disk at every point"
    return ""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk on `folder` (which is made); it is gone at the end.

    Raises:
        OSError: It can't be mounted, as in a container without the right to.
    """
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "qanat-prove", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"a small disk can't be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: a server that was killed may have a file open for a moment longer.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class FullDisk:
    """The disk on which `folder` lies, to be filled with a file of our own.

    Attributes:
        described: What it is.
    """

    def __init__(self, folder: Path) -> None:
        self._filler = folder / _FILLER
        self._folder = folder
        self.described = f"a tmpfs of {SIZE_BYTES >> 20} MiB, filled to the last block"

    def fill(self, room_bytes: int) -> None:
        """Leave `room_bytes` on it."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while self._free() > room_bytes:
                block = max(_BLOCK_BYTES, min(1 << 20, self._free() - room_bytes))
                file.write(bytes(block))

    def make_room(self) -> None:
        """Empty it again."""
        self._filler.unlink(missing_ok=True)

    def _free(self) -> int:
        if sys.platform == "win32":
            raise NotImplementedError("small_disk() refuses before")
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize
