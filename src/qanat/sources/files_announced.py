"""Files that their writers announce: which one is meant, and a look at it.

The writer vouches for it that the file is finished, whatever `Ready` demands. Everything else has
to be as for any other file: it lies in the folder itself, is a regular file, and its name is one
that is looked at.
"""

import errno
import os
import stat as modes
import unicodedata
from pathlib import Path
from typing import Final

from qanat.errors import BadFile, FileChanged, NotAccepted, Retryable
from qanat.records import FileStat, FoundFile
from qanat.sources.files_bytes import HeldOpen, PlainBytes, demand_unchanged, opened, sketch_of
from qanat.sources.files_identity import Identity
from qanat.sources.files_list import Listing
from qanat.sources.files_names import (
    compression_of,
    is_side_file,
    is_temporary,
    raw_name,
    shown,
    side_file_of,
)
from qanat.sources.files_options import FolderOptions, Ready
from qanat.sources.files_side import BadSideFile, read_side_file
from qanat.sources.files_writers import has_writer

# What the system answers about a path that nothing can lie at.
_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Announced:
    """Looks at announced files of one folder. Any thread may use it."""

    def __init__(self, options: FolderOptions, identity: Identity, listing: Listing) -> None:
        self._options = options
        self._identity = identity
        self._listing = listing

    def named(self, given: str) -> str:
        """Return the name, as it is shown, of the file at the path `given`; whether it is there
        isn't asked. A path that is not absolute is one in the folder.

        Raises:
            NotAccepted: `outside` (it doesn't lie directly in the folder), `name` (one that is
                passed over), `not-regular` (a link, a folder, a pipe).
            Retryable: The folder can't be looked into.
        """
        path = self._options.path / given
        raw = os.path.basename(given)  # noqa: PTH119 - of `a/..` and `a/` pathlib makes other names
        if raw in {"", ".", ".."} or not self._is_here(path.parent):
            raise NotAccepted(
                "outside", f"{shown(given)} isn't a file of the folder {shown(str(self._options.path))}.",
                hint="Only what lies in the watched folder itself is taken, not in folders within.",
            )  # fmt: skip
        if is_temporary(raw) or is_side_file(raw):
            raise NotAccepted(
                "name", f"{shown(raw)} is a name that files have before they are finished.",
                hint="Rename the file to its final name first.",
            )  # fmt: skip
        if not self._listing.relevant(raw):
            raise NotAccepted(
                "name", f"{shown(raw)} doesn't match the pattern {self._options.pattern!r}."
            )
        try:
            mode = path.lstat().st_mode
        except OSError as error:
            self._demand_absent(raw, error)
        else:
            self._demand_input(path, raw, mode)
        return shown(raw)

    def vouched(self, stat: FileStat) -> FoundFile:
        """Look at a file briefly.

        Raises:
            NotAccepted: `writing` (somebody has it open for writing), `unreadable`, `side-file`
                (the one beside it contradicts).
            FileChanged: It isn't that very file any more.
            FileVanished: It is gone.
            Retryable: Reading failed.
        """
        path = self._options.path / raw_name(stat.name)
        try:
            with opened(path, stat.name) as file:
                self._demand(stat, file.fileno())
                # A mount from elsewhere doesn't know its writers: there the announcement is all that can be had.
                if not self._identity.remote and has_writer(path, file.fileno()):
                    raise _still_written(stat)
                promised = self._promised(stat, path.with_name(side_file_of(path.name)))
                sketch = sketch_of(PlainBytes(file, stat), stat.size)
                self._demand(stat, file.fileno())
        except HeldOpen as error:
            raise _still_written(stat) from error
        except FileChanged:
            raise
        except BadFile as error:
            if type(error) is not BadFile:  # it is gone
                raise
            raise NotAccepted("unreadable", error.message, hint=error.hint) from error
        return FoundFile(stat, sketch, promised, compression_of(path.name))

    def _is_here(self, parent: Path) -> bool:
        """Tell whether `parent` is the folder, by whatever way it is named."""
        try:
            self._identity.renew(self._options.path)
            return parent.samefile(self._options.path)
        except ValueError:
            return False
        except OSError as error:
            if self._options.path.is_dir():
                return False  # then it is the other one that can't be looked at
            raise Retryable(
                f"{shown(str(self._options.path))} can't be looked into: {error.strerror}.",
                hint="Is it still mounted?",
            ) from error

    @staticmethod
    def _demand_absent(raw: str, error: OSError) -> None:
        if error.errno == errno.ENAMETOOLONG:
            raise NotAccepted("name", f"no file has a name of {len(raw)} letters.") from error
        if error.errno not in _NOWHERE:
            raise Retryable(f"the folder can't be looked into: {error.strerror}.") from error

    def _demand_input(self, path: Path, raw: str, mode: int) -> None:
        if not modes.S_ISREG(mode):
            raise NotAccepted("not-regular", f"{shown(raw)} is no regular file.")
        # Where the system takes several spellings for one name, the file would be known under two.
        if self._has_aliases(path, raw) and not _lists(path.parent, raw):
            raise NotAccepted(
                "name", f"{shown(raw)} is spelt otherwise in the folder.",
                hint="Announce the file by the name that a listing shows.",
            )  # fmt: skip

    @staticmethod
    def _has_aliases(path: Path, raw: str) -> bool:
        spellings = {raw.swapcase(), *(unicodedata.normalize(f, raw) for f in ("NFC", "NFD"))}
        return any(_same(path.with_name(name), path) for name in spellings - {raw})

    def _demand(self, stat: FileStat, descriptor: int) -> None:
        demand_unchanged(self._identity.of(stat.name, os.fstat(descriptor)), stat)

    def _promised(self, stat: FileStat, side_file: Path) -> str | None:
        """Return what a side file promises, where they are used, and one is there."""
        if self._options.ready is not Ready.SIDE_FILE:
            return None
        try:
            promise = read_side_file(side_file)
        except FileNotFoundError:
            return None
        except (BadSideFile, OSError) as error:
            raise NotAccepted(
                "side-file", f"the side file of {stat.name} can't be used: {error}."
            ) from error
        if promise.size != stat.size:
            raise NotAccepted(
                "side-file",
                f"the side file of {stat.name} tells {promise.size} bytes, the file has {stat.size}.",
            )
        return promise.digest


def _lists(folder: Path, raw: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name == raw for entry in entries)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # there is no such file
        return False


def _still_written(stat: FileStat) -> NotAccepted:
    return NotAccepted(
        "writing", f"{stat.name} is still open for writing.",
        hint="Close it, then announce it again.",
    )  # fmt: skip
