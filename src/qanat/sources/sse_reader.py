"""The thread that reads a stream of server-sent events: connects, goes on where it was, waits before it tries again."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qanat.clock import Clock
from qanat.errors import Fatal, QanatError, Retryable, SourceLost
from qanat.records import Position
from qanat.sources.sse_http import SseHttp
from qanat.sources.sse_options import SseOptions
from qanat.sources.sse_parser import SseParser
from qanat.sources.sse_position import Gap, Reach, merged, resume_header
from qanat.sources.sse_prefetch import Prefetch
from qanat.telemetry import log

if TYPE_CHECKING:
    import pyarrow as pa

WARN_FROM_FAILURES = 3
"""So many attempts in a row that fail aren't a hiccup: they are warned of."""

_DOUBLINGS_MAX = 20
_LONG_S = 5.0
"""A connection that lasted so long was one, whatever it gave; a shorter one without anything new is a failure."""

_DOUBTFUL_CONNECTIONS_MAX = 3
"""Ended before the events at the position came, and after later ones did: after so many history is taken for lost."""


@dataclass(frozen=True, slots=True)
class SourceCondition:
    """How a stream fares, for whoever wonders why nothing comes.

    Attributes:
        connected: Whether it is connected now.
        since: From when on it has been so; the start of reading before the first connection.
        heard_at: When the last bytes came, comments included.
        problem: What went wrong last; empty once a connection works again.
        retries: Failures in a row.
        retry_at: When it will be tried again; None while it is connected, or being connected.
    """

    connected: bool
    since: datetime
    heard_at: datetime | None = None
    problem: str = ""
    retries: int = 0
    retry_at: datetime | None = None


# After a small piece it rests for a moment: each read costs 0.3 ms whatever it brings, and at 1,000 events a second, each sent by
# itself, that is a third of a core.
SMALL_BYTES = 16 << 10
REST_S = 0.004


@dataclass(slots=True)
class Reader:
    """Fills a `Prefetch` from a stream until it is stopped; any thread may stop it, or ask for its condition.

    Attributes:
        received: The position after the last event that was given; None before the first.
        condition: How it fares.
        jitter: Between 0 and 1; tells how much of the wait is waited.
    """

    options: SseOptions
    clock: Clock
    prefetch: Prefetch
    received: Position | None
    condition: SourceCondition
    jitter: Callable[[], float] = random.random
    _stop: threading.Event = field(default_factory=threading.Event)
    _http: SseHttp = field(init=False)
    _thread: threading.Thread = field(init=False)
    _retry_ms: int = 0
    _doubtful: int = 0

    def __post_init__(self) -> None:
        self._http = SseHttp(self.options, self.clock)
        self._thread = threading.Thread(target=self._run, name="sse-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection. Doesn't wait for a connection that is just being made: it ends as soon as it is."""
        self._stop.set()
        self.prefetch.close()
        self._http.interrupt()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._connection())
        except QanatError as error:
            self._say(connected=False, problem=error.message)
            self.prefetch.fail(error)
        finally:
            self._http.close()
            # Only a mistake of ours gets here without an error: nobody is to wait for a thread that has died.
            self.prefetch.fail(Fatal("the reader of the stream has died; its error was printed"))

    def _connection(self) -> float:
        """Read one connection to its end; return how long to wait before the next one, in seconds."""
        before, began_s = self.received, self.clock.monotonic()
        self.condition = replace(self.condition, retry_at=None)
        visit = _Visit(self)
        asked_s = 0.0
        try:
            with self._http:
                visit.read()
            problem = "the server ended the connection"
        except Retryable as error:
            problem = " ".join([error.message, error.hint]).strip()
            asked_s = error.after_s
        if self._stop.is_set():
            return 0.0
        visit.ended()
        worked = self.received != before or self.clock.monotonic() - began_s >= _LONG_S
        if visit.connected:
            log(
                "source.disconnected",
                url=self.options.incarnation,
                reason=problem,
                events=visit.events,
            )
        if visit.connected and worked:
            self._say(connected=False, problem=problem)
            return max(asked_s, self._retry_ms / 1000)
        return self._failed(problem, asked_s)

    def _failed(self, problem: str, asked_s: float) -> float:
        failures = self.condition.retries + 1
        doubled_s = self.options.backoff_first_s * 2.0 ** min(failures - 1, _DOUBLINGS_MAX)
        delay_s = min(doubled_s, self.options.backoff_max_s) * (0.5 + self.jitter() / 2)
        delay_s = max(delay_s, asked_s, self._retry_ms / 1000)
        level = logging.WARNING if failures >= WARN_FROM_FAILURES else logging.INFO
        log(
            "source.retried",
            level=level,
            url=self.options.incarnation,
            reason=problem,
            failures=failures,
            after_s=round(delay_s, 3),
        )
        self._say(connected=False, problem=problem)
        self.condition = replace(
            self.condition,
            retries=failures,
            retry_at=self.clock.now() + timedelta(seconds=delay_s),
        )
        return delay_s

    def _say(self, *, connected: bool, problem: str = "") -> None:
        now = self.clock.now()
        since = self.condition.since if connected == self.condition.connected else now
        heard_at = now if connected else self.condition.heard_at
        self.condition = SourceCondition(connected, since, heard_at, problem)


