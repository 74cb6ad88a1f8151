"""Schemas of pipelines and their tables, made by several at once, and refused when they don't fit."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from qanat.clock import SystemClock
from qanat.errors import Fatal
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import PostgresStore, open_store
from qanat.tables import Append, Column, ColumnType
from qanat.testing.laws_store import EVENTS, FILES, PAGES, TABLES, TOTALS, USAGE, contents, rows
from tests.unit.stores.postgres_fixtures import opened

pytestmark = pytest.mark.postgres

# Opens the store and migrates as soon as it is told; prints how many tables it made.
MIGRATE = """
import sys
from pathlib import Path
from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
from qanat.testing.laws_store import TABLES
url, pipeline, folder = sys.argv[1:]
sys.stdin.readline()
store = open_store(url, pipeline, StoreOptions(Path(folder), SystemClock()))
print(sum(change.action == "created" for change in store.migrate(TABLES)))
store.close()
"""


def test_processes_migrate_at_once(postgres_url: str, tmp_path: Path) -> None:
    """Processes that begin on an empty database at the same moment make everything once, and none fails."""
    arguments = [
        sys.executable,
        "-c",
        MIGRATE,
        postgres_url,
        f"p_{uuid4().hex[:12]}",
        str(tmp_path),
    ]
    children = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    made = [int(child.communicate()[0]) for child in children]
    assert sorted(made) == [0, 0, len(TABLES)]


def test_pipelines_share_a_database(postgres_url: str, tmp_path: Path) -> None:
    """Two pipelines with tables of the same names see nothing of each other; names may be odd."""
    odd = f'My "first" Pipeline {uuid4().hex[:6]}'
    with (
        opened(postgres_url, tmp_path, EVENTS, pipeline=odd) as one,
        opened(postgres_url, tmp_path, EVENTS) as two,
    ):
        assert one.identity != two.identity
        for store, number in ((one, 1), (two, 2)):
            with store.begin("s", uuid4()) as transaction:
                transaction.write(EVENTS, rows(EVENTS, (number, None)), Append())
                assert transaction.enter(["id"]) == frozenset()
                transaction.commit()
            assert set(store.claim("s", ["0"], "me")) == {"0"}
        assert contents(one, EVENTS) == [(1, None)]
        assert contents(two, EVENTS) == [(2, None)]


def test_another_key(postgres_url: str, tmp_path: Path) -> None:
    """A table whose key is declared otherwise than it is there is refused by name."""
    with opened(postgres_url, tmp_path, TOTALS) as store, pytest.raises(Fatal, match="key"):
        store.migrate([replace(TOTALS, key=())])


def test_unique_later(postgres_url: str, tmp_path: Path) -> None:
    """Unique columns that are declared later are kept from then on."""
    with opened(postgres_url, tmp_path, replace(FILES, unique=())) as store:
        (change,) = store.migrate([FILES])
        assert "unique" in change.action
        assert list(store.migrate([FILES])) == []
        with pytest.raises(Fatal), store.begin("s", uuid4()) as transaction:
            transaction.write(FILES, rows(FILES, (1, "a", b""), (2, "a", b"")), Append())
            transaction.commit()


def test_required_column_later(postgres_url: str, tmp_path: Path) -> None:
    """A column that may not be null can be added only while there are no rows; one may become nullable."""
    wider = replace(EVENTS, columns=(*EVENTS.columns, Column("extra", ColumnType.INT64)))
    widest = replace(wider, columns=(*wider.columns, Column("more", ColumnType.INT64)))
    relaxed = replace(
        wider, columns=(*EVENTS.columns, Column("extra", ColumnType.INT64, nullable=True))
    )
    with opened(postgres_url, tmp_path, EVENTS) as store:
        assert ["added column extra"] == [change.action for change in store.migrate([wider])]
        with store.begin("s", uuid4()) as transaction:
            transaction.write(wider, rows(wider, (1, None, 5)), Append())
            transaction.commit()
        with pytest.raises(Fatal, match="more"):
            store.migrate([widest])
        assert ["column extra may be null"] == [c.action for c in store.migrate([relaxed])]


def test_text_sorts_by_code_point(postgres_url: str, tmp_path: Path) -> None:
    """Texts sort as in Python and DuckDB, whatever language the database was made for."""
    words = ["a", "B", "_", "é", "Z", "aa", "A"]
    with opened(postgres_url, tmp_path, PAGES) as store:
        with store.begin("s", uuid4()) as transaction:
            given = [(n, 1, False, word) for n, word in enumerate(words)]
            transaction.write(PAGES, rows(PAGES, *given), Append())
            transaction.commit()
        with store.snapshot() as reader:
            found = reader.query("select title from law_pages order by title")
    assert found.column("title").to_pylist() == sorted(words)


def test_index_of_a_large_table(postgres_url: str, tmp_path: Path) -> None:
    """The key of a large table begins with its time, so that a new hour is appended."""
    with opened(postgres_url, tmp_path, USAGE) as store:
        found = _index(store, "law_usage")
    assert "(period_start, consumer, granularity)" in found


def _index(store: PostgresStore, table: str) -> str:
    with psycopg.connect(store._endpoint.url) as connection:
        row = connection.execute(
            "select indexdef from pg_indexes where schemaname = %s and tablename = %s",
            [store._endpoint.schema, table],
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_crash_in_the_midst_of_migration(postgres_url: str, tmp_path: Path) -> None:
    """A migration that fails halfway leaves nothing, and can be done again."""
    name = f"p_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create schema {name}".encode())
        connection.execute(f"create table {name}.qanat_due (stands_in_the_way int)".encode())
        options = StoreOptions(tmp_path, SystemClock())
        with pytest.raises(Fatal, match="qanat_due"):
            open_store(postgres_url, name, options)
        connection.execute(f"drop table {name}.qanat_due".encode())
    with opened(postgres_url, tmp_path, EVENTS, pipeline=name) as store:
        assert contents(store, EVENTS) == []
