"""A whole run of a pipeline on given events: the real steps, one stage after the other, in one thread."""

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.given.events import Event, Row
from qanat.interfaces import Reader, Store
from qanat.pipeline import Input, Pipeline
from qanat.reports.answer import ask, report_named
from qanat.reports.lookup import ROWS_MAX, look_up, lookup_named
from qanat.runtime.loop import Loop
from qanat.sources.sse import PARTITION, ROWS
from qanat.streaming.assembly import Assembled, assembled
from qanat.streaming.settings import StreamSettings, Transforms
from qanat.streaming.sources import OpenedSource
from qanat.tables import DEAD_LETTERS, Table
from qanat.telemetry import Telemetry
from qanat.testing.memory_log import MemoryLog
from qanat.testing.memory_source import MemorySource


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pipeline made of its events; valid within the context of `trial`."""

    pipeline: Pipeline
    store: Store
    clock: Clock

    def tables(self) -> dict[str, list[Row]]:
        """Return every declared table, and `dead_letters`; rows ordered by their key."""
        declared = {table.name: table for table in (*self.pipeline.tables, DEAD_LETTERS)}
        with self.store.snapshot() as reader:
            return {name: _rows(reader, table) for name, table in declared.items()}

    def letters(self) -> list[Row]:
        """Return the rejected records: `stage`, `reason` and `raw` of each, in the order of the events."""
        sql = "select stage, reason, raw from dead_letters order by line nulls last, id"
        with self.store.snapshot() as reader:
            return [_plain(row) for row in reader.query(sql).to_pylist()]

    def report(self, name: str, **parameters: object) -> list[Row]:
        """Ask a report as of the clock."""
        report = report_named(self.pipeline, name)
        with self.store.snapshot() as reader:
            rows = ask(report, reader, _texts(parameters), self.clock.now()).rows
        return [_plain(row) for row in rows.to_pylist()]

    def lookup(self, name: str, **parameters: object) -> list[Row]:
        """Ask a look-up; its first page."""
        lookup = lookup_named(self.pipeline, name)
        with self.store.snapshot() as reader:
            page = look_up(lookup, reader, _texts(parameters), self.clock.now(), limit=ROWS_MAX)
        return [_plain(row) for row in page.rows.to_pylist()]


@contextmanager
def trial(
    pipeline: Pipeline, events: Sequence[Event], clock: Clock, batch_rows: int
) -> Iterator[Outcome]:
    """Run a pipeline on events, in a folder that goes at the end of the context."""
    with tempfile.TemporaryDirectory(prefix="qanat-given-") as folder:
        settings = StreamSettings(
            data_dir=Path(folder), threads=1, once=True, transforms=Transforms.THREAD
        )
        opening = _Opening(_log_of(events, clock))
        stop = threading.Event()
        with assembled(pipeline, settings, clock, Telemetry(), stop, opening) as parts:
            _drive(parts, pipeline, clock, batch_rows)
            yield Outcome(pipeline, parts.store, clock)


@dataclass(slots=True)
class _Opening:
    """Opens the given events instead of the one source from outside."""

    log: MemoryLog
    opened: str = ""

    def __call__(
        self, pipeline: Pipeline, declared: Input, settings: StreamSettings, clock: Clock
    ) -> OpenedSource:
        if self.opened and self.opened != declared.name:
            raise ConfigError(
                "the inputs", f"{self.opened}, {declared.name}", "one, to be given events"
            )
        self.opened = declared.name
        return OpenedSource(MemorySource(self.log, clock))


def _log_of(events: Sequence[Event], clock: Clock) -> MemoryLog:
    log = MemoryLog(ROWS, PARTITION)
    now = clock.now()
    log.push(
        PARTITION,
        *(
            {
                "id": event.id,
                "event": event.event,
                "data": event.data,
                "received_at": event.received_at or now,
            }
            for event in events
        ),
    )
    return log


def _drive(parts: Assembled, pipeline: Pipeline, clock: Clock, batch_rows: int) -> None:
    """Have each stage read all that there is, in the order of the data."""
    loop = Loop(pipeline.name, clock, Telemetry(), attempts_max=3)
    for steps in parts.run.stages:
        steps.rows_max = batch_rows
        steps.ends = lambda: True
        loop.run(steps)


def _rows(reader: Reader, table: Table) -> list[Row]:
    names = ", ".join(f'"{name}"' for name in table.names)
    order = ", ".join(f'"{name}"' for name in table.key or table.names)
    found = reader.query(f'select {names} from "{table.name}" order by {order}')
    return [_plain(row) for row in found.to_pylist()]


def _plain(row: Mapping[str, object]) -> Row:
    return {name: _value(value) for name, value in row.items()}


def _value(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _texts(parameters: Mapping[str, object]) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
    }
