"""The remote folder: finished files on a server, fetched into a spool on this machine, and counted like
those of a watched folder.

A file's identity is what the server tells of it: name, size and time, and which folder it is in. That
is what the store registers, so that a file which was counted is known again after any crash, and
when its copy is gone. What belongs to it is in the modules beside this one, from `remote_address`
(what can be chosen) to `remote_move` (what happens after the commit).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self, TypeVar

from qanat.clock import Clock
from qanat.errors import BadFile, FileChanged, FileVanished, Retryable
from qanat.records import FileStat, FoundFile
from qanat.sources.files_bytes import OpenFile, PlainBytes, opened, sketch_of
from qanat.sources.files_compressed import CompressedBytes
from qanat.sources.files_journal import Journal
from qanat.sources.files_names import compression_of, raw_name
from qanat.sources.files_options import After, Outcome
from qanat.sources.files_ready import Waiting
from qanat.sources.remote_address import (
    Access,
    Address,
    RemoteOptions,
    address_of,
    is_remote,
)
from qanat.sources.remote_claim import RemoteClaim, claim_spool
from qanat.sources.remote_download import download
from qanat.sources.remote_fetch import AskKnown, Fetcher, Known
from qanat.sources.remote_move import RemoteMover
from qanat.sources.remote_ready import RemoteReadiness, Trouble
from qanat.sources.remote_server import Connect, RemoteServer, Unreachable
from qanat.sources.remote_spool import Spool, spool_folder, spools

__all__ = [
    "Access",
    "Address",
    "Known",
    "RemoteFolder",
    "RemoteOptions",
    "address_of",
    "is_remote",
    "spool_folder",
    "spools",
]

# After a server couldn't be reached, settling doesn't try again for so long: the files are counted,
# and there may be many of them.
_DEAD_S: Final = 1.0

T = TypeVar("T")


class RemoteFolder:
    """A folder on a server. Any thread may use it. Nothing connects before `start`, or the first look.

    Args:
        options: What was chosen.
        clock: Judges how long a file has rested.
        connect: Makes a connection; the listing has one of its own, all else another.

    Raises:
        ConfigError: An option makes no sense.
    """

    def __init__(self, options: RemoteOptions, clock: Clock, connect: Connect) -> None:
        options.check()
        self.options = options
        self._clock = clock
        self._connect = connect
        self._spool = Spool(options.spool)
        self._spool.prepare()
        self._journal = Journal(options.spool)
        self._identify = RemoteReadiness(options, clock).stat
        self._fetcher: Fetcher | None = None
        self._complete = False
        self._told = threading.local()
        self._line = threading.Lock()
        self._server: RemoteServer | None = None
        self._dead_until_s = 0.0

    def start(self, known: AskKnown) -> None:
        """Begin to fetch. Call it once the folder is claimed.

        Args:
            known: Asks the store what it knows of files.

        Raises:
            ConfigError: The server isn't the one we know, refuses us, or has no such folder.
        """
        self._fetcher = Fetcher(self.options, self._clock, self._connect, known, self._spool)
        self._fetcher.start()

    def scan(self) -> list[FileStat]:
        """List the files whose copies are complete, oldest first.

        Raises:
            QanatError: What ended the fetching for good.
        """
        fetcher = self._fetcher
        if fetcher is not None:
            if fetcher.failure is not None:
                raise fetcher.failure
            self._complete = fetcher.complete  # before the look: what comes meanwhile comes again
        stats = [copy.stat for copy in self._spool.whole()]
        return sorted(stats, key=lambda stat: (stat.mtime_ns, stat.name))

    def find(self, stat: FileStat) -> FoundFile | None:
        """Look at a copy briefly; None when it is gone."""
        copy = self._spool.find(stat)
        if copy is None:
            return None
        with suppress(FileVanished, FileChanged), opened(copy.whole, stat.name) as file:
            sketch = sketch_of(PlainBytes(file, stat), stat.size)
            compression = compression_of(raw_name(stat.name))
            return FoundFile(stat, sketch, copy.promised, compression)
        return None

    def waiting(self) -> list[Waiting | Trouble]:
        """Return the files on the server that the last listing found not ready, and why."""
        fetcher = self._fetcher
        return [] if fetcher is None else [*fetcher.readiness.waiting, *fetcher.troubles]

    def resting(self) -> bool:
        """Tell whether something is still to be fetched; a run that ends by itself waits for it."""
        return self._fetcher is not None and not self._complete

    def wait(self, timeout_s: float) -> bool:
        """Wait until a copy is complete, at most `timeout_s`; tell whether one may be."""
        if self._fetcher is None:
            self._clock.sleep(timeout_s)
            return False
        seen: int = getattr(self._told, "changes", 0)
        self._told.changes = self._fetcher.wait(timeout_s, seen)
        return bool(self._told.changes != seen)

    def wake(self) -> None:
        """End the waits that are going on."""
        if self._fetcher is not None:
            self._fetcher.notify()

    @contextmanager
    def open(self, stat: FileStat, compression: str) -> Iterator[OpenFile]:
        """Open the copy of that very file.

        Raises (on entering, and by its source):
            FileVanished: There is no copy, and no such file on the server.
            BadFile: The archive is damaged or cut off.
            Retryable: There is no copy yet; reading failed.
        """
        self._demand_copy(stat)
        with opened(self._spool.path(stat), stat.name) as file:
            if compression == "none":
                yield OpenFile(PlainBytes(file, stat))
                return
            with CompressedBytes(file, stat, compression) as source:
                yield OpenFile(source)

    def check(self, stat: FileStat) -> None:
        """Make sure, last before the commit, that the copy is there: what was counted is what was
        fetched and compared.

        Raises:
            FileChanged: It isn't as long as the file was.
            Retryable: It is gone, and fetched again.
        """
        path = self._spool.path(stat)
        if not path.exists():
            raise self._missing(stat)
        if path.stat().st_size != stat.size:
            raise FileChanged(f"the copy of {stat.name} was changed in {self.options.spool}.")

    def settle(self, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        """Move, keep or delete the file on the server, and drop its copy (see `Folder.settle`)."""

        def settle(server: RemoteServer) -> str | None:
            return RemoteMover(server, self._identify, self.options.after).settle(
                stat, outcome, number
            )

        if self.options.after is After.KEEP:
            self._spool.drop(stat)
            return stat.name
        try:
            return self._ask(settle)
        except FileNotFoundError as error:
            raise Retryable(f"{stat.name} couldn't be moved on the server: {error}") from error
        finally:
            self._spool.drop(stat)

    def look(self, name: str) -> FileStat | None:
        """Return the file that has this name on the server; None if there is none."""
        entry = self._ask(lambda server: server.entry(raw_name(name)))
        return None if entry is None else self._identify(entry)

    def bring_back(self, name: str, settled_as: str) -> FileStat:
        """Move a settled file back to its name on the server. Nothing is overwritten; repeatable.

        Raises:
            FileVanished: It isn't where it was moved to.
            FileChanged: Another file has the name now.
        """
        if name != settled_as:
            try:
                with suppress(FileNotFoundError):
                    self._ask(lambda server: server.rename(raw_name(settled_as), raw_name(name)))
            except FileExistsError as error:
                if self.look(settled_as) is not None:
                    raise FileChanged(
                        f"{name} is another file now.", hint="Move or rename that one first."
                    ) from error
        found = self.look(name)
        if found is None:
            raise FileVanished(f"{settled_as} isn't there any more.")
        return found

    def claim(self, store_identity: str, pipeline: str, described: str) -> RemoteClaim:
        """Claim the spool for a pipeline and its store, and for this process alone.

        Raises:
            Busy: Another process fetches from there, or counts into another store.
        """
        options = self.options
        return claim_spool(options.spool, options.address.url, store_identity, pipeline, described)

    def remember(self, store_identity: str, counted: int) -> None:
        """Note in the spool that this store has counted its `counted`th file."""
        try:
            self._journal.remember(store_identity, counted)
        except OSError as error:
            raise Retryable(f"{self.options.spool} can't be written to: {error}.") from error

    def remembered(self, store_identity: str) -> int:
        """Return the greatest number noted for this store; 0 if none."""
        return self._journal.remembered(store_identity)

    def close(self) -> None:
        """Stop fetching, and leave the server; twice is harmless."""
        if self._fetcher is not None:
            self._fetcher.stop()
        with self._line:
            self._leave()

    def __enter__(self) -> Self:
        """Nothing connects yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop fetching."""
        self.close()

    def _demand_copy(self, stat: FileStat) -> None:
        """Make sure that there is a copy, or say how to go on."""
        if self._spool.has(stat):
            return
        if self._fetcher is not None:
            raise self._missing(stat)
        copy = self._spool.begin(stat, None)
        try:
            self._ask(lambda server: download(copy, server, threading.Event()))
        except FileNotFoundError as error:
            raise FileVanished(f"{stat.name} is gone.") from error
        self._spool.take_in(copy)

    def _missing(self, stat: FileStat) -> Retryable | BadFile:
        """Return why there is no copy: it is still to be fetched, or there is nothing to fetch."""
        if self.look(stat.name) != stat:
            return FileVanished(f"{stat.name} is gone from the server, and there is no copy.")
        if self._fetcher is not None:
            self._fetcher.again(stat)
        return Retryable(f"{stat.name} has to be fetched again.", after_s=0.5)

    def _ask(self, action: Callable[[RemoteServer], T]) -> T:
        """Do something repeatable by the connection for everything but listing and fetching.

        One thread at a time has it. A server may have closed it for idleness; then another is made.
        """
        with self._line:
            if self._clock.monotonic() < self._dead_until_s:
                raise Retryable(f"{self.options.address.url} couldn't be reached a moment ago.")
            if self._server is not None:
                try:
                    return action(self._server)
                except Unreachable:
                    self._leave()
            try:
                self._server = self._connect()
                return action(self._server)
            except Unreachable:
                self._leave()
                self._dead_until_s = self._clock.monotonic() + _DEAD_S
                raise

    def _leave(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
