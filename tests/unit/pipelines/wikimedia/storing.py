"""The way from events to tables, as the runtime goes it, in batches; and answers out of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import islice
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from qanat.clock import SystemClock
from qanat.interfaces import Scalar, Store, StoreOptions
from qanat.pipeline import Lookup, Report
from qanat.pipelines.wikimedia import PIPELINE
from qanat.pipelines.wikimedia.clean import clean
from qanat.pipelines.wikimedia.expected import Received, Row
from qanat.pipelines.wikimedia.generator import Frame, Options, frames
from qanat.pipelines.wikimedia.tables import TABLES
from qanat.pipelines.wikimedia.topics import INPUT
from qanat.reports.lookup import PAGE_END
from qanat.stores.duckdb import open_store as open_duckdb
from qanat.tables import InsertNew, Table, arrow_schema

STORE = PIPELINE.stages[-1]
# Of a look-up that chooses its page's rows itself.
ALL = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MACRO = "create macro tumble(moment, span) as time_bucket(cast(span as interval), moment, timestamptz '1970-01-01 00:00:00+00')"


def received(frame: Frame) -> Received:
    """An event as it comes, 40 ms after it was sent."""
    at = EPOCH + timedelta(milliseconds=frame.at_ms + 40)
    return Received(frame.type, frame.data, at)


def stream(options: Options) -> list[Received]:
    """Made-up events, as they come."""
    return [received(frame) for frame in frames(options)]


def rows_of(events: Sequence[Received]) -> pa.Table:
    """What the log's topic `input` hands on."""
    columns = [
        [str(number) for number in range(len(events))],
        [event.type for event in events],
        [event.data for event in events],
        [event.received_at for event in events],
    ]
    return pa.table(columns, schema=arrow_schema(INPUT.shape))


@contextmanager
def duckdb_store(folder: Path) -> Iterator[Store]:
    """A new store, in a folder."""
    store = open_duckdb("duckdb:", PIPELINE.name, StoreOptions(folder, SystemClock()))
    try:
        store.migrate(TABLES)
        yield store
    finally:
        store.close()


@contextmanager
def postgres_store(url: str, folder: Path) -> Iterator[Store]:
    """A new store, in a database."""
    from qanat.stores.postgres import open_store

    store = open_store(url, PIPELINE.name, StoreOptions(folder, SystemClock()))
    try:
        store.migrate(TABLES)
        yield store
    finally:
        store.close()


def fill(store: Store, events: Sequence[Received], batch: int) -> list[bytes]:
    """Bring events into the tables; return what was rejected."""
    rejected: list[bytes] = []
    waiting = iter(events)
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute(MACRO)
        while some := list(islice(waiting, batch)):
            cleaned = clean(rows_of(some), EPOCH)
            if cleaned.rejected is not None:
                rejected += cleaned.rejected.column("raw").to_pylist()
            _store(store, engine, cleaned.rows)
    return rejected


def _store(store: Store, engine: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    assert STORE.deduplicate is not None
    entered = STORE.deduplicate
    with store.begin(STORE.name, uuid4()) as transaction:
        new = transaction.write(entered.table, rows, InsertNew(entered.key))
        engine.register("batch", new)
        for write in STORE.writes:
            made = engine.sql(text_of(write.sql)).to_arrow_table()
            transaction.write(
                write.table,
                made.select(write.table.names).cast(arrow_schema(write.table)),
                write.mode,
            )
        transaction.commit()


def table_rows(store: Store, table: Table) -> list[Row]:
    """Everything a table holds, in the order of its key."""
    names = ", ".join(table.names)
    with store.snapshot() as reader:
        found = reader.query(f"select {names} from {table.name} order by {', '.join(table.key)}")
    rows: list[Row] = found.cast(arrow_schema(table)).to_pylist()
    return rows


def answer(store: Store, asked: Report | Lookup, parameters: Mapping[str, Scalar]) -> list[Row]:
    """What a report or a look-up says, all of it."""
    statement = text_of(asked.sql)
    page = {PAGE_END: ALL} if f"${PAGE_END}" in statement else {}
    with store.snapshot() as reader:
        found = reader.query(statement, {**parameters, **page})
    rows: list[Row] = found.cast(arrow_schema(Table(asked.name, asked.columns))).to_pylist()
    return rows


def text_of(reference: str) -> str:
    """The statement behind `package:file.sql`."""
    package, _, name = reference.partition(":")
    return files(package).joinpath(name).read_text(encoding="utf-8")
