"""A user's SQL reads the store's tables, and neither files nor settings; its results are those of a declared table."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.errors import ConfigError, Fatal, QanatError, TooLarge
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.tables import Append, Column, ColumnType, Table

EVENTS = Table("events", (Column("id", ColumnType.INT64), Column("happened", ColumnType.TIMESTAMP)))
AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

# What DuckDB would do if it were let: write and read files, open other databases, change settings, end the transaction.
REFUSED = (
    "copy events to '{folder}/leak.csv'",
    "copy events from '{folder}/secret.csv'",
    "export database '{folder}/leak'",
    "attach '{folder}/leak.duckdb'",
    "attach ':memory:' as other",
    "select * from read_csv('{folder}/secret.csv')",
    "select * from read_text('{folder}/secret.csv')",
    "select * from glob('{folder}/*')",
    "select * from '{folder}/secret.csv'",
    "from sniff_csv('{folder}/secret.csv')",
    "explain analyze copy events to '{folder}/leak.csv'",
    "explain analyze delete from events",
    "create temp table t as select 1",
    "set memory_limit = '10GB'",
    "pragma memory_limit = '10GB'",
    "call enable_logging()",
    "load json",
    "install httpfs",
    "checkpoint",
    "commit",
    "prepare x as select 1",
    "with gone as (delete from events returning id) select * from gone",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = open_store("duckdb:", "p", StoreOptions(tmp_path, SystemClock()))
    opened.migrate([EVENTS])
    with opened.begin("stage", uuid4()) as transaction:
        transaction.write(EVENTS, pa.table({"id": [1, 2], "happened": [AT, AT]}), Append())
        transaction.commit()
    yield opened
    opened.close()


@pytest.mark.parametrize("statement", REFUSED)
def test_refuses(store: DuckdbStore, tmp_path: Path, statement: str) -> None:
    """Whatever isn't one statement that reads tables is a ConfigError, in a snapshot as in a transaction."""
    (tmp_path / "secret.csv").write_text("secret\n")
    sql = statement.format(folder=tmp_path)
    with store.snapshot() as reader, pytest.raises(ConfigError):
        reader.query(sql)
    if "with gone" not in sql:  # in a transaction, which may delete
        with store.begin("stage", uuid4()) as transaction, pytest.raises(ConfigError):
            transaction.query(sql)
    assert [] == list(tmp_path.glob("leak*"))
    with store.snapshot() as reader:
        assert 2 == reader.query("from events").num_rows


@pytest.mark.parametrize("statement", ["drop table events", "commit", "create table t (id bigint)"])
def test_execute_is_for_rows(store: DuckdbStore, statement: str) -> None:
    """`execute` changes rows: neither tables nor the transaction itself."""
    with store.begin("stage", uuid4()) as transaction, pytest.raises(ConfigError):
        transaction.execute(statement)


def test_execute_with_returning(store: DuckdbStore) -> None:
    """The rows that were touched are counted also when they are returned."""
    with store.begin("stage", uuid4()) as transaction:
        assert 2 == transaction.execute("update events set id = id + 5 returning id, happened")
        assert 1 == transaction.execute("delete from events where id = 6 returning id")
        assert 0 == transaction.execute("delete from events where id = 6 returning id")


def test_describes_and_explains(store: DuckdbStore) -> None:
    """What tells of the tables is reading."""
    with store.snapshot() as reader:
        for statement in (
            "describe events",
            "show tables",
            "summarize events",
            "explain from events",
        ):
            assert reader.query(statement).num_rows > 0


def test_message_of_the_database(store: DuckdbStore) -> None:
    """The error says what DuckDB said, and shows the statement, shortened."""
    with store.snapshot() as reader, pytest.raises(ConfigError) as caught:
        reader.query(f"select nothing, {'1, ' * 500} 2 from events")
    assert 'column "nothing" not found' in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_error_within_a_stream(store: DuckdbStore) -> None:
    """What goes wrong after the first batches is a ConfigError too; then the moment is over."""
    late = "select if(n = 900000, error('late'), n) as n from range(1000000) as r(n)"
    with store.snapshot() as reader:
        with pytest.raises(ConfigError, match="late"):
            reader.stream(late).read_all()
        with pytest.raises(QanatError):
            reader.query("from events")


def test_one_stream_at_a_time(store: DuckdbStore) -> None:
    """A query beside an open stream says what is in its way; after the stream is dropped it runs."""
    with store.snapshot() as reader:
        stream = reader.stream("select n from range(10000000) as r(n)")
        assert stream.read_next_batch().num_rows > 0
        with pytest.raises(Fatal, match="open result"):
            reader.query("from events")
        del stream
        assert 2 == reader.query("from events").num_rows


def test_spills(tmp_path: Path) -> None:
    """A query that needs more than its memory takes the disk, though it may not write files."""
    store = open_store(
        "duckdb:", "p", StoreOptions(tmp_path, SystemClock(), memory_bytes=64 * 2**20)
    )
    store.migrate([])
    with store.snapshot() as reader:
        groups = "select n // 2 as half, sum(n) as n from range(6000000) as r(n) group by half"
        found = reader.query(f"select count(*) as rows from ({groups})")
        assert [3_000_000] == found.column("rows").to_pylist()
    store.close()
    assert ["p.duckdb"] == [path.name for path in tmp_path.iterdir()]


def test_too_large(tmp_path: Path) -> None:
    """A transaction that doesn't fit into memory is TooLarge and undone; the store is used on."""
    store = open_store(
        "duckdb:", "p", StoreOptions(tmp_path, SystemClock(), memory_bytes=64 * 2**20)
    )
    store.migrate([EVENTS])
    fill = "insert into events select len(list(repeat('x', 90) || n)), now() from range(2000000) as r(n)"
    with store.begin("stage", uuid4()) as transaction, pytest.raises(TooLarge):
        transaction.execute(fill)
    with store.begin("stage", uuid4()) as transaction:
        assert 1 == transaction.execute(fill.replace("2000000", "2000"))
        transaction.commit()
    with store.snapshot() as reader:
        assert [2000] == reader.query("select id from events").column("id").to_pylist()
    store.close()


_ELSEWHERE = """
import sys
from pathlib import Path
from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import open_store
store = open_store("duckdb:", "p", StoreOptions(Path(sys.argv[1]), SystemClock()))
with store.snapshot() as reader:
    found = reader.query("select happened, date_trunc('day', happened) as day, happened::varchar as text from events limit 1")
print(found.schema.field("happened").type, found.to_pylist()[0]["day"].isoformat(), found.to_pylist()[0]["text"])
store.close()
"""


def test_in_another_time_zone(store: DuckdbStore, tmp_path: Path) -> None:
    """Days begin in UTC wherever the machine is."""
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(tmp_path)],
        env={**os.environ, "TZ": "Pacific/Auckland"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = "timestamp[us, tz=UTC] 2026-03-29T00:00:00+00:00 2026-03-29 01:30:00+00"
    assert expected == done.stdout.strip()
