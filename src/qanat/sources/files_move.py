"""What happens to a file after its commit: it moves, stays or is deleted. Repeatable after a crash
at any point.

Between looking at a name and renaming it, a writer may put another file there. So the file is first
*taken*: renamed into the private folder `.qanat/moving`, where nobody else renames, and looked at
there. If it isn't the file that was counted it is put back, under its name or, if that is taken
again, under NAME~NUMBER. Only then is it moved on or deleted. A repetition finds the file taken,
moved, or not there any more, and goes on from that. Instances move one after the other (a lock,
where the file system has such).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from qanat.errors import FileChanged, Retryable
from qanat.records import FileStat
from qanat.sources.files_disk import (
    copy_durably,
    is_regular,
    rename_exclusively,
    same_content,
    sync_folder,
)
from qanat.sources.files_identity import Identity, unchanged
from qanat.sources.files_locks import InstanceLock
from qanat.sources.files_names import (
    alternatives,
    is_side_file,
    raw_name,
    shortened,
    shown,
    side_file_of,
)
from qanat.sources.files_options import PRIVATE, After, FolderOptions, Outcome
from qanat.sources.files_side import BadSideFile, read_side_file

# FAT counts seconds by twos; a copy there has another time than its original.
_COPY_TIME_TOLERANCE_NS = 2 * 10**9


class Mover:
    """Settles the files of one folder. Any thread may use it, for different files."""

    def __init__(self, options: FolderOptions, identity: Identity) -> None:
        self._options = options
        self._identity = identity
        self._lock = InstanceLock(options.path / PRIVATE / "moving.lock")

    def settle(self, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        """Do what the options say with a file whose end is committed; see `Folder.settle`."""
        if self._options.after is After.KEEP:
            return stat.name if os.path.lexists(self._options.path / raw_name(stat.name)) else None
        move = _Move(self._options, self._identity, stat, outcome, number)
        try:
            with self._lock.held():
                target = move.run()
        except OSError as error:
            raise Retryable(
                f"{stat.name} couldn't be moved to {self._options.target(outcome)}: {error}.",
                hint="It is counted, and will be moved as soon as that works.",
            ) from error
        return self._text(target) if target else None

    def settled(self, outcome: Outcome) -> Iterator[FileStat]:
        """List the files that were moved."""
        folder = self._options.target(outcome)
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            stat = self._identity.at(path, self._text(path))
            if stat is not None and not is_side_file(path.name) and path.name[0] != ".":
                yield stat

    def _text(self, path: Path) -> str:
        """The path as text: relative to the folder if it is inside."""
        if path.is_relative_to(self._options.path):
            return shown(path.relative_to(self._options.path).as_posix())
        return shown(str(path))


def moving_folder(path: Path) -> Path:
    """Return the private folder; a file in it is called …-NAME."""
    return path / PRIVATE / "moving"


class _Move:
    """One file's way out of the folder.

    Attributes:
        source: The file's name in the folder.
        taken: Its name in the private folder; a repetition makes the same one.
        partial: The name of a copy on another device until it is finished.
    """

    def __init__(
        self,
        options: FolderOptions,
        identity: Identity,
        stat: FileStat,
        outcome: Outcome,
        number: int,
    ) -> None:
        self.identity = identity
        self.stat = stat
        self.number = number
        self.deletes = outcome == "done" and options.after is After.DELETE
        self.target = options.target(outcome)
        self.raw = raw_name(stat.name)
        self.source = options.path / self.raw
        key = f"{outcome}-{number}-{stat.inode:x}-{stat.mtime_ns:x}"
        self.taken = moving_folder(options.path) / f"{key}-{shortened(self.raw, f'{key}-')}"
        self.taken_side_file = self.taken.with_name(side_file_of(self.taken.name))
        self.partial = self.target / f".qanat-{key}.part"

    def run(self) -> Path | None:
        """Do it, or what is left to do; return where the file is now, None if nowhere."""
        if not self.deletes:
            self.target.mkdir(parents=True, exist_ok=True)
        if self._take():
            self._take_side_file()
        if self.deletes:
            self.taken.unlink(missing_ok=True)
            self.taken_side_file.unlink(missing_ok=True)
            self._finish()
            return None
        target = self._move_on()
        self._finish()
        if target is None and os.path.lexists(self.source):
            raise FileChanged(
                f"{self.stat.name} isn't the file that was counted; it was left where it is."
            )
        return target

    def _take(self) -> bool:
        """Bring the counted file into the private folder; False when it isn't there to be taken."""
        if not os.path.lexists(self.taken):
            if not self.identity.same(self.source, self.stat):
                return False
            self.taken.parent.mkdir(parents=True, exist_ok=True)
            self.source.rename(self.taken)
        if not self.identity.same(self.taken, self.stat):
            self._put_back()
            return False
        return True

    def _put_back(self) -> None:
        for name in alternatives(self.raw, self.number):
            with suppress(FileExistsError):
                rename_exclusively(self.taken, self.source.with_name(name))
                return

    def _take_side_file(self) -> None:
        """Take the side file as well, unless it speaks of another file: one that is about to come
        under the same name.
        """
        side_file = self.source.with_name(side_file_of(self.raw))
        if os.path.lexists(self.taken_side_file) or not is_regular(side_file):
            return
        with suppress(FileNotFoundError, PermissionError, BadSideFile):
            if read_side_file(side_file).size == self.stat.size:
                side_file.rename(self.taken_side_file)

    def _move_on(self) -> Path | None:
        """Bring the taken file, and its side file, where they belong."""
        target = self._arrived()
        if os.path.lexists(self.taken):
            if target is None:
                target = self._place(self.taken, self._free_names())
            else:  # a crash came after the link or the copy, before the original was removed
                self.taken.unlink()
        if target is not None and os.path.lexists(self.taken_side_file):
            self._place_side_file(target)
        return target

    def _free_names(self) -> Iterator[Path]:
        """Places for the file, beside which its side file has room as well."""
        with_side_file = os.path.lexists(self.taken_side_file)
        for name in alternatives(self.raw, self.number):
            if not (with_side_file and os.path.lexists(self.target / side_file_of(name))):
                yield self.target / name

    def _place_side_file(self, target: Path) -> None:
        place = target.with_name(side_file_of(target.name))
        if is_regular(place) and same_content(self.taken_side_file, place):
            self.taken_side_file.unlink()  # it was copied before a crash
            return
        others = alternatives(target.name, self.number)
        self._place(self.taken_side_file, (place.with_name(side_file_of(n)) for n in others))

    def _place(self, source: Path, targets: Iterator[Path]) -> Path:
        """Move `source` to the first target that is free."""
        while True:
            target = next(targets)
            with suppress(FileExistsError):
                self._transfer(source, target)
                return target

    def _transfer(self, source: Path, target: Path) -> None:
        """Rename, or copy to another device; FileExistsError if the name is taken."""
        try:
            rename_exclusively(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(source, target)

    def _copy(self, source: Path, target: Path) -> None:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "the name is taken", str(target))
        copy_durably(source, self.partial)
        rename_exclusively(self.partial, target)
        sync_folder(target.parent)
        source.unlink()

    def _arrived(self) -> Path | None:
        """Find the counted file in the folder where it belongs, if it is there already."""
        for again, name in enumerate(alternatives(self.raw, self.number)):
            path = self.target / name
            if self._is_counted(path):
                return path
            # The first name may have been removed by somebody; a gap among the others ends them.
            if again > 0 and not os.path.lexists(path):
                return None
        return None

    def _is_counted(self, path: Path) -> bool:
        found = self.identity.at(path, self.stat.name)
        if found is None or found.size != self.stat.size:
            return False
        if found.device == self.stat.device and self.identity.lasting_inodes:
            return unchanged(found, self.stat)
        if abs(found.mtime_ns - self.stat.mtime_ns) >= _COPY_TIME_TOLERANCE_NS:
            return False
        return not is_regular(self.taken) or same_content(self.taken, path)

    def _finish(self) -> None:
        """Make the new names durable, before anybody notes that this is done."""
        self.partial.unlink(missing_ok=True)
        if not self.deletes:
            sync_folder(self.target)
        sync_folder(self.source.parent)