class _Visit:
    """One connection of a `Reader`."""

    def __init__(self, reader: Reader) -> None:
        self.connected = False
        self.events = 0
        self._reader = reader
        self._parser = SseParser(reader.received or "", reader.options.event_size_max_bytes)
        self._reach = Reach.back_to(reader.received or "", round(reader.options.disorder_s * 1000))
        self._held: list[pa.RecordBatch] = []

    def read(self) -> None:
        """Connect, and give everything until the end."""
        reader = self._reader
        http, first = reader._http, reader.received is None
        http.connect(
            resume_header(reader.received or ""), reader.options.since_ms() if first else None
        )
        self.connected = True
        log("source.connected", url=reader.options.incarnation, resumed=not first)
        reader._say(connected=True)
        while not reader._stop.is_set():
            piece = http.read()
            if not piece:
                return
            reader.condition = replace(reader.condition, heard_at=reader.clock.now())
            for batch in self._parser.feed(piece):
                self._arrived(batch)
            reader._retry_ms = self._parser.retry_ms or reader._retry_ms
            if self._parser.cut:
                log("source.event_cut", url=reader.options.incarnation, events=self._parser.cut)
                self._parser.cut = 0
            if len(piece) < SMALL_BYTES:
                reader._stop.wait(REST_S)

    def ended(self) -> None:
        """Settle what was held back: it comes again, unless that was so a few times already."""
        if not self._held:
            return
        self._reader._doubtful += 1
        gap = self._reach.gap()
        if gap is not None and self._reader._doubtful >= _DOUBTFUL_CONNECTIONS_MAX:
            self._lost(gap)
            self._give_held()

    def _arrived(self, batch: "pa.RecordBatch") -> None:
        """Hold events back while they may lie behind a gap: once committed, nobody would learn of it."""
        if self._reach.open:
            ids = batch.column(0)
            gap = self._reach.see((value.as_py() for value in ids), ids[-1].as_py())
            self._held.append(batch)
            too_much = (
                sum(each.nbytes for each in self._held) > self._reader.options.prefetch_bytes_max
            )
            if gap is None and too_much:
                gap = self._reach.gap()
            if gap is not None:
                self._lost(gap)
            elif self._reach.doubt:
                return
            self._give_held()
        else:
            self._give(batch)

    def _lost(self, gap: Gap) -> None:
        options = self._reader.options
        span = f"{_moment(gap.from_ms)} to {_moment(gap.to_ms)}"
        if not options.accept_gap:
            raise SourceLost(
                f"the history of {options.incarnation} doesn't reach back: of {gap.topic} the events from {span} are missing.",
                hint="To go on without them, allow it once with --accept-gap.",
            )
        log(
            "source.gap",
            level=logging.WARNING,
            topic=gap.topic,
            start=_moment(gap.from_ms),
            end=_moment(gap.to_ms),
        )
        self._reach = Reach.back_to("")

    def _give_held(self) -> None:
        held, self._held = self._held, []
        for batch in held:
            self._give(batch)

    def _give(self, batch: "pa.RecordBatch") -> None:
        reader = self._reader
        if not reader.prefetch.put(_received(batch, reader.clock.now())):
            return
        self.events += batch.num_rows
        reader.received = merged(reader.received or "", batch.column(0)[-1].as_py())
        reader._doubtful = 0
        if reader.condition.retries or reader.condition.problem:
            reader._say(connected=True)


def _received(batch: "pa.RecordBatch", now: datetime) -> "pa.RecordBatch":
    """Add the time of receipt."""
    import pyarrow as pa

    column = pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), batch.num_rows)
    return batch.append_column("received_at", column)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
