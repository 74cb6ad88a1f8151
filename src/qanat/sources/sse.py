"""Server-sent events as an ordered source: any server that speaks `text/event-stream`, and Wikimedia's EventStreams above all."""

from collections.abc import Mapping, Sequence

from qanat.clock import Clock
from qanat.errors import Fatal, SourceLost
from qanat.records import Batch, Partition, Position
from qanat.sources.sse_options import SseOptions
from qanat.sources.sse_position import merged
from qanat.sources.sse_prefetch import Prefetch
from qanat.sources.sse_reader import Reader, SourceCondition
from qanat.tables import Column, ColumnType, Table, arrow_schema

__all__ = ["PARTITION", "ROWS", "SourceCondition", "SseOptions", "SseSource"]

PARTITION: Partition = "0"
"""The only one: a stream is one sequence."""

ROWS = Table(
    "server_sent_events",
    (
        Column("id", ColumnType.TEXT, about="the last event id; empty where the server gives none"),
        Column("event", ColumnType.TEXT, about="the event's type, `message` as a rule"),
        Column("data", ColumnType.BYTES, about="as received, its lines joined by a line feed"),
        Column("received_at", ColumnType.TIMESTAMP),
    ),
)
"""What a row of the source is."""


class SseSource:
    """Reads one stream over one connection, in a thread of its own; a `WakingSource`.

    A position is the last event id. A resume sends it as `Last-Event-ID`, such that Wikimedia's servers give the event at the
    position again with all its siblings of the same millisecond; other servers may give it again or not. So it repeats, and
    rows need an id of their own.

    It reconnects by itself, at once when the server just ended the connection, else with growing waits. Only what can't mend
    itself is raised by `poll`: `ConfigError` (400, 401, 404 …), `Fatal` (204), `SourceLost`.

    A history that doesn't reach back to the position is told for Wikimedia's ids alone, which hold times (see
    `sse_position.Reach`). Other ids are opaque: whether the first event after a resume is the one that follows can't be known,
    and isn't judged.

    Args:
        options: Which stream.
        clock: Says when events were received.
    """

    repeats = True

    def __init__(self, options: SseOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._prefetch = Prefetch(0, 0)
        self._reader: Reader | None = None
        self._position: Position = ""
        self._last_condition = SourceCondition(connected=False, since=clock.now())
        self._closed = False

    def incarnation(self) -> str:
        """The stream's URL without query, name and password."""
        return self._options.incarnation

    def partitions(self) -> Sequence[Partition]:
        return [PARTITION]

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        self._stop()
        unknown = set(start) - {PARTITION}
        if unknown:
            raise SourceLost(
                f"there is no partition {min(unknown)}", hint=f"A stream has {PARTITION} alone."
            )
        self._closed = False
        self._prefetch = Prefetch(self._options.prefetch_bytes_max, self._options.prefetch_rows_max)
        if PARTITION not in start:
            return
        position = start[PARTITION]
        self._position = position or ""
        self._reader = Reader(
            self._options, self._clock, self._prefetch, position, self._last_condition
        )
        self._reader.start()

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        import pyarrow as pa

        if self._closed:
            raise Fatal("the source is closed")
        batches = self._prefetch.take(rows_max, wait_s)
        if not batches:
            return None
        rows = pa.Table.from_batches(batches).cast(arrow_schema(ROWS))
        self._position = merged(self._position, rows.column("id")[-1].as_py())
        return Batch(rows, {PARTITION: self._position}, self._clock.now())

    def wake(self) -> None:
        self._prefetch.wake()

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        """Nothing: the server keeps its history by age."""

    def lag(self) -> Mapping[Partition, int | None]:
        """Never known: a server doesn't say how much it has."""
        return {PARTITION: None} if self._reader else {}

    def condition(self) -> SourceCondition:
        """Tell how the connection fares; any thread may ask."""
        reader = self._reader
        return reader.condition if reader else self._last_condition

    def close(self) -> None:
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        if self._reader is not None:
            self._reader.stop()
            self._last_condition = SourceCondition(connected=False, since=self._clock.now())
            self._reader = None
