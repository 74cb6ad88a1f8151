"""A COMMIT whose reply is lost is looked up, never guessed."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from qanat.clock import SystemClock
from qanat.errors import CommitUnknown, Retryable
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import PostgresStore, open_store
from qanat.stores.postgres_locks import LockNames
from qanat.tables import Append
from qanat.testing.laws_store import EVENTS, STAGE, contents, rows
from tests.unit.stores.postgres_proxy import COMMIT, Fate, Link, Proxy

pytestmark = [pytest.mark.postgres, pytest.mark.fault]


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    with Proxy(postgres_url) as made:
        yield made


@pytest.fixture
def store(proxy: Proxy, tmp_path: Path) -> Iterator[PostgresStore]:
    """A store that speaks to the server through the proxy."""
    made = open_store(proxy.url, f"o_{uuid4().hex[:12]}", StoreOptions(tmp_path, SystemClock()))
    made.migrate([EVENTS])
    yield made
    made.close()


def committed_then_lost(link: Link) -> None:
    """The server commits; its reply is lost."""
    link.lose_client()
    link.server.sendall(COMMIT)


def late(link: Link) -> None:
    """COMMIT lingers on the way while the client has lost the connection already."""
    link.lose_client()
    time.sleep(0.5)
    link.server.sendall(COMMIT)


def never_arrives(link: Link) -> None:
    """COMMIT is lost, and the server doesn't notice that its client is gone."""
    link.lose_client()


def cut(link: Link) -> None:
    """COMMIT is lost, and the server sees the connection end."""
    link.lose_client()
    link.server.close()


@pytest.mark.parametrize(
    ("fate", "expected"),
    [(committed_then_lost, True), (late, True), (never_arrives, False), (cut, False)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_reply_lost(store: PostgresStore, proxy: Proxy, fate: Fate, expected: bool) -> None:
    """Whatever became of COMMIT, it is CommitUnknown first, and then `outcome` says what the tables say, for good."""
    commit_id = uuid4()
    with pytest.raises(CommitUnknown), store.begin(STAGE, commit_id) as transaction:
        transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
        proxy.fate = fate
        transaction.commit()
    assert expected == store.outcome(STAGE, commit_id)
    assert ([(1, "one")] if expected else []) == contents(store, EVENTS)
    assert expected == store.outcome(STAGE, commit_id)


def test_outcome_waits(store: PostgresStore, postgres_url: str) -> None:
    """While somebody may still commit under the id, nobody says that it didn't."""
    commit_id, schema = uuid4(), store._endpoint.schema
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(store.outcome(STAGE, commit_id)))
    with (
        psycopg.connect(postgres_url) as other,
        psycopg.connect(postgres_url, autocommit=True) as watcher,
    ):
        other.execute("select pg_advisory_xact_lock(%s)", [LockNames(schema).commit(commit_id)])
        insert = f'insert into "{schema}".qanat_commits values (%s, %s)'
        other.execute(insert.encode(), [commit_id, STAGE])
        asking.start()
        while not watcher.execute("select from pg_locks where not granted").fetchall():
            assert asking.is_alive()
        assert [] == found
        other.commit()
        asking.join()
    assert [True] == found


def test_connection_cut_before_commit(store: PostgresStore, postgres_url: str) -> None:
    """Cut in the midst of a transaction it is Retryable, for whatever comes next, and nothing was written."""
    for next_step in ("write", "query", "commit"):
        with pytest.raises(Retryable), store.begin(STAGE, uuid4()) as transaction:
            transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
            backend = transaction.query("select pg_backend_pid() as pid").column("pid")[0].as_py()
            with psycopg.connect(postgres_url) as killer:
                killer.execute("select pg_terminate_backend(%s, 10000)", [backend])
            if next_step == "write":
                transaction.write(EVENTS, rows(EVENTS, (2, "two")), Append())
            elif next_step == "query":
                transaction.query("select 1 as one")
            transaction.commit()
        assert [] == contents(store, EVENTS)


def test_connections_cut_while_idle(store: PostgresStore, postgres_url: str) -> None:
    """Connections that died while nobody used them are replaced without a word; claims count as lost."""
    assert {"0"} == set(store.claim(STAGE, ["0"], "a"))
    contents(store, EVENTS)
    with psycopg.connect(postgres_url) as killer:
        killer.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where starts_with(application_name, %s)",
            [f"qanat {store._endpoint.schema}"],
        )
    with store.begin(STAGE, uuid4()) as transaction:
        transaction.write(EVENTS, rows(EVENTS, (1, "one")), Append())
        transaction.commit()
    assert [(1, "one")] == contents(store, EVENTS)
    assert {"0"} == set(store.claim(STAGE, ["0"], "b"))
