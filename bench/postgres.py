"""Adding sums to a large table of totals in PostgreSQL: Qanat against scripts written by hand.

    python bench/postgres.py [--folder DIR] [--consumers 10_000_000] [--sums 1_000_000] [--rounds 3]
                             [--order sorted|random] [--new 0.0]

Qanat adds the sums to `totals` (amount and number of parts) *and* to `usage` of an hour, and enters the file into the ledger; the
scripts only add the amounts to `totals`. Each script is given the rows in order, the same binary COPY that Qanat uses, and
enough memory. They run on a table as anybody would make it, and on one tuned as Qanat's is (free space in every page).

The contenders take turns. Each works on a fresh copy of the same database, after a checkpoint. Printed are medians, and what the
fastest script took divided by what Qanat took: above 1 Qanat is faster although it does more.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa

from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.pipelines.metering import ADD_TO_TOTALS, ADD_TO_USAGE, TOTALS, USAGE
from qanat.stores.postgres import PostgresStore, open_store
from qanat.stores.postgres_binary import Wide, binary
from qanat.stores.postgres_local import start_server
from qanat.tables import ColumnType

Numbers = npt.NDArray[np.int64]
Connection = psycopg.Connection[tuple[Any, ...]]

HOUR = datetime(2026, 1, 1, 12, tzinfo=UTC)
PIPELINE = "metering"
# How the hand-written scripts' table may be made: as by default, and with the free space that Qanat leaves.
FILLINGS = {"plain": 100, "tuned": 85}

SCRIPTS: dict[str, str] = {
    "on conflict": """
        insert into totals select consumer, amount from given order by consumer
        on conflict (consumer) do update set amount = totals.amount + excluded.amount;
    """,
    "update, insert": """
        set local enable_hashjoin = off;
        set local enable_mergejoin = off;
        update totals t set amount = t.amount + g.amount from given g where t.consumer = g.consumer;
        insert into totals select consumer, amount from given g
        where not exists (select from totals t where t.consumer = g.consumer);
    """,
    "merge": """
        set local enable_hashjoin = off;
        set local enable_mergejoin = off;
        merge into totals t using given g on t.consumer = g.consumer
        when matched then update set amount = t.amount + g.amount
        when not matched then insert values (g.consumer, g.amount);
    """,
}


@dataclass(frozen=True)
class Sums:
    """One file's sums, consumers ascending."""

    consumer: Numbers
    amount: Numbers

    def arrow(self) -> pa.Table:
        """Return them as the pipeline's transform would."""
        amounts = pa.array(self.amount).cast(pa.decimal128(38, 0))
        return pa.table({"consumer": pa.array(self.consumer), "amount": amounts})


