"""Reading and computing one part of a file, outside any transaction: paced, watched, stoppable."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from qanat.clock import Clock
from qanat.errors import BadFile, QanatError
from qanat.interfaces import Store
from qanat.records import FileStat, FoundFile, Staged
from qanat.runtime.filework import ByteSource, FileTransform, Hooks, PartOutcome, PartPlan
from qanat.runtime.registry import FileRow
from qanat.service.pulse import Pulse, current
from qanat.tables import DEAD_LETTERS, arrow_schema

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

Outcome = Literal["done", "failed"]
"""How a file ended, as far as its place is concerned."""

# Dead letters kept in memory before they are staged; about 10 MB with their bytes.
LETTERS_IN_MEMORY_MAX = 20_000

# How soon a wait for the rate limit sees that the limit was changed; and a wait for the other thread, that it goes on.
PACE_LOOK_S = 1.0


class Waiting(Protocol):
    """A file that isn't finished."""

    @property
    def stat(self) -> FileStat:
        """Which one."""
        ...

    @property
    def detail(self) -> str:
        """What is known about it."""
        ...

    @property
    def problem(self) -> bool:
        """Whether somebody has to do something about it."""
        ...


class OpenFile(Protocol):
    """An opened file, as the folder gives it."""

    source: ByteSource

    def disk_digest(self) -> str | None:
        """Of a compressed file that was read to its end: the digest of its bytes on disk."""
        ...


class FileSource(Protocol):
    """A folder, or whatever else gives finished files. `sources.files.Folder` is one, `sources.remote.RemoteFolder` another."""

    def scan(self) -> list[FileStat]:
        """List the finished files there are now, oldest first."""
        ...

    def find(self, stat: FileStat) -> FoundFile | None:
        """Look at a file briefly; None when it is gone."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Block until something may have changed, at most `timeout_s`; tell whether it may."""
        ...

    def resting(self) -> bool:
        """Tell whether a file is there that only has to rest before it counts as finished."""
        ...

    def waiting(self) -> "Sequence[Waiting]":
        """Return the files that are there and not finished, with the reason."""
        ...

    def open(self, stat: FileStat, compression: str) -> "AbstractContextManager[OpenFile]":
        """Open that very file; FileChanged when it is another one by now."""
        ...

    def check(self, stat: FileStat) -> None:
        """Raise FileChanged or FileVanished unless the name still is that very file, untouched."""
        ...

    def settle(self, stat: FileStat, outcome: Outcome, number: int) -> str | None:
        """Move, keep or delete a file whose end is committed; return where it lies. Repeatable."""
        ...

    def remember(self, store_identity: str, counted: int) -> None:
        """Note in the folder that this store counted its `counted`th file."""
        ...


class Stopped(QanatError):
    """The work was ended on request."""


class Progress:
    """What is being read now, for progress bars and status. Written by the computing threads, read by any."""

    def __init__(self) -> None:
        self.name = ""
        self.size_bytes = 0
        self.done_bytes = 0
        self.read_bytes = 0
        self.lines = 0
        self.files = 0

    def begin(self, name: str, size_bytes: int) -> None:
        """A part of `size_bytes` of the file `name` begins."""
        self.name, self.size_bytes, self.done_bytes = name, size_bytes, 0

    def advance(self, size_bytes: int) -> None:
        """`size_bytes` more were read."""
        self.done_bytes += size_bytes
        self.read_bytes += size_bytes


