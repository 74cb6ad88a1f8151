"""What was committed survives a kill at any moment, and nothing else does."""

import random
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.interfaces import StoreOptions
from qanat.records import Move
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.tables import Add, Column, ColumnType, Table

KILLS = 6
# Enough rows for DuckDB to write them to the file before the commit.
KEYS = 150_000
STAGE = "crash"

_COLUMNS = (Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128))
PLAIN = Table("plain", _COLUMNS, key=("consumer",))
LARGE = Table("large", _COLUMNS, key=("consumer",), large=True)
ADD = Add(("consumer",), ("amount",))


def opened(data_dir: Path) -> DuckdbStore:
    """Open the store and declare its tables."""
    store = open_store("duckdb:", "crash", StoreOptions(data_dir, SystemClock()))
    store.migrate([PLAIN, LARGE])
    return store


def commit(store: DuckdbStore, number: int) -> None:
    """Commit number `number`: each thing that a transaction can do, once."""
    attempt = UUID(int=number)
    keys = np.random.default_rng(number).permutation(KEYS)
    large = pa.table({"consumer": keys, "amount": pa.array(np.ones(KEYS, np.int64))})
    parts = [
        store.stage(LARGE, large.slice(part * KEYS // 2, KEYS // 2), attempt, part)
        for part in (0, 1)
    ]
    with store.begin(STAGE, uuid4()) as transaction:
        transaction.advance(STAGE, {"0": Move(number, "life", str(number + 1))})
        assert not transaction.enter([f"commit {number}"])
        transaction.write(PLAIN, pa.table({"consumer": [number % 3], "amount": [1]}), ADD)
        transaction.merge(LARGE, parts, ADD)
        transaction.commit()
    print(number, flush=True)
    store.discard(attempt)


def check(store: DuckdbStore, told: int) -> int:
    """Check that the store holds whole commits, those that were told at least; return how many."""
    count = store.claim(STAGE, ["0"], "test")["0"].version
    assert told <= count <= told + 1
    with store.snapshot() as reader:
        found = reader.query(
            """
            select (select sum(amount) from plain) as plain, (select sum(amount) from large) as large,
                (select count(distinct amount) from large) as amounts, (select count(*) from large) as keys,
                (select count(*) from qanat_ledger) as entered
            """
        ).to_pylist()[0]
    empty = {"plain": None, "large": None, "amounts": 0, "keys": 0, "entered": 0}
    full = {"plain": count, "large": count * KEYS, "amounts": 1, "keys": KEYS, "entered": count}
    assert (full if count else empty) == found
    return count


@pytest.mark.fault
def test_survives_kills(tmp_path: Path) -> None:
    """Killed again and again between and within commits, the store opens and holds whole commits alone."""
    seed = random.Random(7)
    told = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, __file__, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout as lines:
            for _ in range(seed.randint(1, 3)):
                told = int(lines.readline()) + 1
            time.sleep(seed.uniform(0.0, 0.2))
            child.kill()
            child.wait()
            told = max([told, *(int(line) + 1 for line in lines if line.endswith("\n"))])
        store = opened(tmp_path)
        told = check(store, told)
        store.close()
    assert told >= KILLS


def _run(data_dir: Path) -> None:
    store = opened(data_dir)
    number = store.claim(STAGE, ["0"], "child")["0"].version
    store.discard(UUID(int=number))
    while True:
        commit(store, number)
        number += 1


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
