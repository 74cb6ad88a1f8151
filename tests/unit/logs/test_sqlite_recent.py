"""What was published a moment ago is read as it was, and bounded."""

import sqlite3
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.interfaces import LogOptions
from qanat.logs import sqlite_pieces
from qanat.logs.sqlite import open_log
from qanat.logs.sqlite_recent import Recent
from qanat.tables import Column, ColumnType, Topic
from qanat.testing import FakeClock

NUMBERS = Topic("numbers", (Column("number", ColumnType.INT64),))


def numbers(*values: int) -> pa.Table:
    return pa.table({"number": pa.array(values, pa.int64())})


def test_the_oldest_leave_first() -> None:
    rows = numbers(*range(10))
    recent = Recent(bytes_max=2 * rows.nbytes)
    for first in (0, 10, 20):
        recent.keep(("topic", 0, first), rows)
    kept = [first for first in (0, 10, 20) if recent.get(("topic", 0, first)) is not None]
    assert [10, 20] == kept
    recent.keep(("topic", 0, 30), numbers(*range(1000)))
    assert recent.get(("topic", 0, 30)) is None
    recent.clear()
    assert recent.get(("topic", 0, 20)) is None


def test_a_reader_of_the_same_process_unpacks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the same records as one that does; another handle of the process shares them."""
    options = LogOptions(tmp_path, FakeClock())
    log, other = open_log("sqlite:", "numbers", options), open_log("sqlite:", "numbers", options)
    log.create((NUMBERS,))
    for values in ((1, 2, 3), (4, 5)):
        with log.begin("stage", uuid4()) as transaction:
            transaction.publish(NUMBERS, numbers(*values))
            transaction.commit()
    unpacked = list[int]()
    content = sqlite_pieces._content

    def noted(connection: sqlite3.Connection, number: int) -> bytes:
        unpacked.append(number)
        return content(connection, number)

    monkeypatch.setattr(sqlite_pieces, "_content", noted)

    def read() -> list[int]:
        source = other.source(NUMBERS, "reader")
        source.open({"0": "1"})
        batch = source.poll(3, 0.0)
        source.close()
        assert batch is not None
        found: list[int] = batch.rows.column("number").to_pylist()
        return found

    assert [2, 3, 4] == read()
    assert [] == unpacked
    other._shared.recent.clear()
    assert [2, 3, 4] == read()
    assert 2 == len(unpacked)
    log.close()
    other.close()
