"""What happens to a remote file after its commit: it moves on its server, stays, or is deleted.

Repeatable after a crash at any point. Between looking at a name and renaming it a writer may put
another file there, so that a file is looked at again where it has arrived, and put back if it isn't
the one that was counted. For the same reason a file is renamed before it is deleted.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from qanat.errors import FileChanged
from qanat.records import FileStat
from qanat.sources.files_names import alternatives, raw_name, shown, side_file_of
from qanat.sources.files_options import After, Outcome
from qanat.sources.remote_ready import read_promise
from qanat.sources.remote_server import Entry, RemoteServer

Identify = Callable[[Entry], FileStat]
"""Returns a file's identity."""


class RemoteMover:
    """Settles the files of one remote folder by one connection. One thread at a time uses it."""

    def __init__(self, server: RemoteServer, identify: Identify, after: After) -> None:
        self._server = server
        self._identify = identify
        self._after = after

    def settle(self, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        """Do what was chosen with a file whose end is committed (see `Folder.settle`)."""
        if self._after is After.KEEP:
            return stat.name
        raw = raw_name(stat.name)
        if self._after is After.DELETE and outcome == "done":
            self._delete(raw, stat, number)
            return None
        self._server.make_folder(outcome)
        where = self._move(raw, stat, outcome, number)
        return None if where is None else shown(where)

    def _move(self, raw: str, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        source = self._server.entry(raw)
        mine = source is not None and self._same(source, stat)
        for again, name in enumerate(self._places(raw, outcome, number)):
            there = self._server.entry(name)
            if there is not None:
                if not mine and self._same(there, stat):
                    self._take_side_file(raw, stat, name)  # a crash came after the move
                    return name
                continue
            if not mine and again == 0:
                continue  # the first name may have been cleared away; a gap among the others ends them
            if not mine:
                break
            with suppress(FileExistsError):
                if not self._renamed(raw, name, stat, number):
                    break
                self._take_side_file(raw, stat, name)
                return name
        if source is not None:
            raise FileChanged(f"{stat.name} isn't the file that was counted; it was left there.")
        return None

    def _renamed(self, raw: str, name: str, stat: FileStat, number: int) -> bool:
        """Rename, and look whether it was the counted file; put another one back."""
        with suppress(FileNotFoundError):
            self._server.rename(raw, name)
            arrived = self._server.entry(name)
            if arrived is not None and self._same(arrived, stat):
                return True
            if arrived is not None:
                self._put_back(name, raw, number)
        return False

    def _put_back(self, name: str, raw: str, number: int) -> None:
        for back in alternatives(raw, number):
            with suppress(FileExistsError):
                self._server.rename(name, back)
                return

    def _delete(self, raw: str, stat: FileStat, number: int) -> None:
        # With a dot in front it is no input, for us and for most others.
        taken = f".qanat-done-{number}"
        there = self._server.entry(taken)
        if there is not None and not self._same(there, stat):
            self._put_back(taken, raw, number)  # a crash came before we looked
            there = None
        if there is None:
            source = self._server.entry(raw)
            if source is None:
                return
            if not self._same(source, stat) or not self._renamed(raw, taken, stat, number):
                raise FileChanged(
                    f"{stat.name} isn't the file that was counted; it was left there."
                )
        side_file = side_file_of(raw)
        if self._speaks_of(side_file, stat):
            self._server.remove(side_file)
        self._server.remove(taken)

    def _take_side_file(self, raw: str, stat: FileStat, name: str) -> None:
        """Take the side file along, unless it speaks of another file, which is about to come."""
        side_file = side_file_of(raw)
        if not self._speaks_of(side_file, stat):
            return
        # A name that is taken was given by an earlier file, whose own side file it is.
        with suppress(FileExistsError, FileNotFoundError):
            self._server.rename(side_file, side_file_of(name))

    def _speaks_of(self, side_file: str, stat: FileStat) -> bool:
        entry = self._server.entry(side_file)
        if entry is None:
            return False
        promise = read_promise(self._server, entry)
        return not isinstance(promise, str) and promise.size == stat.size

    def _places(self, raw: str, outcome: Outcome, number: int) -> Iterator[str]:
        return (f"{outcome}/{name}" for name in alternatives(raw, number))

    def _same(self, entry: Entry, stat: FileStat) -> bool:
        return self._identify(entry)[1:3] == stat[1:3]
