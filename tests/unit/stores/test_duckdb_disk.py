"""A full disk: nothing is written, and the store can be used on."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from qanat.clock import SystemClock
from qanat.errors import CommitUnknown, Retryable
from qanat.interfaces import StoreOptions
from qanat.stores.duckdb import DuckdbStore, open_store
from qanat.stores.duckdb_database import CHECKPOINT_ROWS
from qanat.tables import Append, Column, ColumnType, Table

EVENTS = Table("events", (Column("id", ColumnType.INT64), Column("noise", ColumnType.INT64)))
# What the file may still grow by: a limit of the process behaves as a disk that is full.
ROOM_BYTES = 2**20
BASE_ROWS = 600_000
BIG_ROWS = 1_000_000
SMALL_ROWS = 20_000


def _rows(count: int) -> pa.Table:
    noise = np.random.default_rng(1).integers(-(2**62), 2**62, count)
    return pa.table({"id": np.arange(count), "noise": noise})


def _append(store: DuckdbStore, count: int) -> str:
    """Append rows; tell how it ended."""
    commit_id = uuid4()
    try:
        with store.begin("disk", commit_id) as transaction:
            transaction.write(EVENTS, _rows(count), Append())
            transaction.commit()
    except CommitUnknown:
        return "committed" if store.outcome("disk", commit_id) else "rolled back"
    except Retryable:
        assert not store.outcome("disk", commit_id)
        return "rolled back"
    return "committed"


def _count(store: DuckdbStore) -> int:
    with store.snapshot() as reader:
        return int(reader.query("select count(*) as n from events").column("n")[0].as_py())


@pytest.mark.fault
@pytest.mark.skipif(sys.platform == "win32", reason="Windows can't limit the size of files")
def test_full_disk(tmp_path: Path) -> None:
    """On a full disk commits are Retryable and leave what was there; DuckDB gives its database up when it can't make a
    checkpoint, and is opened again; with room, the same store goes on.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert "rolled back" == told["big"]
    assert "rolled back" in told["small"]
    expected = BASE_ROWS + SMALL_ROWS * told["small"].count("committed")
    assert [expected, expected] == [told["when full"], told["when opened again"]]
    assert "committed" == told["with room"]
    store = open_store("duckdb:", "disk", StoreOptions(tmp_path, SystemClock()))
    assert expected + SMALL_ROWS == _count(store)
    store.close()


def _run(data_dir: Path) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    options = StoreOptions(data_dir, SystemClock())
    store = open_store("duckdb:", "disk", options)
    store.migrate([EVENTS])
    attempt = uuid4()
    constant = np.ones(CHECKPOINT_ROWS, np.int64)
    store.stage(EVENTS, pa.table({"id": constant, "noise": constant}), attempt, 0)
    assert "committed" == _append(store, BASE_ROWS)
    store.close()
    store = open_store("duckdb:", "disk", options)
    size = (data_dir / "disk.duckdb").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + ROOM_BYTES, hard))
    told: dict[str, object] = {"big": _append(store, BIG_ROWS)}
    told["small"] = [_append(store, SMALL_ROWS) for _ in range(60)]
    told["when full"] = _count(store)
    store.discard(attempt)  # so many rows are stale that it asks for a checkpoint
    told["when opened again"] = _count(store)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    told["with room"] = _append(store, SMALL_ROWS)
    store.close()
    print(json.dumps(told))


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
