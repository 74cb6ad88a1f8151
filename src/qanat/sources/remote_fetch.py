"""Fetching: a thread that lists a remote folder and brings its finished files into the spool.

It goes on through whatever happens to the connection, with growing pauses, and resumes a file at the
byte where it broke off. What can't get better by waiting (an unknown host key, a password that is
refused at the start) ends the run.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qanat import failpoints
from qanat.clock import Clock
from qanat.errors import ConfigError, QanatError, Retryable
from qanat.records import FileStat
from qanat.sources.files_names import raw_name
from qanat.sources.files_options import After
from qanat.sources.remote_address import RemoteOptions
from qanat.sources.remote_download import Stopping, download
from qanat.sources.remote_ready import Finished, RemoteReadiness, Trouble
from qanat.sources.remote_server import Connect, NotAllowed, RemoteServer
from qanat.sources.remote_spool import Copy, Spool, State, digest_of
from qanat.telemetry import log

# Between attempts to reach a server: doubling, and spread so that instances don't knock in step.
_DELAY_FIRST_S: Final = 0.2
_DELAY_MAX_S: Final = 30.0
# A copy that differs from its side file so often was damaged on the server and not on its way.
_DIGEST_TRIES_MAX: Final = 2
# A look at the spool, while it is full.
_FULL_WAIT_S: Final = 0.2
# Closing the connection ends what a thread waits for; only connecting can't be broken off.
_STOP_WAIT_S: Final = 5.0
_CLASH: Final = "a file of this name, size and time was counted before; if this is another one, give it another name"


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a file.

    Attributes:
        open: It isn't ended: a copy of it is needed.
        gone: It was moved away or deleted after it had been counted.
    """

    open: bool
    gone: bool


AskKnown = Callable[[Sequence[FileStat]], Mapping[FileStat, Known]]
"""Asks the store about files; those that it never registered are missing in the answer."""


