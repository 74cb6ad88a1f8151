"""A small pipeline that has one of everything: the service has to serve it with nothing written for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.interfaces import Store, StoreOptions
from qanat.pipeline import (
    Chart,
    Input,
    Lookup,
    Order,
    Parameter,
    Pipeline,
    Report,
    Shape,
    Stage,
    Write,
)
from qanat.runtime.made_reports import MADE_REPORTS, put
from qanat.runtime.stage_states import STAGE_STATES
from qanat.stores.duckdb import open_store
from qanat.tables import (
    DEAD_LETTERS,
    Append,
    Column,
    ColumnType,
    Table,
    Topic,
    Upsert,
    WriteMode,
    arrow_schema,
)
from qanat.testing import FakeClock

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HUGE = 10**37
APPEND = Append()

PAGES = Table(
    "pages",
    (
        Column("wiki", ColumnType.TEXT),
        Column("moment", ColumnType.TIMESTAMP),
        Column("id", ColumnType.INT64),
        Column("is_bot", ColumnType.BOOLEAN),
        Column("title", ColumnType.TEXT, nullable=True, about="as it is shown"),
    ),
    key=("wiki", "moment", "id"),
    indexes=(("title",),),
    about="one row per page",
)
KINDS = Table(
    "kinds",
    (
        Column("limit", ColumnType.INT64),
        Column("huge", ColumnType.INT128, nullable=True),
        Column("share", ColumnType.FLOAT64, nullable=True),
        Column("raw", ColumnType.BYTES, nullable=True),
        Column("is_it", ColumnType.BOOLEAN, nullable=True),
        Column("at", ColumnType.TIMESTAMP, nullable=True),
        Column("text", ColumnType.TEXT, nullable=True),
    ),
    unique=(("limit",),),
    about="one row of every type",
)
INPUT = Topic("input", (Column("data", ColumnType.BYTES),), about="as it came")

BY_WIKI = Report(
    name="by-wiki",
    title="Pages by wiki",
    about="One row per wiki.",
    sql="""
        select wiki, count(*) as pages, cast(sum(id) as numeric(38, 0)) as ids, max(moment) as newest_at
        from pages
        group by wiki
        order by pages desc, wiki
    """,
    columns=(
        Column("wiki", ColumnType.TEXT),
        Column("pages", ColumnType.INT64, about="pages"),
        Column("ids", ColumnType.INT128),
        Column("newest_at", ColumnType.TIMESTAMP),
    ),
    charts=(Chart(Shape.RANKED, ("pages",), "pages", label="wiki"),),
)
HOURLY = Report(
    name="hourly",
    title="Pages of the last six hours",
    sql="""
        select wiki, count(*) as pages, cast(sum(id) as numeric(38, 0)) as ids, max(moment) as newest_at
        from pages
        where moment >= $window_start and moment < $window_end
        group by wiki
        order by pages desc, wiki
    """,
    columns=BY_WIKI.columns,
    charts=BY_WIKI.charts,
    window_s=6 * 3600.0,
    every_s=3600.0,
)
TITLES = Lookup(
    name="titles",
    title="Titles of a wiki",
    about="One row per page.",
    sql="""
        select id, title
        from pages
        where wiki = $wiki and id >= $from_id
        order by id, moment
    """,
    columns=(Column("id", ColumnType.INT64), Column("title", ColumnType.TEXT, nullable=True)),
    parameters=(
        Parameter("wiki", ColumnType.TEXT, "Which wiki.", default="de"),
        Parameter("from_id", ColumnType.INT64, "From this id on.", default="0", smallest=0),
    ),
)
SAMPLE = Pipeline(
    name="sample",
    title="One of everything",
    stages=(
        Stage("ingest", Input("sse", "stream", Order.ORDERED, repeats=True), publishes=(INPUT,)),
        Stage(
            "store",
            Input("topic", "input", Order.ORDERED),
            writes=(Write(PAGES, Upsert(PAGES.key)), Write(KINDS, Upsert(("limit",)))),
        ),
    ),
    tables=(PAGES, KINDS, MADE_REPORTS, STAGE_STATES, DEAD_LETTERS),
    topics=(INPUT,),
    reports=(BY_WIKI, HOURLY),
    lookups=(TITLES,),
)


@contextmanager
def sample_store(data_dir: Path, clock: FakeClock) -> Iterator[Store]:
    """An empty DuckDB store of the pipeline."""
    store = open_store("duckdb:", SAMPLE.name, StoreOptions(data_dir, clock))
    try:
        store.migrate(SAMPLE.tables)
        yield store
    finally:
        store.close()


def write(
    store: Store, table: Table, rows: Sequence[dict[str, object]], mode: WriteMode = APPEND
) -> None:
    """Write rows."""
    given = pa.Table.from_pylist(list(rows), schema=arrow_schema(table))
    with store.begin("store", uuid4()) as transaction:
        transaction.write(table, given, mode)
        transaction.commit()


def page(number: int, wiki: str = "de", **changed: object) -> dict[str, object]:
    """A row of `pages`."""
    at = NOW - timedelta(minutes=number)
    row = {"wiki": wiki, "moment": at, "id": number, "is_bot": False, "title": f"page {number}"}
    return row | changed


def kind(number: int) -> dict[str, object]:
    """A row of `kinds`; each third has nulls."""
    if number % 3 == 0:
        return {column.name: None for column in KINDS.columns} | {"limit": number}
    share = float("nan") if number % 3 == 1 else 0.5
    return {
        "limit": number, "huge": Decimal(HUGE + number), "share": share, "raw": b"\x00\xff",
        "is_it": True, "at": NOW, "text": "ü\n\"'",
    }  # fmt: skip


def state(stage: str, **changed: object) -> dict[str, object]:
    """A row of `stage_states`."""
    row: dict[str, object] = {
        "stage": stage, "instance": "host 1", "records": 10, "rate": 2.5, "lag": 3,
        "last_commit_at": NOW, "stalled_since": None, "stall_reason": None, "updated_at": NOW,
    }  # fmt: skip
    return row | changed


def letter(number: int, state: str = "open") -> dict[str, object]:
    """A row of `dead_letters`."""
    return {
        "id": f"store:input:{number:04}", "stage": "store", "origin": "input", "origin_id": None, "line": None,
        "byte_offset": None, "reason": "it is no JSON", "length": 2, "raw": b"{\xff",
        "rejected_at": NOW, "state": state,
    }  # fmt: skip


def make_hourly(store: Store, end: datetime, made_at: datetime) -> None:
    """Store the hourly report of the window that ends at `end`."""
    with store.begin("reports", uuid4()) as transaction:
        bounds = {"window_start": end - timedelta(hours=6), "window_end": end}
        schema = arrow_schema(Table(HOURLY.name, HOURLY.columns))
        rows = transaction.query(HOURLY.sql, bounds).cast(schema)
        put(transaction, HOURLY, end, rows, made_at)
        transaction.commit()
