"""The in-memory source: ordered partitions with positions, and faults on request."""

from collections.abc import Mapping, Sequence

from qanat.clock import Clock
from qanat.errors import Fatal, SourceLost
from qanat.records import Batch, Partition, Position
from qanat.testing.memory_arrow import arrow_table
from qanat.testing.memory_log import (
    Crash,
    Crashed,
    End,
    Fail,
    LogPartition,
    LogRow,
    MemoryLog,
    Pause,
)

# Rows that another thread pushes wake a waiting poll; beyond this, waiting would only slow tests
# down.
_WAIT_S_MAX = 0.02


class MemorySource:
    """A `Source` that reads a `MemoryLog`. A position is the number of the next row, in decimal
    digits.

    To try a restart, make another one on the same log.

    Attributes:
        repeats: Given by whoever makes it: whether to yield the row before the position again.
        acknowledged: The last ends that were acknowledged, per partition.
    """

    def __init__(self, log: MemoryLog, clock: Clock, *, repeats: bool = False) -> None:
        self.repeats = repeats
        self.acknowledged: dict[Partition, Position] = {}
        self._log = log
        self._clock = clock
        self._next: dict[Partition, int] = {}
        self._idle_polls = 0
        self._ended = False
        self._closed = False

    def incarnation(self) -> str:
        return self._log.incarnation

    def partitions(self) -> Sequence[Partition]:
        with self._log.changed:
            return sorted(self._log.partitions)

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        with self._log.changed:
            self._next = {name: self._number(name, after) for name, after in start.items()}

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        """Return the next rows; see `Source`. A fault that stands next happens when no row
        comes before it.
        """
        if self._closed:
            raise Fatal("the source is closed")
        with self._log.changed:
            batch = self._read(rows_max)
            if batch is None and not self._ended and not self._idle_polls:
                self._log.changed.wait(min(wait_s, _WAIT_S_MAX))
                batch = self._read(rows_max)
            self._idle_polls = max(self._idle_polls - 1, 0)
            return batch

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        self.acknowledged.update(ends)

    def lag(self) -> Mapping[Partition, int | None]:
        with self._log.changed:
            return {name: max(self._at(name).end - n, 0) for name, n in self._next.items()}

    def close(self) -> None:
        self._closed = True

    def _number(self, name: Partition, after: Position | None) -> int:
        """Return the number of the row to begin with."""
        first = self._at(name).first
        if after is None:
            return first
        return int(after) - 1 if self.repeats and int(after) > 0 else int(after)

    def _at(self, name: Partition) -> LogPartition:
        log = self._log.partitions.get(name)
        if log is None:
            raise SourceLost(
                f"there is no partition {name}",
                hint=f"There are {', '.join(sorted(self._log.partitions))}.",
            )
        return log

    def _read(self, rows_max: int) -> Batch | None:
        """Take rows of one partition after another, up to the next fault in each."""
        if self._ended or self._idle_polls:
            return None
        rows: list[LogRow] = []
        ends: dict[Partition, Position] = {}
        for name in self._next:
            found = self._take(name, rows_max - len(rows))
            if found:
                rows += found
                ends[name] = str(self._next[name])
        if rows:
            # Whoever had his turn goes to the end of the line, so that a long partition doesn't
            # hold up the others.
            self._next = {
                **{n: at for n, at in self._next.items() if n not in ends},
                **{n: self._next[n] for n in ends},
            }
            return Batch(arrow_table(self._log.table, rows), ends, self._clock.now())
        for name in self._next:
            self._suffer(name)
        return None

    def _take(self, name: Partition, rows_max: int) -> list[LogRow]:
        log, start = self._at(name), self._next[name]
        if not log.first <= start <= log.end:
            raise SourceLost(
                f"partition {name} holds the rows {log.first} to {log.end}; "
                f"reading should go on at {start}",
                hint="Its history was trimmed, or it is another log than before.",
            )
        stop = min([start + rows_max, log.end, *(at for at in log.faults if at >= start)])
        self._next[name] = stop
        return log.rows[start - log.first : stop - log.first]

    def _suffer(self, name: Partition) -> None:
        """Let the fault happen that stands at the next row, if one does."""
        faults = self._at(name).faults
        here = faults.get(self._next[name])
        if not here:
            return
        fault = here.pop(0)
        if not here:
            del faults[self._next[name]]
        match fault:
            case Crash():
                raise Crashed
            case Fail():
                raise fault.error()
            case Pause():
                self._idle_polls = fault.polls
            case End():
                self._ended = True
