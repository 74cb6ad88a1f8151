"""Whether time grows with the input alone: 1, 4 and 16 times the size, and a store with many files counted before."""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

import pyarrow as pa
from metering_input import Input, generated
from metering_measure import timed
from metering_report import GIB
from metering_tables import Tables

from qanat.clock import SystemClock
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.registry import FILES
from qanat.settings import CommonSettings
from qanat.tables import Append, arrow_schema
from qanat.wiring import open_store

TIMES = (1, 4, 16)
COUNTED_BEFORE = 100_000
# Rows and ids entered in one transaction.
BATCH = 10_000


@dataclass(slots=True)
class Case:
    """So many times the input, into a store that counted so many files before."""

    times: int
    counted: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Name it."""
        after = f" after {self.counted:,} files" if self.counted else ""
        return f"{self.times} x{after}"


def scaling(scratch: Path, given: argparse.Namespace) -> dict[str, object]:
    """Let the cases take turns; print seconds for each GiB.

    With --one-file each size is one file, above `whole_size` of several parts; else there are several files, which are names of
    one and the same, so that all fit into the page cache.
    """
    sizes = [int(given.size) * times for times in TIMES] if given.one_file else [int(given.size)]
    inputs = [generated(scratch / f"input-{size}", size, given.consumers) for size in sizes]
    tables = Tables.of(scratch, given.consumers)
    tables.restore("qanat", scratch / "fresh")
    shutil.copytree(scratch / "fresh", scratch / "used")
    _enter_files(scratch / "used", COUNTED_BEFORE)
    cases = [*(Case(times) for times in TIMES), Case(1, COUNTED_BEFORE)]
    for number in range(given.rounds):
        for case in cases:
            chosen = inputs[TIMES.index(case.times)] if given.one_file else inputs[0]
            with _folders(scratch, case, chosen, 1 if given.one_file else case.times) as command:
                case.seconds.append(timed(command).wall_s)
            print(f"round {number + 1}: {case.title:28} {case.seconds[-1]:7.2f} s", file=sys.stderr)
    for case in cases:
        seconds, gib = median(case.seconds), int(given.size) * case.times / GIB
        print(f"{case.title:28} {gib:6.2f} GiB {seconds:8.2f} s {seconds / gib:6.2f} s per GiB")
    return {case.title: case.seconds for case in cases}


@contextmanager
def _folders(scratch: Path, case: Case, chosen: Input, names: int) -> Iterator[list[str]]:
    """Make a folder of input and one of data; give the command; remove them."""
    folder, data = scratch / "in", scratch / "data"
    folder.mkdir()
    shutil.copytree(scratch / ("used" if case.counted else "fresh"), data)
    for number in range(names):
        os.link(chosen.files[0], folder / f"lines-{number}.txt")
    try:
        yield [
            *(sys.executable, "-m", "qanat", "run", "metering", "--once", "--progress", "none"),
            *("--input", str(folder), "--data-dir", str(data), "--same-content", "count"),
        ]
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(data)


def _enter_files(data_dir: Path, count: int) -> None:
    """Enter files as counted: rows of the register, and ids in the ledger."""
    clock = SystemClock()
    store = open_store(PIPELINE.name, CommonSettings(data_dir=data_dir), clock)
    for first in range(1, count + 1, BATCH):
        numbers = range(first, min(first + BATCH, count + 1))
        rows = pa.Table.from_pylist([_row(number) for number in numbers], arrow_schema(FILES))
        with store.begin("count", uuid4()) as transaction:
            transaction.write(FILES, rows, Append())
            transaction.enter([f"file:{number}" for number in numbers])
            transaction.commit()
    with store.begin("count", uuid4()) as transaction:
        for name in ("file", "counted"):
            transaction.execute(
                "insert into counters (name, value) values ($name, $value)",
                {"name": name, "value": count},
            )
        transaction.commit()
    store.close()


def _row(number: int) -> dict[str, object]:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    given: dict[str, object] = {
        "id": number,
        "name": f"before-{number}.txt",
        "size": 10**6,
        "mtime_ns": number,
        "inode": number,
        "device": 1,
        "sketch": f"{number:032x}",
        "compression": "none",
        "digest": f"{number:032x}",
        "state": "counted",
        "registered_at": moment,
        "ended_at": moment,
        "lines_good": 10**5,
        "lines_bad": 0,
        "total": 10**6,
        "parts": 0,
        "ranges": 1,
        "forced": False,
        "number": number,
        "settled": True,
    }
    return {name: given.get(name) for name in FILES.names}
