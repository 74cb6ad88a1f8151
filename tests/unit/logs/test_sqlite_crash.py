"""What was committed survives a kill at any moment, and nothing else does."""

import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.interfaces import LogOptions, Span
from qanat.logs.sqlite import SqliteLog, open_log
from qanat.records import Move
from qanat.tables import Column, ColumnType, Topic
from tests.unit.logs.sqlite_kit import child, heard

KILLS = 6
# Enough, and random enough, for a commit to take some milliseconds and to be more than one write.
ROWS = 20_000
STAGE = "crash"
COLUMNS = (Column("commit", ColumnType.INT64), Column("noise", ColumnType.INT64))
FIRST = Topic("first", COLUMNS, keep_bytes=1)
SECOND = Topic("second", COLUMNS, partitions=2)


def opened(data_dir: Path) -> SqliteLog:
    """Open the log and make its topics."""
    log = open_log("sqlite:", "crash", LogOptions(data_dir, SystemClock()))
    log.create([FIRST, SECOND])
    return log


def commit(log: SqliteLog, number: int) -> None:
    """Commit number `number`: rows for two topics, and progress."""
    noise = np.random.default_rng(number).integers(-(2**62), 2**62, ROWS)
    rows = pa.table({"commit": pa.repeat(number, ROWS), "noise": noise})
    with log.begin(STAGE, uuid4()) as transaction:
        transaction.advance(STAGE, {"0": Move(number, "life", str(number + 1))})
        transaction.publish(FIRST, rows)
        transaction.publish(SECOND, rows)
        transaction.commit()
    print(number, flush=True)


def check(log: SqliteLog, told: int) -> int:
    """Check that the log holds whole commits, those that were told at least; return how many."""
    count = log.claim(STAGE, ["0"], "test")["0"].version
    assert told <= count <= told + 1
    assert count * ROWS == log.spans(FIRST)["0"].end
    half = count * ROWS // 2
    assert {"0": Span(0, half), "1": Span(0, half)} == log.spans(SECOND)
    source = log.source(SECOND, f"after {count}")
    source.open({"0": None, "1": None})
    seen = np.zeros(count, np.int64)
    while (batch := source.poll(50_000, 0.0)) is not None:
        seen += np.bincount(batch.rows.column("commit").to_numpy(), minlength=count)
    assert [ROWS] * count == seen.tolist()
    return count


@pytest.mark.fault
def test_survives_kills(tmp_path: Path) -> None:
    """Killed again and again, within commits and within retention, the log opens and holds whole commits alone."""
    seed = random.Random(7)
    told = 0
    for _ in range(KILLS):
        with child(__file__, tmp_path) as process:
            for _ in range(seed.randint(1, 4)):
                told = int(heard(process)) + 1
            time.sleep(seed.uniform(0.0, 0.05))
            process.kill()
            assert process.stdout is not None
            told = max([told, *(int(line) + 1 for line in process.stdout if line.endswith("\n"))])
        log = opened(tmp_path)
        told = check(log, told)
        log.close()
    assert told >= KILLS


def _run(data_dir: Path) -> None:
    log = opened(data_dir)
    number = log.claim(STAGE, ["0"], "child")["0"].version
    while True:
        commit(log, number)
        number += 1
        if number % 2:
            log.trim([replace(FIRST, keep_s=3600.0)], SystemClock().now())


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