class Pace:
    """Limits the rate of reading, in bytes per second over all threads; 0 for none. The rate may be changed at any time."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._kept_rate = rate
        self._free_at_s = 0.0

    def take(self, size_bytes: int, stop: threading.Event, pulse: Pulse) -> None:
        """Wait until `size_bytes` may be read, or `stop` is set."""
        rate = self.rate
        if not rate:
            return
        with self._lock:
            now_s = self._clock.monotonic()
            if rate != self._kept_rate:  # what was owed to another rate is forgiven
                self._kept_rate, self._free_at_s = rate, now_s
            self._free_at_s = max(now_s, self._free_at_s) + size_bytes / rate
            free_at_s = self._free_at_s
        while (wait_s := free_at_s - self._clock.monotonic()) > 0 and self.rate == rate:
            pulse.rest(min(wait_s, PACE_LOOK_S))
            if stop.wait(min(wait_s, PACE_LOOK_S)):
                return


@dataclass(slots=True)
class Letters:
    """The dead letters of one part: few in memory, many staged."""

    store: Store
    stage: str
    file: FileRow
    attempt: UUID
    rejected_at: object
    part: int
    limit: int
    count: int = 0
    staged: list[Staged] = field(default_factory=list)
    pending: "list[pa.Table]" = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reject(self, rows: "pa.Table") -> None:
        """Take a batch of letters (see `Hooks.on_rejected`)."""
        with self._lock:
            self.count += rows.num_rows
            if self.count > self.limit:
                raise BadFile(f"{self.file.name} has more than {self.limit} malformed lines")
            self.pending.append(rows)
            if sum(batch.num_rows for batch in self.pending) > LETTERS_IN_MEMORY_MAX:
                self.flush()

    def flush(self) -> None:
        """Stage what is pending."""
        if not self.pending:
            return
        # A part's batches get numbers of their own, so that the parts of one attempt never replace each other's.
        number = self.part * 1_000_000 + len(self.staged)
        self.staged.append(self.store.stage(DEAD_LETTERS, self.rows(), self.attempt, number))
        self.pending.clear()

    def rows(self) -> "pa.Table":
        """Return what is pending as rows of `dead_letters`; lines count from 1 within the part."""
        import pyarrow as pa

        schema = arrow_schema(DEAD_LETTERS)
        if not self.pending:
            return schema.empty_table()
        import pyarrow.compute as pc

        rows = pa.concat_tables(self.pending)
        offsets = rows.column("byte_offset")
        prefix = f"{self.stage}:{self.file.id}:"
        constants = {
            "stage": self.stage,
            "origin": self.file.name,
            "origin_id": self.file.id,
            "rejected_at": self.rejected_at,
            "state": "open",
        }
        columns = {
            "id": pc.binary_join_element_wise(prefix, pc.cast(offsets, pa.string()), ""),
            "line": pc.add(rows.column("line"), 1),
            **{name: rows.column(name) for name in ("byte_offset", "reason", "length", "raw")},
            **{
                name: pa.repeat(pa.scalar(value, schema.field(name).type), rows.num_rows)
                for name, value in constants.items()
            },
        }
        return pa.table({name: columns[name] for name in schema.names}).cast(schema)


@dataclass(frozen=True, slots=True)
class Computer:
    """Computes parts of files.

    Attributes:
        turn: Held while computing: the kernel uses every core, so that one part at a time is computed while another one's
            result is committed.
        keep_alive: Called about once a second while computing: extends leases.
    """

    source: FileSource
    transform: FileTransform
    pace: Pace
    progress: Progress
    stop: threading.Event
    turn: threading.Lock

    def compute(
        self, file: FileRow, part: PartPlan, letters: Letters, keep_alive: Callable[[], None]
    ) -> PartOutcome:
        """Compute one part of `file`.

        Raises:
            Stopped: The stop was asked for.
            BadFile: The file can't be read as what it was registered as.
            KeysExceeded: It has to be planned as key ranges.
        """
        pulse = current()

        def on_block(size_bytes: int) -> None:
            pulse.beat()
            self.progress.advance(size_bytes)
            self.pace.take(size_bytes, self.stop, pulse)
            keep_alive()
            if self.stop.is_set():
                raise Stopped

        with self._turn(pulse), self.source.open(file.stat, file.compression) as opened:
            self.progress.begin(file.name, (part.stop or file.size) - part.start)
            outcome = self.transform.compute(
                opened.source, part, Hooks(on_block=on_block, on_rejected=letters.reject)
            )
            self.progress.lines += outcome.lines_good + outcome.lines_bad
            if file.compression == "none":
                return outcome
            return _with_disk_digest(outcome, opened.disk_digest())

    @contextmanager
    def _turn(self, pulse: Pulse) -> Iterator[None]:
        """Wait for the turn. Whoever has it shows by its own pulse whether it gets on."""
        while not self.turn.acquire(timeout=PACE_LOOK_S):
            pulse.beat()
        try:
            yield
        finally:
            self.turn.release()


def _with_disk_digest(outcome: PartOutcome, disk_digest: str | None) -> PartOutcome:
    return PartOutcome(
        outcome.rows,
        outcome.lines_good,
        outcome.lines_bad,
        outcome.total,
        outcome.digests,
        outcome.size,
        disk_digest,
    )
