"""What a `MemorySource` reads: a log of partitions in memory, with faults written among its
rows.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import uuid4

from qanat.records import Partition
from qanat.tables import Table


class Crashed(BaseException):
    """Stands for the death of the process. Only the test itself may catch it."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Here the reader dies: `poll` raises `Crashed`, once."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Here `poll` raises what `error` makes, such as `lambda: Retryable("cut")`, once."""

    error: Callable[[], Exception]


@dataclass(frozen=True, slots=True)
class Pause:
    """Here the source is idle for `polls` polls, although more follows."""

    polls: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """Here the source ends for whoever reads it now; a `MemorySource` made later goes on."""


Fault: TypeAlias = Crash | Fail | Pause | End
LogRow: TypeAlias = Mapping[str, object]


@dataclass(slots=True)
class LogPartition:
    """Rows from number `first` on, and the faults that stand before a row, each gone once it
    happened.
    """

    first: int = 0
    rows: list[LogRow] = field(default_factory=list)
    faults: dict[int, list[Fault]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The number that the next row will get."""
        return self.first + len(self.rows)


class MemoryLog:
    """Rows in partitions, numbered from 0. It outlives the sources that read it. Any thread may use
    it.

    ```python
    log = MemoryLog(EVENTS)
    log.push("0", {"id": 1}, {"id": 2}, Crash(), {"id": 3})
    source = MemorySource(log, FakeClock())
    ```

    Attributes:
        table: The shape of its rows.
        incarnation: The name of this life; `recreate` begins another.
        changed: Notified when rows come; hold it to read or change what is here.
    """

    def __init__(self, table: Table, *partitions: Partition) -> None:
        self.table = table
        self.incarnation = str(uuid4())
        self.changed = threading.Condition(threading.RLock())
        self.partitions: dict[Partition, LogPartition] = {}
        for name in partitions or ("0",):
            self.partitions[name] = LogPartition()

    def push(self, partition: Partition, *rows: LogRow | Fault) -> None:
        """Append rows, with faults where they are to happen; a partition that isn't there is
        made.
        """
        with self.changed:
            log = self.partitions.setdefault(partition, LogPartition())
            for row in rows:
                if isinstance(row, Fault):
                    log.faults.setdefault(log.end, []).append(row)
                else:
                    log.rows.append(dict(row))
            self.changed.notify_all()

    def trim(self, partition: Partition, before: int) -> None:
        """Forget the rows numbered below `before`, as a log does whose time has run out."""
        with self.changed:
            log = self.partitions[partition]
            forgotten = min(max(before - log.first, 0), len(log.rows))
            log.rows = log.rows[forgotten:]
            log.first += forgotten

    def recreate(self) -> None:
        """Begin another life: the same partitions, empty, numbered from 0."""
        with self.changed:
            self.incarnation = str(uuid4())
            self.partitions = {name: LogPartition() for name in self.partitions}
