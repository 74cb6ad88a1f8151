"""Is this file finished? The evidence, strongest first, and the list of files that aren't yet.

With `Ready.RENAME` and `Ready.REST` a file that somebody has open for writing is never ready, where
the system can be asked (`files_writers`; local file systems). Where it can't, `Ready.RENAME` takes
a local file at once if its name changed after its last write, and any other one after it rested for
`rest_s` while we looked. That covers network mounts, where times come from several machines; files
renamed within the same tick of the clock as their last write; and systems that keep no such time.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from qanat.clock import Clock
from qanat.records import FileStat
from qanat.sources.files_identity import unchanged
from qanat.sources.files_names import raw_name, side_file_of
from qanat.sources.files_options import FolderOptions, Ready
from qanat.sources.files_side import BadSideFile, read_side_file
from qanat.sources.files_writers import has_writer, renamed_after_writing


class Reason(StrEnum):
    """Why a file isn't ready. The first two pass by themselves, the third when it comes, the others
    need somebody.
    """

    WRITING = "still open for writing"
    RESTING = "changed a short while ago"
    NO_SIDE_FILE = "its side file isn't there"
    SIDE_FILE_DIFFERS = "its side file tells another size"
    SIDE_FILE_BAD = "its side file can't be used"
    UNREADABLE = "it can't be read"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is there and not ready.

    Attributes:
        detail: What exactly is wrong, where more can be said.
    """

    stat: FileStat
    reason: Reason
    detail: str = ""

    @property
    def passing(self) -> bool:
        """Whether time alone may make it ready, so that it has to be looked at again."""
        return self.reason in {Reason.WRITING, Reason.RESTING, Reason.SIDE_FILE_DIFFERS}

    @property
    def problem(self) -> bool:
        """Whether it won't ever be ready unless somebody does something."""
        return self.reason in {Reason.SIDE_FILE_BAD, Reason.UNREADABLE}


class Readiness:
    """Judges the files of one folder. One thread uses it."""

    def __init__(self, options: FolderOptions, clock: Clock, *, remote: bool) -> None:
        self._options = options
        self._clock = clock
        self._remote = remote
        self._waiting: dict[str, Waiting] = {}
        self._since: dict[str, tuple[FileStat, float]] = {}

    def waiting(self) -> list[Waiting]:
        """Return the files that weren't ready at the last listing and the looks since, by name."""
        return sorted(self._waiting.values(), key=lambda waiting: waiting.stat.name)

    def passing(self) -> bool:
        """Tell whether any of them may become ready without an event."""
        return any(waiting.passing for waiting in self._waiting.values())

    def listed(self, stats: Iterable[FileStat], side_files: frozenset[str]) -> list[FileStat]:
        """Keep those of a listing that may be finished, as far as can be told without opening them.

        Args:
            stats: All candidates of the folder.
            side_files: The raw names of the side files that are there.
        """
        candidates = {stat.name: stat for stat in stats}
        self._waiting.clear()
        for name in self._since.keys() - candidates.keys():
            del self._since[name]
        if self._options.ready is Ready.REST:
            return [stat for stat in candidates.values() if self._rested(stat)]
        if self._options.ready is Ready.SIDE_FILE:
            return [stat for stat in candidates.values() if self._has_side_file(stat, side_files)]
        return list(candidates.values())

    def judge(self, stat: FileStat, path: Path, descriptor: int) -> tuple[bool, str | None]:
        """Look at the evidence for an opened file: whether it is ready, and the digest its side
        file promises.

        A file that isn't is entered in the list.
        """
        if self._options.ready is Ready.SIDE_FILE:
            promised = self._promised(stat, path.with_name(side_file_of(raw_name(stat.name))))
            return promised is not None, promised
        written = self.written(path, descriptor)
        if written:
            return self.hold_back(stat, Reason.WRITING), None
        if written is None and self._options.ready is Ready.RENAME:
            renamed = not self._remote and renamed_after_writing(os.fstat(descriptor))
            return self._ready(stat) if renamed else self._rested(stat), None
        return self._ready(stat), None

    def written(self, path: Path, descriptor: int) -> bool | None:
        """Tell whether somebody writes to a file right now; None if that can't be known here, or
        doesn't matter.
        """
        if self._remote or self._options.ready is Ready.SIDE_FILE:
            return None
        return has_writer(path, descriptor)

    def hold_back(self, stat: FileStat, reason: Reason, detail: str = "") -> bool:
        """Enter a file in the list; returns False: it isn't ready."""
        self._waiting[stat.name] = Waiting(stat, reason, detail)
        return False

    def _ready(self, stat: FileStat) -> bool:
        self._waiting.pop(stat.name, None)
        return True

    def _rested(self, stat: FileStat) -> bool:
        now_s = self._clock.monotonic()
        before, since_s = self._since.get(stat.name, (None, now_s))
        if before is None or not unchanged(before, stat):
            since_s = now_s
        self._since[stat.name] = (stat, since_s)
        if now_s - since_s < self._options.rest_s:
            return self.hold_back(stat, Reason.RESTING)
        return self._ready(stat)

    def _has_side_file(self, stat: FileStat, side_files: frozenset[str]) -> bool:
        if side_file_of(raw_name(stat.name)) not in side_files:
            return self.hold_back(stat, Reason.NO_SIDE_FILE)
        return True

    def _promised(self, stat: FileStat, side_file: Path) -> str | None:
        try:
            promise = read_side_file(side_file)
        except FileNotFoundError:
            self.hold_back(stat, Reason.NO_SIDE_FILE)
            return None
        except (BadSideFile, OSError) as error:
            self.hold_back(stat, Reason.SIDE_FILE_BAD, str(error))
            return None
        if promise.size != stat.size:
            detail = f"{promise.size} bytes, the file has {stat.size}"
            self.hold_back(stat, Reason.SIDE_FILE_DIFFERS, detail)
            return None
        self._ready(stat)
        return promise.digest
