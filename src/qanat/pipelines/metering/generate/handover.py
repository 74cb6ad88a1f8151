"""Handing a file over: nobody sees it before it is whole and on disk.

It is written under a temporary name, fsynced, renamed, and the folder is fsynced. Whoever holds the
temporary name, which is created exclusively, is the only generator that may give the final one; so
two generators never overwrite each other's files.
"""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from qanat.errors import Busy, ConfigError
from qanat.pipelines.metering.generate.options import SIDE_FILE_SUFFIX

# Names with a dot in front and this at the end are ours alone, so that leftovers can be deleted
# without asking.
TEMPORARY_SUFFIX: Final = ".qanat.part"


class HandOver:
    """One file on its way into `folder`. Leaving the context without `publish` leaves nothing
    behind.

    Raises:
        ConfigError: the name is taken (when entered, or by somebody else while the file was
            written).
        Busy: another process is writing a file of this name.
    """

    def __init__(self, folder: Path, name: str, *, durable: bool) -> None:
        self._path = folder / name
        self._durable = durable
        self._temporary = _temporary_path(self._path)

    def __enter__(self) -> Self:
        """Take the temporary name, and refuse a final one that is taken."""
        self._file = _create(self._temporary)
        try:
            _refuse_taken(self._path)
        except ConfigError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete what wasn't published."""
        if not self._file.closed:
            _delete(self._file, self._temporary)

    def write(self, data: bytes | memoryview) -> None:
        """Append to the file. Raises OSError, for instance if the disk is full."""
        self._file.write(data)

    def publish(self, side_file: bytes | None = None) -> None:
        """Make the file appear; `side_file` is the content of its side file, which appears before
        it.
        """
        _settle(self._file, self._durable)
        if side_file is not None:
            self._publish_side_file(side_file)
        _refuse_taken(self._path)
        _rename(self._file, self._temporary, self._path)
        self._settle_folder()

    def _publish_side_file(self, content: bytes) -> None:
        final = self._path.with_name(self._path.name + SIDE_FILE_SUFFIX)
        temporary = _temporary_path(final)
        file = _create(temporary)
        try:
            file.write(content)
            _settle(file, self._durable)
            # One that lies there without its file was left by a crash between the two.
            final.unlink(missing_ok=True)
            _rename(file, temporary, final)
        finally:
            if not file.closed:
                _delete(file, temporary)
        self._settle_folder()

    def _settle_folder(self) -> None:
        """Make a rename survive a power failure. Windows has no such call: its file systems log
        renames themselves.
        """
        if self._durable and sys.platform != "win32":
            descriptor = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def clean_leftovers(folder: Path) -> list[Path]:
    """Delete the temporary files of generators that were killed; return their paths. Those of
    running ones stay.
    """
    found = sorted(folder.glob(f".*{TEMPORARY_SUFFIX}"))
    return [path for path in found if _discard(path)]


def _temporary_path(path: Path) -> Path:
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        hint = (
            "Raise first_index, or choose another pattern or folder; files are never overwritten."
        )
        raise ConfigError("pattern", path.name, f"a name that isn't in {path.parent} yet", hint)


def _create(path: Path) -> BinaryIO:
    """Create and lock a temporary file. The lock ends with the process, whatever ends it."""
    while True:
        try:
            file = path.open("xb")
        except FileExistsError:
            if not _discard(path):
                raise Busy(
                    f"another generator is writing {path}.",
                    hint="Let it end, or choose another folder. If none runs, delete that file.",
                ) from None
            continue
        # Between creation and lock somebody may have taken it for a leftover and deleted it.
        if _lock(file) is not False and path.exists():
            return file
        file.close()


def _discard(path: Path) -> bool:
    """Delete a temporary file unless its writer is alive; return whether it is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return True
    with file:
        if _lock(file) is not True:
            return False
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
            return True
    return _unlink_closed(path)


def _unlink_closed(path: Path) -> bool:
    """Delete a file on Windows, which refuses as long as anybody has it open: that is the lock
    there.
    """
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


def _lock(file: BinaryIO) -> bool | None:
    """Lock an open file without waiting; return whether that succeeded; None: nobody knows."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a network mount without locks: nobody's leftovers are deleted there
            return None
    return True


def _settle(file: BinaryIO, durable: bool) -> None:
    file.flush()
    if durable:
        os.fsync(file.fileno())


def _rename(file: BinaryIO, temporary: Path, final: Path) -> None:
    if sys.platform == "win32":  # an open file can't be renamed there
        file.close()
    temporary.rename(final)
    file.close()


def _delete(file: BinaryIO, temporary: Path) -> None:
    if sys.platform == "win32":
        file.close()
    temporary.unlink(missing_ok=True)
    file.close()