class Server:
    """Databases to start from, and a copy for each run."""

    def __init__(self, url: str) -> None:
        self.url = url

    def admin(self, statement: str) -> None:
        """Execute a statement outside of the databases that are measured."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def copy(self, template: str) -> str:
        """Make a fresh copy of a database, with everything on disk; return its URL."""
        self.admin("drop database if exists run with (force)")
        self.admin(f"create database run template {template} strategy file_copy")
        self.admin("checkpoint")
        with psycopg.connect(self.database("run"), autocommit=True) as connection:
            connection.execute("select sum(1) from pg_class")
        return self.database("run")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Adding sums to a large PostgreSQL table")
    parser.add_argument("--folder", type=Path, help="where the server keeps its data")
    parser.add_argument("--consumers", type=int, default=10_000_000)
    parser.add_argument("--sums", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--order", choices=("sorted", "random"), default="sorted")
    parser.add_argument("--new", type=float, default=0.0, help="share of consumers that are new")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=given.folder) as folder,
        start_server(Path(folder)) as made,
    ):
        server = Server(made.url)
        measure(server, given, Path(folder))


def measure(server: Server, given: argparse.Namespace, folder: Path) -> None:
    """Prepare the databases, let the contenders take turns, print the medians."""
    random = np.random.default_rng(1)
    every = np.unique(random.integers(1, 10**12, given.consumers * 2))
    random.shuffle(every)
    known = every[: given.consumers]
    if given.order == "sorted":
        known = np.sort(known)
    files = [_file(random, every, given) for _ in range(2)]
    _prepare_ours(server, known, files[0], folder)
    for name, filling in FILLINGS.items():
        _prepare_script(server, name, filling, known)
    contenders = _contenders(server, files[1], folder)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(given.rounds):
        for name, run in contenders.items():
            times[name].append(run())
            print(f"  {name:32} {times[name][-1]:6.2f} s", flush=True)
    _report({name: statistics.median(found) for name, found in times.items()})


def _report(medians: dict[str, float]) -> None:
    for name, seconds in medians.items():
        print(f"{name:32} {seconds:6.2f} s")
    ours = {name: seconds for name, seconds in medians.items() if name.startswith("qanat")}
    for table in FILLINGS:
        best = min(seconds for name, seconds in medians.items() if name.startswith(table))
        for name, seconds in ours.items():
            print(f"best script, {table} table / {name}: {best / seconds:.2f}")


def _file(random: np.random.Generator, every: Numbers, given: argparse.Namespace) -> Sums:
    new = int(given.sums * given.new)
    known = random.choice(given.consumers, given.sums - new, replace=False)
    chosen = np.concatenate([every[known], every[given.consumers : given.consumers + new]])
    return Sums(np.sort(chosen), random.integers(1, 10**6, given.sums))


def _contenders(server: Server, sums: Sums, folder: Path) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {
        "qanat, first file of the hour": lambda: _run_ours(server, "fresh", sums, folder),
        "qanat, second file of the hour": lambda: _run_ours(server, "existing", sums, folder),
    }
    for table in FILLINGS:
        for name, statements in SCRIPTS.items():
            found[f"{table} table, {name}"] = lambda table=table, statements=statements: (  # type: ignore[misc]
                _run_script(server, table, statements, sums)
            )
    return found


def _prepare_ours(server: Server, known: Numbers, earlier: Sums, folder: Path) -> None:
    server.admin("create database fresh")
    store = _open(server.database("fresh"), folder)
    store.migrate([TOTALS, USAGE])
    store.close()
    with psycopg.connect(server.database("fresh"), autocommit=True) as connection:
        connection.execute(f"set search_path = {PIPELINE}".encode())
        _copy(connection, "totals (consumer, amount, parts)", [known, known % 10**5, known % 9])
        connection.execute("vacuum (freeze, analyze)")
    server.admin("create database existing template fresh strategy file_copy")
    store = _open(server.database("existing"), folder)
    _add(store, earlier)
    store.close()


def _prepare_script(server: Server, name: str, filling: int, known: Numbers) -> None:
    server.admin(f"create database {name}")
    with psycopg.connect(server.database(name), autocommit=True) as connection:
        connection.execute(
            "create table totals (consumer bigint primary key, amount numeric(38, 0) not null)"
            f" with (fillfactor = {filling})".encode()
        )
        _copy(connection, "totals (consumer, amount)", [known, known % 10**5])
        connection.execute("vacuum (freeze, analyze)")


def _copy(connection: Connection, target: str, columns: list[Numbers]) -> None:
    """Copy columns of whole numbers into a table of whatever types, by way of a temporary one."""
    names = ", ".join(f"c{place} bigint" for place in range(len(columns)))
    connection.execute(f"create temporary table loading ({names})".encode())
    _copy_binary(connection, "loading", columns)
    connection.execute(f"insert into {target} select * from loading".encode())
    connection.execute("drop table loading")


def _copy_binary(connection: Connection, table: str, columns: list[Numbers]) -> None:
    encoded = binary([Wide(ColumnType.INT64, column) for column in columns], [], len(columns[0]))
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {table} from stdin with {encoded.options}".encode()) as stream,
    ):
        for block in encoded.blocks:
            stream.write(block)


def _open(url: str, folder: Path) -> PostgresStore:
    return open_store(url, PIPELINE, StoreOptions(folder, SystemClock()))


def _run_ours(server: Server, template: str, sums: Sums, folder: Path) -> float:
    store = _open(server.copy(template), folder)
    try:
        rows = sums.arrow()
        started = time.perf_counter()
        _add(store, sums, rows)
        return time.perf_counter() - started
    finally:
        store.close()


def _add(store: PostgresStore, sums: Sums, rows: pa.Table | None = None) -> None:
    """Count a file as the pipeline does."""
    rows = sums.arrow() if rows is None else rows
    with store.begin("count", uuid4()) as transaction:
        transaction.enter([f"file:{uuid4()}"])
        transaction.write(TOTALS, rows, ADD_TO_TOTALS, {"parts": 1})
        transaction.write(USAGE, rows, ADD_TO_USAGE, {"period_start": HOUR, "granularity": "hour"})
        transaction.commit()


def _run_script(server: Server, template: str, statements: str, sums: Sums) -> float:
    with psycopg.connect(server.copy(template)) as connection:
        started = time.perf_counter()
        connection.execute("set local work_mem = '256MB'")
        connection.execute(
            "create temporary table given (consumer bigint, amount bigint) on commit drop"
        )
        _copy_binary(connection, "given", [sums.consumer, sums.amount])
        connection.execute(statements.encode())
        connection.commit()
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
