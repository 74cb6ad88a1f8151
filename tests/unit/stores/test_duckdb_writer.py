"""The connection that transactions share: whatever one of them did or failed to do, the next finds nothing of it."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.errors import Fenced, QanatError, TooLarge
from qanat.interfaces import StoreOptions
from qanat.records import Move
from qanat.stores import duckdb_declared
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_writer import RELATIONS_MAX
from qanat.stores.duckdb_writing import Writing
from qanat.tables import Add, Append, Column, ColumnType, InsertNew, Table, WriteMode

SUMS = Table(
    "sums",
    (
        Column("name", ColumnType.TEXT),
        Column("number", ColumnType.INT64),
        Column("note", ColumnType.TEXT, nullable=True),
    ),
    key=("name",),
)
ADD = Add(("name",), ("number",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = open_store("duckdb:", "p", StoreOptions(tmp_path, SystemClock()))
    opened.migrate([SUMS])
    yield opened
    opened.close()


def write(store: DuckdbStore, rows: pa.Table, mode: WriteMode = ADD, table: Table = SUMS) -> None:
    with store.begin("s", uuid4()) as transaction:
        transaction.write(table, rows, mode)
        transaction.commit()


def rows_of(name: str, number: int) -> pa.Table:
    return pa.table({"name": [name], "number": pa.array([number], pa.int64())})


def numbers(store: DuckdbStore) -> dict[str, int]:
    with store.snapshot() as reader:
        found = reader.query("select name, number from sums order by name").to_pylist()
    return {row["name"]: row["number"] for row in found}


def test_after_a_rollback(store: DuckdbStore) -> None:
    """What wasn't committed is gone, on purpose, by an error, or because it was fenced; commits before and after count."""
    write(store, rows_of("a", 1))
    with store.begin("s", uuid4()) as transaction:
        transaction.write(SUMS, rows_of("a", 10), ADD)
    write(store, rows_of("a", 100))
    with pytest.raises(QanatError), store.begin("s", uuid4()) as transaction:
        transaction.write(SUMS, rows_of("b", 1), ADD)
        transaction.write(SUMS, rows_of("b", 1), Append())
    with pytest.raises(Fenced), store.begin("s", uuid4()) as transaction:
        transaction.write(SUMS, rows_of("c", 1), ADD)
        transaction.advance("s", {"0": Move(7, "life", "1")})
    write(store, rows_of("a", 1_000))
    assert numbers(store) == {"a": 1_101}


def test_outcomes(store: DuckdbStore) -> None:
    """Every commit is noted under a number of its own, also behind one that was rolled back."""
    ids = []
    for number in range(6):
        commit_id = uuid4()
        with store.begin("s", commit_id) as transaction:
            transaction.write(SUMS, rows_of("a", 1), ADD)
            if number != 3:
                transaction.commit()
        ids.append(commit_id)
    assert [store.outcome("s", each) for each in ids] == [True, True, True, False, True, True]
    with store.snapshot() as reader:
        found = reader.query("select count(*) as n, max(number) as last from qanat_commits")
    assert found.to_pylist() == [{"n": 5, "last": 5}]


def test_many_schemas(store: DuckdbStore) -> None:
    """Relations of more schemas than are kept take each other's places."""
    tables = [
        Table(f"t{number}", (Column("id", ColumnType.INT64), Column(f"c{number}", ColumnType.TEXT)))
        for number in range(RELATIONS_MAX + 5)
    ]
    store.migrate(tables)
    for table in [*tables, *tables]:
        rows = pa.table({"id": pa.array([1], pa.int64()), table.names[1]: ["x"]})
        write(store, rows, Append(), table)
    with store.snapshot() as reader:
        for table in tables:
            found = reader.query(f"select count(*) as n from {table.name}")
            assert found.to_pylist() == [{"n": 2}]


def test_rows_dont_stay(store: DuckdbStore) -> None:
    """The kept connection keeps no batch alive."""
    values = pa.array(range(10_000), pa.int64())
    rows = pa.table({"name": [str(number) for number in range(10_000)], "number": values})
    gone = weakref.ref(values)
    write(store, rows, InsertNew(("name",)))
    del rows, values
    gc.collect()
    assert gone() is None
    assert len(numbers(store)) == 10_000


def test_after_a_swap(store: DuckdbStore) -> None:
    """A table that was exchanged is written like the one before."""
    beside = Table("sums_beside", SUMS.columns, key=SUMS.key)
    write(store, rows_of("a", 1))
    store.migrate([beside])
    write(store, rows_of("z", 5), ADD, beside)
    with store.begin("s", uuid4()) as transaction:
        transaction.swap(SUMS, beside)
        transaction.commit()
    write(store, rows_of("z", 7))
    assert numbers(store) == {"z": 12}


def test_a_failure_in_making_rows_is_told(tmp_path: Path) -> None:
    """What went wrong while batches were made is raised, not what DuckDB says of the transaction that it ended."""
    database = Database(tmp_path / "p.duckdb", StoreOptions(tmp_path, SystemClock()))
    database.run(lambda connection: duckdb_declared.create(connection, SUMS))

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows_of("a", 1).to_batches()
        raise TooLarge("the second is too large")

    with pytest.raises(TooLarge, match="second"), database.writing() as writer:
        Writing(database, writer).insert_stream("sums", batches())
    with database.writing() as writer:
        assert Writing(database, writer).insert_stream("sums", rows_of("a", 1).to_batches()) == 1
    database.close()
