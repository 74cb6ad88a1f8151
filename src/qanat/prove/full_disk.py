"""A disk that is full: a small one of our own, which only root on Linux can mount, or a limit on how large files may become."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

# Room for a database of some megabytes twice (a checkpoint writes anew), for PostgreSQL's empty database of 8 MB, and for
# the input.
SIZE_BYTES = 96 << 20
_FILLER = "filler"
_BLOCK_BYTES = 4096


class FullDisk(Protocol):
    """What can be made full and roomy again.

    Attributes:
        described: What it is.
    """

    described: str

    def fill(self, room_bytes: int) -> None:
        """Leave `room_bytes` to runs that start from now on."""
        ...

    def meet(self, pid: int) -> None:
        """A run has started."""
        ...

    def make_room(self) -> None:
        """Let it go on as if nothing had been."""
        ...


class SmallDisk:
    """The disk on which `folder` lies, filled with a file of our own."""

    def __init__(self, folder: Path) -> None:
        self.described = f"a tmpfs of {SIZE_BYTES >> 20} MiB, filled to the last block"
        self._filler = folder / _FILLER
        self._folder = folder

    def fill(self, room_bytes: int) -> None:
        """Write zeros until no more than `room_bytes` are left."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while self._free() > room_bytes:
                file.write(bytes(max(_BLOCK_BYTES, min(1 << 20, self._free() - room_bytes))))

    def meet(self, pid: int) -> None:
        """Nothing: the disk is full for everybody."""

    def make_room(self) -> None:
        """Remove them."""
        self._filler.unlink(missing_ok=True)

    def _free(self) -> int:
        if sys.platform == "win32":
            return 0
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize


class FileLimit:
    """No file of a run may become larger than a little more than the largest one now (RLIMIT_FSIZE)."""

    def __init__(self, folder: Path) -> None:
        self.described = "files that may not grow (RLIMIT_FSIZE): only root can mount a small disk"
        self._folder = folder
        self._limit_bytes = 0
        self._pid = 0

    def fill(self, room_bytes: int) -> None:
        """Look how large files are now."""
        sizes = [path.stat().st_size for path in self._folder.rglob("*") if path.is_file()]
        self._limit_bytes = max(sizes, default=0) + room_bytes

    def meet(self, pid: int) -> None:
        """Limit the run."""
        self._pid = pid
        self._set(self._limit_bytes)

    def make_room(self) -> None:
        """Lift the limit."""
        self._set(-1)

    def _set(self, limit_bytes: int) -> None:
        if sys.platform == "linux":
            import resource

            # The soft limit only, so that it can be lifted again. The run may have ended by now.
            with suppress(ProcessLookupError):
                resource.prlimit(
                    self._pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY)
                )


def can_mount(place: Path) -> bool:
    """Try whether a small disk can be mounted in `place`: not without being root, nor in most containers."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        with small_disk(place / "disk"):
            return True
    except OSError:
        return False


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
        folder.rmdir()