class Fetcher:
    """Fetches the files of one remote folder. Its own thread does it.

    Attributes:
        failure: What ended it for good.
    """

    def __init__(
        self, options: RemoteOptions, clock: Clock, connect: Connect, known: AskKnown, spool: Spool
    ) -> None:
        self._options = options
        self._clock = clock
        self._connect = connect
        self._known = known
        self._spool = spool
        self._state = State(options.address.url)
        self.readiness = RemoteReadiness(options, clock)
        self.failure: QanatError | None = None
        self._troubles: dict[FileStat, Trouble] = {}
        self._was_in = False
        self._room_bytes = 0  # as far as was counted
        self._ended: set[FileStat] = set()
        self._damaged: dict[FileStat, int] = {}
        self._complete = threading.Event()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._changes = 0
        self._server: RemoteServer | None = None
        self._thread = threading.Thread(target=self._run, name="remote-fetch", daemon=True)

    def start(self) -> None:
        """Begin, with a first connection: what can't work is told at once.

        Raises:
            ConfigError: The server isn't the one we know, refuses us, or has no such folder.
        """
        self._spool.tell(self._state)
        try:
            self._server = self._connect()
            self._was_in = True
        except Retryable as error:
            self._tell(error)
        self._thread.start()

    def stop(self) -> None:
        """End it; what is half fetched is gone on with by the next run."""
        self._stop.set()
        self._wake.set()
        if (server := self._server) is not None:
            server.abort()
        if self._thread.is_alive():
            self._thread.join(_STOP_WAIT_S)

    @property
    def complete(self) -> bool:
        """Whether everything that a whole listing showed as finished was fetched."""
        return self._complete.is_set()

    @property
    def troubles(self) -> Sequence[Trouble]:
        """The files that can't be fetched unless somebody does something."""
        return tuple(self._troubles.copy().values())

    def again(self, stat: FileStat) -> None:
        """Fetch a file that has to be counted and has no copy."""
        self._ended.discard(stat)
        self._wake.set()

    def wait(self, timeout_s: float, seen: int) -> int:
        """Wait until there were more changes than `seen`; return how many there were."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout_s)
            return self._changes

    def notify(self) -> None:
        """End the waits."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            pause_s = self._options.poll_s
            try:
                self._round()
                failures = 0
            except Stopping:
                break
            except (Retryable, OSError) as error:
                self._leave()
                pause_s = _delay_s(failures)
                failures += 1
                self._tell(error)
            except QanatError as error:
                if self._stop.is_set():
                    break
                self.failure = error
                self.notify()
                break
            self._wake.wait(pause_s)
            self._wake.clear()
        self._leave()

    def _round(self) -> None:
        """List once, and fetch what is finished."""
        server = self._connected()
        entries = server.entries()
        finished = self.readiness.finished(entries, server)
        self._spool.keep_only(self.readiness.stat(entry) for entry in entries)
        wanted = self._wanted(finished, server)
        self._forget_ended()
        for file in wanted:
            self._wait_for_room(file.stat.size)
            self._fetch(file, server)
        self._tell(None)
        if not self.readiness.resting():
            self._complete.set()
        self.notify()

    def _connected(self) -> RemoteServer:
        if self._server is None:
            try:
                self._server = self._connect()
            except ConfigError as error:
                if error.setting != "--input" or not self._was_in:
                    raise  # an unknown key, say: nobody waits for that to pass
                # It let us in before. A server that is being set up refuses for a while.
                raise Retryable(error.message, hint=error.hint) from error
            self._was_in = True
        return self._server

    def _leave(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _wanted(self, finished: Sequence[Finished], server: RemoteServer) -> list[Finished]:
        """Keep what has to be counted and has no copy."""
        listed = {file.stat for file in finished}
        self._ended &= listed
        self._troubles = {stat: it for stat, it in self._troubles.items() if stat in listed}
        # In this order: a copy is dropped only after the store knows of its end.
        asked = [f for f in finished if f.stat not in self._ended and not self._spool.has(f.stat)]
        known = self._known([file.stat for file in asked]) if asked else {}
        for stat in (stat for stat, what in known.items() if not what.open):
            self._ended.add(stat)
            if known[stat].gone and self._options.after is not After.KEEP:
                there = server.entry(raw_name(stat.name))
                if there is not None and self.readiness.stat(there) == stat:
                    self._troubles[stat] = Trouble(stat, _CLASH)
        return [file for file in asked if file.stat not in known or known[file.stat].open]

    def _forget_ended(self) -> None:
        """Drop the copies of files that are ended."""
        copies = [copy.stat for copy in self._spool.whole()]
        known = self._known(copies) if copies else {}
        for stat, what in known.items():
            if not what.open:
                self._spool.drop(stat)

    def _wait_for_room(self, size_bytes: int) -> None:
        """Wait until there is room in the spool; a single file may be larger than all of it."""
        while self._room_bytes <= 0:
            taken = sum(copy.stat.size for copy in self._spool.whole())
            self._room_bytes = self._options.spool_bytes_max - taken
            if self._room_bytes <= 0 and self._stop.wait(_FULL_WAIT_S):
                raise Stopping
        self._room_bytes -= size_bytes

    def _fetch(self, file: Finished, server: RemoteServer) -> None:
        if self._stop.is_set():
            raise Stopping
        copy = self._spool.begin(file.stat, file.promised)
        refused = ""
        resumed = 0
        try:
            resumed = download(copy, server, self._stop)
        except (FileNotFoundError, NotAllowed) as error:
            refused = str(error)
        there = server.entry(raw_name(file.stat.name))
        if there is None or self.readiness.stat(there) != file.stat:
            self._spool.drop(file.stat)  # renamed, removed or written to meanwhile
            log("remote.changed", name=file.stat.name, size=file.stat.size)
            return
        if refused:
            self._troubles[file.stat] = Trouble(file.stat, f"it can't be read: {refused}")
            return
        if not self._as_promised(copy):
            raise Retryable(f"{file.stat.name} isn't what its side file says; it is fetched anew.")
        failpoints.reach("fetch.complete")
        self._spool.take_in(copy)
        failpoints.reach("fetch.taken_in")
        self._troubles.pop(copy.stat, None)
        log("remote.fetched", name=file.stat.name, size=file.stat.size, resumed_at=resumed)
        self.notify()

    def _as_promised(self, copy: Copy) -> bool:
        """Compare a copy with its side file; one that differs again and again is left to fail."""
        if copy.promised in {None, digest_of(copy.part)}:
            return True
        self._damaged[copy.stat] = self._damaged.get(copy.stat, 0) + 1
        if self._damaged[copy.stat] >= _DIGEST_TRIES_MAX:
            return True
        self._spool.drop(copy.stat)
        return False

    def _tell(self, error: QanatError | OSError | None) -> None:
        """Note for `qanat status` and the log what is wrong, when that changes."""
        problem = "" if error is None else getattr(error, "message", str(error))
        state = State(self._options.address.url, problem)
        if problem and not self._stop.is_set():
            level = logging.INFO if state == self._state else logging.WARNING
            log("remote.retried", level=level, url=state.url, reason=problem)
        if state != self._state:
            self._state = state
            try:
                self._spool.tell(state)
            except OSError as full:
                log("remote.retried", url=state.url, reason=str(full))


def _delay_s(failures: int) -> float:
    longest_s = min(_DELAY_MAX_S, _DELAY_FIRST_S * (1 << min(failures, 10)))
    return longest_s * (0.5 + random.random() / 2)
