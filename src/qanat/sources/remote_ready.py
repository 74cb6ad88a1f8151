"""Is a remote file finished? With less evidence than a local one gives: nobody there can be asked who
has a file open, and a rename leaves no trace.

* `rename`: a file that has its final name is finished. That rests on the writer alone: he uploads
  under a temporary name, and renames.
* `side-file`: NAME.meta.json is there and tells its size; its digest is compared as well.
* `rest`: its size and time didn't change for `rest_s` while we looked. A heuristic.

Whatever was chosen: a side file that is there has to be right, and a file whose size or time isn't
the same after it was fetched is fetched anew.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from qanat.clock import Clock
from qanat.records import FileStat
from qanat.sources.files_names import is_side_file, is_temporary, shown, side_file_of
from qanat.sources.files_options import FolderOptions
from qanat.sources.files_ready import Readiness, Reason, Waiting
from qanat.sources.files_side import SIDE_FILE_BYTES_MAX, BadSideFile, Promise, parse_side_file
from qanat.sources.remote_address import RemoteOptions
from qanat.sources.remote_server import Entry, NotAllowed, RemoteServer


@dataclass(frozen=True, slots=True)
class Trouble:
    """A finished file that can't be fetched unless somebody does something."""

    stat: FileStat
    detail: str
    problem: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """A file that may be fetched.

    Attributes:
        promised: The digest that its side file promises.
    """

    stat: FileStat
    promised: str | None


class RemoteReadiness:
    """Judges the files of one remote folder. One thread uses it; `waiting` may be read by any."""

    def __init__(self, options: RemoteOptions, clock: Clock) -> None:
        self._number = options.address.number
        self._matches = re.compile(translate(options.pattern)).match
        chosen = FolderOptions(path=options.spool, ready=options.ready, rest_s=options.rest_s)
        self._readiness = Readiness(chosen, clock, remote=True)
        self._promises: dict[Entry, Promise | str] = {}
        self.waiting: Sequence[Waiting] = ()

    def stat(self, entry: Entry) -> FileStat:
        """Return a file's identity: its name, size and time, and the folder's number."""
        return FileStat(shown(entry.name), entry.size, entry.mtime_ns, 0, self._number)

    def finished(self, entries: Sequence[Entry], server: RemoteServer) -> list[Finished]:
        """Keep the files that are finished, oldest first; those that aren't are in `waiting`."""
        side_files = {entry.name: entry for entry in entries if is_side_file(entry.name)}
        candidates = {self.stat(e): e for e in entries if self._is_input(e.name)}
        listed = self._readiness.listed(candidates, frozenset(side_files))
        found = []
        for stat in sorted(listed, key=lambda stat: (stat.mtime_ns, stat.name)):
            side_file = side_files.get(side_file_of(candidates[stat].name))
            if side_file is None:
                found.append(Finished(stat, None))
            elif (promise := self._promise(stat, side_file, server)) is not None:
                found.append(Finished(stat, promise.digest))
        self._promises = {e: p for e, p in self._promises.items() if e in side_files.values()}
        self.waiting = self._readiness.waiting()
        return found

    def resting(self) -> bool:
        """Tell whether a file was found that only has to rest for its time."""
        return any(held.reason is Reason.RESTING for held in self.waiting)

    def _is_input(self, raw: str) -> bool:
        named = not is_temporary(raw) and not is_side_file(raw)
        return named and self._matches(raw) is not None

    def _promise(self, stat: FileStat, entry: Entry, server: RemoteServer) -> Promise | None:
        if entry not in self._promises:
            self._promises[entry] = read_promise(server, entry)
        promise = self._promises[entry]
        if isinstance(promise, str):
            self._readiness.hold_back(stat, Reason.SIDE_FILE_BAD, promise)
            return None
        if promise.size != stat.size:
            detail = f"{promise.size} bytes, the file has {stat.size}"
            self._readiness.hold_back(stat, Reason.SIDE_FILE_DIFFERS, detail)
            return None
        return promise


def read_promise(server: RemoteServer, entry: Entry) -> Promise | str:
    """Read a side file; what is wrong with it as a text."""
    if entry.size > SIDE_FILE_BYTES_MAX:
        return f"it has more than {SIDE_FILE_BYTES_MAX} bytes"
    try:
        return parse_side_file(b"".join(server.read(entry.name, 0, entry.size)))
    except (FileNotFoundError, NotAllowed, BadSideFile) as error:
        return str(error)
