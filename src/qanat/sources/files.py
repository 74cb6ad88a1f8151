"""The watched folder: finished files as they come, each read only when it is whole, and moved away
when it is counted.

What belongs to it is in the modules beside this one, from `files_options` (what can be chosen) to
`files_move` (what happens after the commit). A folder holds, beside the input, `done/`, `failed/`
and `.qanat/`, which is Qanat's own.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from io import FileIO
from operator import attrgetter
from pathlib import Path
from typing import Final, Self

from qanat.clock import Clock
from qanat.errors import BadFile, FileChanged, FileVanished, Retryable
from qanat.records import FileStat, FoundFile
from qanat.sources.files_announced import Announced
from qanat.sources.files_bytes import (
    ByteSource,
    HeldOpen,
    OpenFile,
    PlainBytes,
    demand_unchanged,
    open_file,
    opened,
    sketch_of,
)
from qanat.sources.files_claim import FolderClaim, claim_folder
from qanat.sources.files_disk import move_exclusively
from qanat.sources.files_identity import Identity, unchanged
from qanat.sources.files_journal import Journal
from qanat.sources.files_list import Listing
from qanat.sources.files_move import Mover, moving_folder
from qanat.sources.files_names import compression_of, raw_name, shown
from qanat.sources.files_options import After, FolderOptions, Outcome, Ready, Watch
from qanat.sources.files_ready import Readiness, Reason, Waiting
from qanat.sources.files_watch import EventWatcher, PollWatcher, Watcher

__all__ = [
    "After",
    "ByteSource",
    "Folder",
    "FolderClaim",
    "FolderOptions",
    "OpenFile",
    "Outcome",
    "Ready",
    "Reason",
    "Waiting",
    "Watch",
    "shown",
]

# Events can be lost (the system's queue overflows); then a file is found so much later. A look at
# 100,000 kept files takes 0.5 to 1 s.
LOOK_AGAIN_S: Final = 30.0


class Folder:
    """A folder that files are put into. One thread scans and finds; the other methods may be called
    by any.

    Args:
        options: What was chosen.
        clock: Judges how long a file has rested.

    Raises:
        ConfigError: The folder, or one that files are to be moved to, can't be used. Nothing was
            changed.
    """

    def __init__(self, options: FolderOptions, clock: Clock) -> None:
        options.check()
        self.options = options
        self._clock = clock
        self._identity = Identity.of_folder(options.path)
        self._readiness = Readiness(options, clock, remote=self._identity.remote)
        self._mover = Mover(options, self._identity)
        self._journal = Journal(options.path)
        self._listing = Listing(options, self._identity)
        self._announced = Announced(options, self._identity, self._listing)
        self._watcher = self._choose_watcher()
        self._scanned_at_s: float | None = None
        self._told = threading.local()

    def scan(self) -> list[FileStat]:
        """List the files that may be finished, oldest first (by time of change, then name).

        One `stat` each; none is opened, so that `find` has the last word. Not listed: sub-folders,
        links and other special files, temporary names, side files, names that don't match the
        pattern.

        Raises:
            Retryable: The folder can't be listed (unmounted?).
        """
        self._scanned_at_s = self._clock.monotonic()
        try:
            self._identity.renew(self.options.path)
            stats, side_files = self._listing.entries()
        except OSError as error:
            raise Retryable(
                f"{self.options.path} can't be listed: {error}.", after_s=1.0,
                hint="Is it still mounted? Counting goes on as soon as it is there.",
            ) from error  # fmt: skip
        ready = self._readiness.listed(stats, side_files)
        return sorted(ready, key=attrgetter("mtime_ns", "name"))

    def find(self, stat: FileStat) -> FoundFile | None:
        """Look at a file from `scan` briefly; None when it is gone, has changed, or isn't finished
        (see `waiting`).

        Raises:
            Retryable: Reading failed.
        """
        path = self._path(stat)
        try:
            with opened(path, stat.name) as file:
                if not self._untouched(file, stat):
                    return None
                ready, promised = self._readiness.judge(stat, path, file.fileno())
                if not ready:
                    return None
                sketch = sketch_of(PlainBytes(file, stat), stat.size)
                if not self._untouched(file, stat):
                    return None
        except (FileVanished, FileChanged):
            return None
        except HeldOpen:
            self._readiness.hold_back(stat, Reason.WRITING)
            return None
        except BadFile as error:
            self._readiness.hold_back(stat, Reason.UNREADABLE, str(error))
            return None
        return FoundFile(stat, sketch, promised, compression_of(raw_name(stat.name)))

    def named(self, given: str) -> str:
        """Return the name, as `scan` shows it, of a file that its writer announces by its path; see
        `files_announced`.
        """
        return self._announced.named(given)

    def vouched(self, stat: FileStat) -> FoundFile:
        """Look at a file for whose being finished its writer vouches; see `files_announced`."""
        return self._announced.vouched(stat)

    def waiting(self) -> list[Waiting]:
        """Return the files that the last scan, and the looks since, found not ready, and why."""
        return self._readiness.waiting()

    def resting(self) -> bool:
        """Tell whether one of them only has to rest for its time; a run that ends by itself waits for
        it, for at most `rest_s`.
        """
        return any(held.reason is Reason.RESTING for held in self.waiting())

    def wait(self, timeout_s: float) -> bool:
        """Block until it is worth to scan again, at most `timeout_s`; False when nothing was
        noticed in that time.

        With events a new file ends the wait within about 50 ms. Otherwise, and while a file isn't
        finished, a look is due `poll_s` after the last scan; with events one is due after
        `LOOK_AGAIN_S` in any case. Each thread is told once.
        """
        due_s = self._due_s()
        if self._watcher.wait(min(timeout_s, due_s)):
            return True
        if due_s > timeout_s:
            return False
        self._told.at_s = self._clock.monotonic()
        return True

    def wake(self) -> None:
        """End the waits that are going on, and of other threads the next one."""
        self._watcher.wake()

    def open(self, stat: FileStat, compression: str) -> AbstractContextManager[OpenFile]:
        """Open that very file, to be entered as a context.

        Raises (on entering, and by its source):
            FileChanged: It is another file by now, or was written to.
            FileVanished: It is gone.
            BadFile: It may not be read; the archive is damaged or cut off.
            Retryable: Reading failed.
        """
        return open_file(self._path(stat), stat, compression, self._identity)

    def check(self, stat: FileStat) -> None:
        """Make sure, last before the commit, that the name still is that very file, and that nobody
        writes to it.

        Raises:
            FileChanged: It isn't, or somebody has opened it for writing (where the system can be
                asked).
            FileVanished: It is gone.
        """
        path = self._path(stat)
        with opened(path, stat.name) as file:
            demand_unchanged(self._identity.of(stat.name, os.fstat(file.fileno())), stat)
            if self._readiness.written(path, file.fileno()):
                raise FileChanged(
                    f"{stat.name} was opened for writing after it was registered.",
                    hint="Hand files over by renaming them into the folder.",
                )

    def settle(self, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        """Move, keep or delete a file whose end is committed; return where it lies, relative to the
        folder if inside.

        Nothing is ever overwritten: where the name is taken, the file becomes NAME~NUMBER.END. A
        side file goes along. Repeatable after a crash at any point, with the same arguments. None:
        it was deleted, or somebody else has removed it.

        Args:
            stat: The file that was counted. Only that very one is touched.
            outcome: `done` or `failed`.
            number: The file's number in its store; tells apart files of one name.

        Raises:
            FileChanged: Another file has the name; it was left alone.
            Retryable: It couldn't be moved for now.
        """
        return self._mover.settle(stat, outcome, number)

    def look(self, name: str) -> FileStat | None:
        """Return the file that has this name (as `settle` tells it, or in the folder); None if there is none."""
        return self._identity.at(self.options.path / raw_name(name), name)

    def bring_back(self, name: str, settled_as: str) -> FileStat:
        """Move a settled file back to its name, to be counted again. Nothing is overwritten; repeatable.

        Raises:
            FileVanished: It isn't where it was moved to.
            FileChanged: Another file has the name now.
        """
        source = self.options.path / raw_name(settled_as)
        target = self.options.path / raw_name(name)
        if source != target and source.exists():
            try:
                move_exclusively(source, target)
            except FileExistsError as error:
                raise FileChanged(
                    f"{name} is another file now.", hint="Move or rename that one first."
                ) from error
        found = self.look(name)
        if found is None:
            raise FileVanished(f"{settled_as} isn't there any more.")
        return found

    def settled(self, outcome: Outcome) -> Iterator[FileStat]:
        """List the files that were moved to `done` or `failed`, named as `settle` named them."""
        return self._mover.settled(outcome)

    def locate(self, name: str) -> Path | None:
        """Find a file as a user names it: in the folder, in `done` or `failed`, by its path, or on
        its way.
        """
        folders = [self.options.path, self.options.target("done"), self.options.target("failed")]
        names = (name, raw_name(name))
        candidates = [folder / text for folder in (*folders, Path()) for text in names]
        moving = moving_folder(self.options.path)
        if moving.is_dir():
            candidates += [path for path in moving.iterdir() if path.name.endswith(f"-{names[1]}")]
        return next((path for path in candidates if path.is_file()), None)

    def claim(self, store_identity: str, pipeline: str, described: str) -> FolderClaim:
        """Claim the folder for a pipeline and its store; any number of instances of the same may.

        Args:
            store_identity: `Store.identity`.
            pipeline: The pipeline's name.
            described: The store as people know it; it is shown to others, so no password.

        Raises:
            Busy: A living instance counts these files into another store, or for another pipeline.
        """
        return claim_folder(self.options.path, store_identity, pipeline, described)

    def remember(self, store_identity: str, counted: int) -> None:
        """Note in the folder that this store has counted its `counted`th file. Call it after the
        commit.

        Raises:
            Retryable: The note couldn't be written. Harmless if left so.
        """
        try:
            self._journal.remember(store_identity, counted)
        except OSError as error:
            if self.options.after is not After.KEEP or error.errno not in {
                errno.EACCES,
                errno.EROFS,
            }:
                raise Retryable(f"{self.options.path} can't be written to: {error}.") from error

    def remembered(self, store_identity: str) -> int:
        """Return the greatest number noted for this store; 0 if none. More than the store knows: it
        is an older copy.
        """
        return self._journal.remembered(store_identity)

    def close(self) -> None:
        """Stop watching; ends a wait. Twice is harmless."""
        self._watcher.close()

    def __enter__(self) -> Self:
        """Watching begins with the first wait."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self.close()

    def _choose_watcher(self) -> Watcher:
        options = self.options
        if options.watch is Watch.POLL or (options.watch is Watch.AUTO and self._identity.remote):
            return PollWatcher()
        required = options.watch is Watch.EVENTS
        return EventWatcher(options.path, self._listing.relevant, options.poll_s, required=required)

    def _due_s(self) -> float:
        """Seconds until a look is due without any event, unless this thread was told already."""
        told_at_s: float | None = getattr(self._told, "at_s", None)
        since_s = max(
            (at for at in (told_at_s, self._scanned_at_s) if at is not None), default=None
        )
        if since_s is None:
            return 0.0
        every_s = self.options.poll_s
        if not self._watcher.polling and not self._readiness.passing():
            every_s = max(every_s, LOOK_AGAIN_S)
        return max(0.0, since_s + every_s - self._clock.monotonic())

    def _path(self, stat: FileStat) -> Path:
        return self.options.path / raw_name(stat.name)

    def _untouched(self, file: FileIO, stat: FileStat) -> bool:
        return unchanged(self._identity.of(stat.name, os.fstat(file.fileno())), stat)
