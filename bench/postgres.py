"""Adding sums to a large table of totals in PostgreSQL: Qanat against scripts written by hand.

    python bench/postgres.py [--folder DIR] [--consumers 10_000_000] [--sums 1_000_000] [--rounds 3]
                             [--order sorted|random] [--new 0.0]

Qanat adds the sums to `totals` (amount and number of parts) *and* to `usage` of an hour, and enters the file into the ledger; the
scripts only add the amounts to `totals`. Each script is given the rows in order, the same binary COPY that Qanat uses, and
enough memory. They run on a table as anybody would make it, and on one tuned as Qanat's is (free space in every page).

The contenders take turns. Each works on a fresh copy of the same database, after a checkpoint. Printed are medians: the wall
clock, the processor time of this process and of the server's, and the log that was written; and of each round what the script
with the best median took divided by what Qanat took: above 1 Qanat is faster although it does more.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import psutil
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

# Given statistics and left to itself the planner hashes, and so changes the rows in another order than they lie: three to four
# times the processor time (9.3 and 15.2 s against 3.6 and 4.6 s). So the keys are looked up in the index, in their order.
LOOKED_UP = "set local enable_hashjoin = off; set local enable_mergejoin = off;"
SCRIPTS: dict[str, str] = {
    "on conflict": """
        insert into totals select consumer, amount from given order by consumer
        on conflict (consumer) do update set amount = totals.amount + excluded.amount;
    """,
    "update, insert": LOOKED_UP
    + """
        update totals t set amount = t.amount + g.amount from given g where t.consumer = g.consumer;
        insert into totals select consumer, amount from given g
        where not exists (select from totals t where t.consumer = g.consumer);
    """,
    "merge": LOOKED_UP
    + """
        merge into totals t using given g on t.consumer = g.consumer
        when matched then update set amount = t.amount + g.amount
        when not matched then insert values (g.consumer, g.amount);
    """,
}


@dataclass(frozen=True)
class Ran:
    """What adding the sums took.

    Attributes:
        cpu_s: Processor time of this process and of the server's for our connections; others on the machine disturb it less.
        log_mb: What the server wrote ahead to its log.
    """

    wall_s: float
    cpu_s: float
    log_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:6.2f} s, cpu {self.cpu_s:6.2f} s, log {self.log_mb:5.0f} MB"


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

    def measured(self, work: Callable[[], None]) -> Ran:
        """Do the work on the copy; its connections have to be open before, and stay open."""
        with psycopg.connect(self.database("run"), autocommit=True) as beside:
            (log,) = _row(beside, "select pg_current_wal_insert_lsn() - '0/0'")
            cpu_s = time.process_time()
            started_s = time.perf_counter()
            work()
            wall_s = time.perf_counter() - started_s
            cpu_s = time.process_time() - cpu_s
            (log_end,) = _row(beside, "select pg_current_wal_insert_lsn() - '0/0'")
            others = "select array_agg(pid) from pg_stat_activity where datname = 'run' and pid <> pg_backend_pid()"
            (pids,) = _row(beside, others)
        times = [psutil.Process(pid).cpu_times() for pid in pids]
        cpu_s += sum(found.user + found.system for found in times)
        return Ran(wall_s, cpu_s, float(log_end - log) / 1e6)


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
    # Those of the table, and as many as could be new; numbers of up to twelve digits.
    count = given.consumers + given.sums
    every = np.cumsum(random.integers(1, 2 * 10**12 // count, count, dtype=np.int64))
    random.shuffle(every)
    known = every[: given.consumers]
    if given.order == "sorted":
        known = np.sort(known)
    files = [_file(random, every, given) for _ in range(2)]
    _prepare_ours(server, known, files[0], folder)
    for name, filling in FILLINGS.items():
        _prepare_script(server, name, filling, known)
    contenders = _contenders(server, files[1], folder)
    runs: dict[str, list[Ran]] = {name: [] for name in contenders}
    for _ in range(given.rounds):
        for name, run in contenders.items():
            runs[name].append(run())
            print(f"  {name:32} {runs[name][-1]}", flush=True)
    _report(runs)


def _report(runs: dict[str, list[Ran]]) -> None:
    def middle(found: list[Ran], of: str) -> float:
        return float(statistics.median(getattr(run, of) for run in found))

    for name, found in runs.items():
        print(f"{name:32} {Ran(*(middle(found, field.name) for field in fields(Ran)))}")
    for table in FILLINGS:
        for of in ("wall_s", "cpu_s"):
            scripts = [name for name in runs if name.startswith(table)]
            best = min(scripts, key=lambda name: middle(runs[name], of))
            for name, found in runs.items():
                if name.startswith("qanat"):
                    # Of each round, since a machine that slows down slows both.
                    both = zip(runs[best], found, strict=True)
                    ratio = statistics.median(getattr(x, of) / getattr(y, of) for x, y in both)
                    print(f"{of:6} of {best} / {name}: {ratio:.2f}")


def _file(random: np.random.Generator, every: Numbers, given: argparse.Namespace) -> Sums:
    new = int(given.sums * given.new)
    known = random.choice(given.consumers, given.sums - new, replace=False)
    chosen = np.concatenate([every[known], every[given.consumers : given.consumers + new]])
    return Sums(np.sort(chosen), random.integers(1, 10**6, given.sums))


def _contenders(server: Server, sums: Sums, folder: Path) -> dict[str, Callable[[], Ran]]:
    found: dict[str, Callable[[], Ran]] = {
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


def _row(connection: Connection, query: str) -> tuple[Any, ...]:
    [row] = connection.execute(query.encode()).fetchall()
    return row


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


def _run_ours(server: Server, template: str, sums: Sums, folder: Path) -> Ran:
    store = _open(server.copy(template), folder)
    try:
        rows = sums.arrow()
        return server.measured(lambda: _add(store, sums, rows))
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


def _run_script(server: Server, template: str, statements: str, sums: Sums) -> Ran:
    with psycopg.connect(server.copy(template)) as connection:

        def script() -> None:
            connection.execute("set local work_mem = '256MB'; set local temp_buffers = '256MB'")
            connection.execute(
                "create temporary table given (consumer bigint, amount bigint) on commit drop"
            )
            _copy_binary(connection, "given", [sums.consumer, sums.amount])
            connection.execute(statements.encode())
            connection.commit()

        return server.measured(script)


if __name__ == "__main__":
    main()
