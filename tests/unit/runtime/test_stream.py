"""A stage on an ordered source that gives records again."""

from pathlib import Path

import pyarrow as pa

from qanat.interfaces import StoreOptions
from qanat.records import Batch
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Loop
from qanat.runtime.stream import Output, StreamSteps
from qanat.tables import Add, Column, ColumnType, Table
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock, MemoryLog, MemorySource
from qanat.testing.memory_store import open_store

EVENTS = Table("events", (Column("id", ColumnType.TEXT), Column("amount", ColumnType.INT64)))
SUMS = Table(
    "sums", (Column("name", ColumnType.TEXT), Column("amount", ColumnType.INT64)), key=("name",)
)


def add_up(batch: Batch) -> Output:
    amounts = batch.rows.column("amount").to_pylist()
    rows = pa.table({"name": ["all"], "amount": pa.array([sum(amounts)], pa.int64())})
    return Output([(SUMS, rows, Add(("name",), ("amount",)))])


def test_deduplicates(tmp_path: Path) -> None:
    """Records that come again, in one batch or in a later one, count once when their id is named."""
    clock = FakeClock()
    store = open_store("memory:", "sums", StoreOptions(tmp_path, clock))
    store.migrate((SUMS,))
    log = MemoryLog(EVENTS, "0")
    for rows in ([("a", 1), ("b", 2), ("a", 1)], [("b", 2), ("c", 4)]):
        log.push("0", *({"id": name, "amount": amount} for name, amount in rows))
        telemetry = Telemetry()
        steps = StreamSteps(
            name="sum",
            source=MemorySource(log, clock, repeats=True),
            transform=add_up,
            committer=Committer(store, "sums", "sum", clock, telemetry),
            owner="me",
            drain=True,
            deduplicate_by="id",
            rows_max=2,
        )
        Loop("sums", clock, telemetry).run(steps)
        store.release("sum", ["0"], "me")
    with store.snapshot() as reader:
        assert [{"name": "all", "amount": 7}] == reader.query("select * from sums").to_pylist()
