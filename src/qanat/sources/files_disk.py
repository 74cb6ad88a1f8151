"""Steps on disk that never overwrite, and that can be repeated after a crash at any point."""

import errno
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

from qanat.digests import CHUNK_BYTES, ChunkDigest
from qanat.service.pulse import current

# What file systems answer that know no hard links, and Linux where the file belongs to somebody
# else (fs.protected_hardlinks).
_NO_LINKS: Final = frozenset({
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK,
    errno.EINVAL,
})  # fmt: skip


def rename_exclusively(source: Path, target: Path) -> None:
    """Rename `source`, which only we use, to `target`; repeatable.

    Done as link and unlink, which can't overwrite. If a crash came in between, both names are the
    same file, and the repetition ends it. Without hard links: a look whether the name is free, then
    a rename.

    Raises:
        FileExistsError: The name is taken by another file.
        OSError: EXDEV when it is on another device; whatever else the system says.
    """
    if sys.platform == "win32":
        source.rename(target)  # refuses to overwrite there
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(source.lstat(), target.lstat()):
            raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "the name is taken", str(target)) from error
        source.rename(target)
        return
    source.unlink()


def move_exclusively(source: Path, target: Path) -> None:
    """Move `source` to `target`, from another device too.

    Raises:
        FileExistsError: The name is taken by another file.
    """
    try:
        rename_exclusively(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_name(f".{source.stat().st_ino:x}.part")  # fits whatever the name is
        copy_durably(source, partial)
        rename_exclusively(partial, target)
        source.unlink()
    sync_folder(target.parent)


def copy_durably(source: Path, target: Path) -> None:
    """Copy `source` to `target`, with its times and mode; fsync it, read it again and compare.

    What is there under that name is removed first, never written into: after a crash it may be a
    hard link to a finished copy.

    Raises:
        OSError: It failed (EIO when the copy differs), and `target` is gone.
    """
    target.unlink(missing_ok=True)
    try:
        written = _copy(source, target)
        shutil.copystat(source, target)
        if _digest(target) != written:
            raise OSError(errno.EIO, "the copy differs from the original", str(target))
    except OSError:
        target.unlink(missing_ok=True)
        raise


def same_content(one: Path, other: Path) -> bool:
    """Compare two files byte by byte, by their digests."""
    return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power failure. Windows has no such call: its file
    systems log renames.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_regular(path: Path) -> bool:
    """Tell whether there is a regular file at `path`, and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        # A name of 255 bytes is a file's; with a side file's end it can't be one's.
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def _copy(source: Path, target: Path) -> str:
    digest = ChunkDigest()
    with source.open("rb") as read, target.open("xb") as write:
        while data := read.read(CHUNK_BYTES):
            digest.update(data)
            write.write(data)
            current().beat()
        write.flush()
        os.fsync(write.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = ChunkDigest()
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            current().beat()
    return digest.hexdigest()
