"""Two processes against one on the same PostgreSQL, while reading lines takes most of the time.

Each has one thread that sums (`--threads 1`): that is what a further machine brings. One process with as many threads as there
are cores, as `--threads 0` makes it, has a machine's whole processor already; a second one beside it on the same machine can't
bring more, and the third case shows how far that goes. The server works on the same cores as well, so on a machine with two of
them two processes can't be twice as fast.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg
from metering_input import Input, generated
from metering_measure import Program, Ran
from metering_tables import Tables, entered

from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.settings import CommonSettings
from qanat.stores.postgres_local import start_server
from qanat.wiring import open_store

FILES = 4
# Processes, and the threads of each that sum. The last one is what one process can do alone.
CASES = ((1, 1), (2, 1), (1, 2))
GOAL = 1.5


def postgres(scratch: Path, given: argparse.Namespace) -> dict[str, object]:
    """Let the cases take turns; print how much faster two processes are."""
    lines = generated(scratch / "input", int(given.size), given.consumers, FILES)
    tables = Tables.of(scratch, given.consumers)
    seconds: dict[tuple[int, int], list[float]] = {case: [] for case in CASES}
    cpu: dict[tuple[int, int], list[float]] = {case: [] for case in CASES}
    with start_server(scratch / "server") as server:
        _admin(server.url, "create database before")
        _fill(_database(server.url, "before"), tables, scratch / "data")
        for number in range(given.rounds):
            for case, found in seconds.items():
                runs = _run(server.url, scratch, lines, case)
                found.append(max(run.wall_s for run in runs))
                cpu[case].append(sum(run.cpu_s for run in runs))
                print(
                    f"round {number + 1}: {_told(case, found[-1], cpu[case][-1])}", file=sys.stderr
                )
    for case, found in seconds.items():
        print(_told(case, median(found), median(cpu[case])))
    # Of each round, since a machine that slows down slows both.
    ratios = [one / two for one, two in zip(*(seconds[case] for case in CASES[:2]), strict=True)]
    print(f"two processes are {median(ratios):.2f} times as fast as one; goal {GOAL}")
    return {_title(case): found for case, found in seconds.items()}


def _told(case: tuple[int, int], wall_s: float, cpu_s: float) -> str:
    return f"{_title(case):36} {wall_s:7.2f} s, cpu without the server's {cpu_s:6.2f} s"


def _title(case: tuple[int, int]) -> str:
    processes, threads = case
    return f"{processes} process(es) of {threads} thread(s)"


def _run(url: str, scratch: Path, lines: Input, case: tuple[int, int]) -> list[Ran]:
    """Count all files with a fresh copy of the database; check the total."""
    _admin(url, "drop database if exists run with (force)")
    _admin(url, "create database run template before strategy file_copy")
    _admin(url, "checkpoint")
    folder = scratch / "in"
    folder.mkdir()
    for file in lines.files:
        os.link(file, folder / file.name)
    processes, threads = case
    running = [
        Program(
            [
                *(sys.executable, "-m", "qanat", "run", "metering", "--once", "--progress", "none"),
                *("--input", str(folder), "--threads", str(threads)),
                *("--data-dir", str(scratch / f"data-{number}")),
            ],
            {"QANAT_STORE": _database(url, "run")},
        )
        for number in range(processes)
    ]
    ended = [program.wait() for program in running]
    with psycopg.connect(_database(url, "run")) as connection:
        found = connection.execute("select sum(total), count(*) from metering.files").fetchone()
    assert found == (lines.expected.amount_sum, FILES), f"counted {found}"
    shutil.rmtree(folder)
    return ended


def _fill(url: str, tables: Tables, data_dir: Path) -> None:
    store = open_store(PIPELINE.name, CommonSettings(store=url, data_dir=data_dir), SystemClock())
    entered(store, tables.totals)
    store.close()


def _admin(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
