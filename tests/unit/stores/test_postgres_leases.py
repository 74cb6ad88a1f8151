"""What a killed process held is free at once; what a living one holds stays its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions, WorkSource
from qanat.records import Item, Worker
from qanat.stores.postgres import PostgresStore, open_store
from tests.unit.stores.postgres_fixtures import opened

pytestmark = [pytest.mark.postgres, pytest.mark.fault]

FAR = datetime(2100, 1, 1, tzinfo=UTC)
LONG_S = 3600.0

# Claims a partition and all items for an hour, says so, and works until it is killed.
HOLDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
url, pipeline, folder = sys.argv[1:]
store = open_store(url, pipeline, StoreOptions(Path(folder), SystemClock(), attempts_max=3))
found = store.due("q").claim("holder", 10, 3600.0, datetime(2100, 1, 1, tzinfo=UTC))
store.claim("s", ["0"], "holder")
print(len(found), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    with opened(postgres_url, tmp_path) as made:
        yield made


@contextmanager
def holder(store: PostgresStore, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store._endpoint.url, store._endpoint.schema, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert int(child.stdout.readline()) == 2
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def enqueue(store: PostgresStore, *names: str, key: str | None = None) -> None:
    now = SystemClock().now()
    items = [Item(name, "scope", b"", now, order_key=key) for name in names]
    with store.begin("s", uuid4()) as transaction:
        transaction.enqueue("q", items)
        transaction.commit()


def take(queue: WorkSource, lease_s: float = LONG_S) -> list[tuple[str, int]]:
    return [(item.id, item.attempt) for item in queue.claim("me", 10, lease_s, FAR)]


def wait_for_free(store: PostgresStore) -> None:
    """Wait until the server has noticed that the other process is gone."""
    with psycopg.connect(store._endpoint.url, autocommit=True) as watcher:
        others = "select count(*) from pg_locks where locktype = 'advisory' and pid <> all(%s)"
        ours = [c.info.backend_pid for c in [store._claims._connection] if c is not None]
        while watcher.execute(others, [ours]).fetchone() != (0,):
            pass


def test_killed_holder(store: PostgresStore, tmp_path: Path) -> None:
    """The leases and claims of a process end with SIGKILL, however long they were to last; not a moment before."""
    enqueue(store, "a", "b")
    queue = store.due("q")
    with holder(store, tmp_path) as child:
        assert take(queue) == []
        assert dict(store.claim("s", ["0"], "me")) == {}
        assert not queue.drained("scope")
        child.kill()
        child.wait()
        wait_for_free(store)
        assert take(queue) == [("a", 2), ("b", 2)]
        assert set(store.claim("s", ["0"], "me")) == {"0"}


def test_workers(store: PostgresStore, tmp_path: Path) -> None:
    """A process that has leases or claims is told with its host and number, to one that only looks too; a killed one isn't."""
    enqueue(store, "a", "b")
    pipeline = store._endpoint.schema
    options = StoreOptions(tmp_path, SystemClock(), read_only=True)
    with (
        closing(open_store(store._endpoint.url, pipeline, options)) as looking,
        holder(store, tmp_path) as child,
    ):
        [worker] = looking.workers()
        assert (worker.host, worker.pid) == (socket.gethostname()[:40], child.pid)
        assert worker.since is not None
        assert worker.since.utcoffset() is not None
        child.kill()
        child.wait()
        wait_for_free(store)
        assert looking.workers() == []


def test_workers_of_one_pipeline(store: PostgresStore, tmp_path: Path) -> None:
    """Each pipeline has its own, and the name that somebody gave the connections stays in front."""
    url = f"{store._endpoint.url}&application_name={'n' * 60}"
    with opened(url, tmp_path) as named:
        named.claim("s", ["0"], "me")
        assert [worker.pid for worker in named.workers()] == [os.getpid()]
        assert store.workers() == []
        connection = named._claims._connection
        assert connection is not None
        [(name,)] = connection.execute("show application_name").fetchall()
        assert name.startswith("nnn")
        assert name.endswith(f" {os.getpid()}@{socket.gethostname()[:40]}")


def test_workers_of_another_user(store: PostgresStore, tmp_path: Path) -> None:
    """To a user who may not look into another's connections it is told who, though not since when."""
    enqueue(store, "a", "b")
    pipeline, role = store._endpoint.schema, f"r_{uuid4().hex[:12]}"
    with psycopg.connect(store._endpoint.url, autocommit=True) as admin:
        admin.execute(f"create role {role} login password 'secret'".encode())
        admin.execute(f'grant usage on schema "{pipeline}" to {role}'.encode())
        admin.execute(f'grant select on all tables in schema "{pipeline}" to {role}'.encode())
        parts = urlsplit(store._endpoint.url)
        place = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=f"{role}:secret@{place}").geturl()
        options = StoreOptions(tmp_path, SystemClock(), read_only=True)
        with (
            closing(open_store(url, pipeline, options)) as looking,
            holder(store, tmp_path) as child,
        ):
            assert looking.workers() == [Worker(socket.gethostname()[:40], child.pid, None)]
        admin.execute(f"drop owned by {role}".encode())
        admin.execute(f"drop role {role}".encode())


def test_killed_too_often(store: PostgresStore, tmp_path: Path) -> None:
    """An item whose owners die each time goes aside after as many claims as it may have."""
    enqueue(store, "a", "b")
    queue = store.due("q")
    for _ in range(3):
        with holder(store, tmp_path) as child:
            child.kill()
            child.wait()
            wait_for_free(store)
    assert queue.drained("scope")
    assert take(queue) == []
    assert [(item.id, item.attempt) for item, _ in queue.aside()] == [("a", 3), ("b", 3)]


def test_connection_lost(store: PostgresStore) -> None:
    """Leases end with the connection that vouches for them: somebody else may have the items by then."""
    enqueue(store, "a")
    queue = store.due("q")
    (item,) = queue.claim("me", 10, LONG_S, FAR)
    connection = store._claims._connection
    assert connection is not None
    with psycopg.connect(store._endpoint.url, autocommit=True) as killer:
        killer.execute("select pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
    assert list(queue.extend("me", [item], LONG_S)) == []
    assert take(queue) == [("a", 2)]
    queue.release([item], 0.0, "too late")
    assert take(queue) == []


def test_order_key_while_leased(store: PostgresStore) -> None:
    """While an item is leased, none of its order key is given out, an earlier one that comes meanwhile neither."""
    enqueue(store, "k2", key="k")
    queue = store.due("q")
    assert take(queue) == [("k2", 1)]
    enqueue(store, "k1", key="k")
    assert take(queue) == []
    with store.begin("s", uuid4()) as transaction:
        transaction.finish("q", ["k2"])
        transaction.commit()
    assert take(queue) == [("k1", 1)]


def test_finish_in_progress(store: PostgresStore) -> None:
    """An item that a transaction is finishing right now holds nobody up and isn't given out."""
    enqueue(store, "a", "b")
    queue = store.due("q")
    queue.release(list(queue.claim("me", 10, LONG_S, FAR)), 0.0, "again")
    with store.begin("s", uuid4()) as transaction:
        transaction.finish("q", ["a"])
        assert take(queue) == [("b", 2)]
        transaction.commit()
    assert take(queue) == []
