"""Qanat's own tables in a DuckDB store: upgraded from any earlier version, never from a later one."""

from pathlib import Path
from uuid import UUID, uuid4

import duckdb
import pytest

from qanat.clock import SystemClock
from qanat.errors import Fatal
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.stores.duckdb_schema import STEPS, Meta, upgrade
from qanat.tables import Append, Column, ColumnType, Table

EVENTS = Table("events", (Column("id", ColumnType.INT64),))
# A version to come: what the step after the last one may look like.
NEXT = (*STEPS, ("alter table qanat_ledger add column entered_at timestamptz",))


def opened(data_dir: Path) -> DuckdbStore:
    return open_store("duckdb:", "p", StoreOptions(data_dir, SystemClock()))


def file_with(data_dir: Path, *statements: str) -> duckdb.DuckDBPyConnection:
    """Run statements on the file of the store that isn't open."""
    connection = duckdb.connect(data_dir / "p.duckdb")
    for statement in statements:
        connection.execute(statement)
    return connection


def test_upgrades_a_file_without_our_tables(tmp_path: Path) -> None:
    """A DuckDB file of a user's own becomes a store; his tables stay."""
    file_with(tmp_path, "create table his as select 42 as answer").close()
    store = opened(tmp_path)
    assert ["qanat_meta"] == [change.table for change in store.migrate([])]
    assert [] == list(store.migrate([]))
    with store.snapshot() as reader:
        assert [42] == reader.query("from his").column("answer").to_pylist()
    store.close()


def test_upgrades_an_older_version(tmp_path: Path) -> None:
    """Only the missing steps are taken; identity and ledger stay."""
    store = opened(tmp_path)
    store.migrate([])
    with store.begin("stage", uuid4()) as transaction:
        transaction.enter(["a"])
        transaction.commit()
    store.close()
    connection = file_with(tmp_path, "begin")
    (change,) = upgrade(connection, str(uuid4()), NEXT)
    assert "upgraded from version 1 to 2" == change.action
    assert [] == upgrade(connection, str(uuid4()), NEXT)
    assert [("a", None)] == connection.execute("from qanat_ledger").fetchall()
    assert (store.identity, 2) == (Meta.read(connection).identity, Meta.read(connection).version)
    connection.close()


def test_upgrades_each_version(tmp_path: Path) -> None:
    """From every version that ever was, the steps lead to the same tables."""
    columns = "select table_name, column_name, data_type from duckdb_columns() order by all"
    found = []
    for version in range(len(STEPS) + 1):
        connection = duckdb.connect()
        if version:
            upgrade(connection, str(uuid4()), STEPS[:version])
        upgrade(connection, str(uuid4()))
        found.append(connection.execute(columns).fetchall())
        connection.close()
    assert [found[0]] * len(found) == found


def test_refuses_a_newer_version(tmp_path: Path) -> None:
    """A store of a newer Qanat is refused when it is opened, and stays as it is."""
    store = opened(tmp_path)
    store.migrate([EVENTS])
    store.close()
    connection = file_with(tmp_path, "begin")
    upgrade(connection, store.identity, NEXT)
    connection.execute("commit")
    connection.close()
    with pytest.raises(Fatal, match="newer Qanat"):
        opened(tmp_path)
    connection = file_with(tmp_path)
    assert 2 == Meta.read(connection).version
    connection.close()


def test_a_failed_migration_changes_nothing(tmp_path: Path) -> None:
    """When one table is refused, no other is made, and Qanat's own aren't either."""
    file_with(tmp_path, "create table events (id text)").close()
    store = opened(tmp_path)
    with pytest.raises(Fatal, match=r"events\.id"):
        store.migrate([Table("first", EVENTS.columns), EVENTS])
    store.close()
    connection = file_with(tmp_path)
    assert [("events",)] == connection.execute("show tables").fetchall()
    connection.close()


def test_another_key(tmp_path: Path) -> None:
    """A table whose key isn't the declared one is refused: rows with equal keys may be in it."""
    store = opened(tmp_path)
    store.migrate([EVENTS])
    with pytest.raises(Fatal, match="primary key"):
        store.migrate([Table("events", EVENTS.columns, key=("id",))])
    store.close()


@pytest.mark.parametrize("rows", [0, 1])
def test_a_column_that_must_not_be_null(tmp_path: Path, rows: int) -> None:
    """It is added to an empty table; to one with rows it is Fatal."""
    store = opened(tmp_path)
    store.migrate([EVENTS])
    wider = Table("events", (*EVENTS.columns, Column("new", ColumnType.TEXT)))
    with store.begin("stage", uuid4()) as transaction:
        given = transaction.query("select range as id from range($rows)", {"rows": rows})
        transaction.write(EVENTS, given, Append())
        transaction.commit()
    if rows:
        with pytest.raises(Fatal, match="new"):
            store.migrate([wider])
    else:
        assert ["events"] == [change.table for change in store.migrate([wider])]
    store.close()


def test_identity_is_made_once(tmp_path: Path) -> None:
    """Two files have two identities, each a UUID that stays."""
    names = set()
    for folder in (tmp_path / "a", tmp_path / "b"):
        for _ in range(2):
            store = opened(folder)
            store.migrate([])
            names.add(UUID(store.identity))
            store.close()
    assert 2 == len(names)
