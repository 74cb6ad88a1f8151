"""A small pipeline of a topic and tables, run by hand, beside what its tables should hold."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import pyarrow as pa

from qanat.clock import Clock
from qanat.interfaces import Log, Store
from qanat.pipeline import Deduplicate, Input, Order, Pipeline, Report, Stage, Write
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.reading import Reading
from qanat.runtime.stage_states import StageMeter
from qanat.runtime.stream_tables import TableSteps, TableWriter
from qanat.settings import CommonSettings
from qanat.streaming.declared import noticed, tables_of
from qanat.streaming.transforms import table_writes
from qanat.tables import Add, Column, ColumnType, Table, Topic, arrow_schema
from qanat.telemetry import Telemetry
from qanat.wiring import open_log, open_store

START = datetime(2026, 3, 16, 22, 30, tzinfo=UTC)
NOW = START + timedelta(hours=8)

_COLUMNS = (
    Column("happened", ColumnType.TIMESTAMP),
    Column("id", ColumnType.TEXT),
    Column("received", ColumnType.TIMESTAMP),
    Column("domain", ColumnType.TEXT),
    Column("pages", ColumnType.INT64),
)
EVENTS = Table("events", _COLUMNS, key=("happened", "id"), large=True)
DOMAINS = Table(
    "domains", _COLUMNS[3:], key=("domain",), indexes=(("pages",),), about="one row per domain"
)
HOURS = Table(
    "hours", (Column("hour", ColumnType.TIMESTAMP), *_COLUMNS[3:]), key=("hour", "domain")
)
DAYS = Table("days", (Column("day", ColumnType.TIMESTAMP), *_COLUMNS[3:]), key=("day", "domain"))
TOPIC = Topic("processed", _COLUMNS)

SUMMED = "select {0}domain, cast(sum(pages) as bigint) as pages from batch group by {1}domain"
RECENT = Report(
    name="recent",
    title="Recent",
    sql="-- One row per domain.\nselect domain, cast(sum(pages) as bigint) as pages from hours"
    " where hour >= $window_start and hour < $window_end group by domain order by domain",
    columns=_COLUMNS[3:],
    window_s=2 * 3600.0,
    every_s=3600.0,
)
PIPELINE = Pipeline(
    name="counted",
    title="Counted",
    stages=(
        Stage(
            name="store",
            input=Input("topic", TOPIC.name, Order.ORDERED),
            deduplicate=Deduplicate(EVENTS, EVENTS.key, "happened", "received", 86_400.0),
            writes=(
                Write(DOMAINS, Add(DOMAINS.key, ("pages",)), SUMMED.format("", "")),
                *(
                    Write(
                        table,
                        Add(table.key, ("pages",)),
                        SUMMED.format(
                            f"truncate_time('{name}', happened) as {name}, ",
                            f"truncate_time('{name}', happened), ",
                        ),
                    )
                    for table, name in ((HOURS, "hour"), (DAYS, "day"))
                ),
            ),
        ),
    ),
    topics=(TOPIC,),
    tables=(EVENTS, DOMAINS, HOURS, DAYS, MADE_REPORTS),
    offers="qanat.streaming.operations:offered",
    reports=(RECENT,),
)

Rows = list[tuple[object, ...]]


@dataclass
class Counted:
    """A store and a log with the pipeline's stage, and the events that were published."""

    store: Store
    log: Log
    clock: Clock
    steps: TableSteps = field(init=False)
    events: dict[str, dict[str, object]] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(7))

    def __post_init__(self) -> None:
        stage = PIPELINE.stages[0]
        source = self.log.source(TOPIC, stage.name)
        meter = StageMeter(stage.name, self.clock)
        self.steps = TableSteps(
            name=stage.name,
            reading=Reading(stage.name, source, self.store, "live", self.clock, meter),
            committer=self.committer(stage.name),
            writer=TableWriter(
                table_writes(PIPELINE)[stage.name](),
                stage.deduplicate,
                noticed(PIPELINE, stage, self.clock),
            ),
            origin=TOPIC.name,
            ends=lambda: True,
        )

    def committer(self, stage: str) -> Committer:
        return Committer(self.store, PIPELINE.name, stage, self.clock, Telemetry())

    def publish(self, count: int) -> None:
        """Publish events of the last hours in disorder, every tenth again."""
        new = []
        for _ in range(count):
            name = f"e{len(self.events)}"
            happened = START + timedelta(seconds=self.random.randrange(8 * 3600))
            self.events[name] = {
                "happened": happened,
                "id": name,
                "received": happened + timedelta(seconds=1),
                "domain": self.random.choice("abcde"),
                "pages": self.random.randrange(1, 10),
            }
            new.append(self.events[name])
        again = [self.random.choice(list(self.events.values())) for _ in range(count // 10)]
        rows = pa.Table.from_pylist([*new, *again], schema=arrow_schema(TOPIC.shape))
        with self.log.begin("publish", uuid4()) as transaction:
            transaction.publish(TOPIC, rows)
            transaction.commit()

    def ingest(self) -> None:
        """Let the stage read whatever there is."""
        while self.steps.step() is Moved.YES:
            pass

    def execute(self, *statements: str) -> None:
        """Spoil tables, or whatever else."""
        with self.store.begin("test", uuid4()) as transaction:
            for statement in statements:
                transaction.execute(statement)
            transaction.commit()

    def tables(self) -> Mapping[str, Rows]:
        """What the tables hold."""
        with self.store.snapshot() as reader:
            return {
                table.name: _sorted(reader.query(f"select * from {table.name}").to_pylist(), table)
                for table in PIPELINE.tables[:4]
            }

    def expected(self) -> Mapping[str, Rows]:
        """What they should hold, by plain counting."""
        domains, hours, days = Counter[object](), Counter[object](), Counter[object]()
        for event in self.events.values():
            happened, domain, pages = event["happened"], event["domain"], event["pages"]
            assert isinstance(happened, datetime)
            assert isinstance(pages, int)
            hour = happened.replace(minute=0, second=0)
            domains[domain,] += pages
            hours[hour, domain] += pages
            days[hour.replace(hour=0), domain] += pages
        sums = {"domains": domains, "hours": hours, "days": days}
        found = {
            name: sorted((*key, pages) for key, pages in each.items())  # type: ignore[misc]
            for name, each in sums.items()
        }
        return {"events": _sorted(list(self.events.values()), EVENTS), **found}


@contextmanager
def counted(url: str, folder: Path, clock: Clock) -> Iterator[Counted]:
    """Open a store and a log with the pipeline's tables and topic."""
    settings = CommonSettings(store=url, data_dir=folder)
    with (
        closing(open_store(PIPELINE.name, settings, clock)) as store,
        closing(open_log("sqlite:", PIPELINE.name, folder, clock)) as log,
    ):
        store.migrate(tables_of(PIPELINE))
        log.create([TOPIC])
        yield Counted(store, log, clock)


def _sorted(rows: Sequence[Mapping[str, object]], table: Table) -> Rows:
    return sorted(tuple(_utc(row[name]) for name in table.names) for row in rows)


def _utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
