"""A stage that writes tables tells records apart, refuses late ones, and keeps what it rejects."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qanat.interfaces import Store, StoreOptions, Transaction
from qanat.pipeline import Deduplicate
from qanat.records import Transformed
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Loop, Moved
from qanat.runtime.reading import Reading
from qanat.runtime.stage_states import StageMeter
from qanat.runtime.stream import REST_FACTOR
from qanat.runtime.stream_tables import TableSteps, TableWrite, TableWriter
from qanat.stores.duckdb import open_store
from qanat.tables import DEAD_LETTERS, Add, Column, ColumnType, Table
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock, MemoryLog, MemorySource

EVENTS = Table(
    "events",
    (
        Column("happened", ColumnType.TIMESTAMP),
        Column("id", ColumnType.TEXT),
        Column("received", ColumnType.TIMESTAMP),
        Column("amount", ColumnType.INT64),
    ),
    key=("happened", "id"),
    large=True,
)
SUMS = Table(
    "sums", (Column("name", ColumnType.TEXT), Column("amount", ColumnType.INT64)), key=("name",)
)
BY_ID = Deduplicate(EVENTS, ("happened", "id"), "happened", "received", horizon_s=3600.0)
START = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: str, amount: int, *, late_s: float = 0.0) -> dict[str, object]:
    happened = START + timedelta(seconds=ord(name[0]))
    return {
        "happened": happened,
        "id": name,
        "received": happened + timedelta(seconds=late_s),
        "amount": amount,
    }


def total(rows: pa.Table) -> pa.Table:
    return pa.table({"name": ["all"], "amount": [pc.sum(rows.column("amount")).as_py()]})


def without_negative(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Reject rows with a negative amount."""
    bad = [place for place, amount in enumerate(rows.column("amount").to_pylist()) if amount < 0]
    rejected = pa.table(
        {
            "row": pa.array(bad, pa.int64()),
            "reason": pa.array(["negative"] * len(bad), pa.string()),
            "raw": pa.array([b"raw"] * len(bad), pa.binary()),
        }
    )
    return Transformed(rows.filter(pc.greater_equal(rows.column("amount"), 0)), rejected)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store("duckdb:", "events", StoreOptions(tmp_path, FakeClock()))
    opened.migrate((EVENTS, SUMS, DEAD_LETTERS))
    yield opened
    opened.close()


def run(
    store: Store, log: MemoryLog, noticed: list[list[str]], rows_max: int = 3
) -> Sequence[dict[str, object]]:
    """Read what is in the log and return the sums."""
    clock, telemetry = FakeClock(), Telemetry()
    source = MemorySource(log, clock)

    def notice(transaction: Transaction, rows: pa.Table) -> None:
        noticed.append(rows.column("id").to_pylist())

    steps = TableSteps(
        name="store",
        reading=Reading("store", source, store, "me", clock, StageMeter("store", clock)),
        committer=Committer(store, "events", "store", clock, telemetry),
        writer=TableWriter((TableWrite(SUMS, Add(("name",), ("amount",)), total),), BY_ID, notice),
        origin="processed",
        transform=without_negative,
        ends=lambda: True,
        rows_max=rows_max,
    )
    Loop("events", clock, telemetry).run(steps)
    store.release("store", ["0"], "me")
    with store.snapshot() as reader:
        found: list[dict[str, object]] = reader.query("select name, amount from sums").to_pylist()
    return found


def test_each_record_counts_once(store: Store) -> None:
    """Repeats in one batch, in later ones and in a later run are left out; what was new is told in the transaction."""
    log, noticed = MemoryLog(EVENTS, "0"), list[list[str]]()
    log.push("0", event("a", 1), event("b", 2), event("a", 1), event("b", 2), event("c", 4))
    assert [{"name": "all", "amount": 7}] == run(store, log, noticed)
    log.push("0", event("c", 4), event("d", 8), event("a", 1))
    assert [{"name": "all", "amount": 15}] == run(store, log, noticed)
    assert [["a", "b"], ["c"], ["d"]] == [sorted(each) for each in noticed]


def test_late_and_bad_records_are_kept(store: Store) -> None:
    """A record beyond the horizon, or one that the transform rejects, becomes a dead letter and stops nothing."""
    log = MemoryLog(EVENTS, "0")
    newest = event("z", 0) | {
        "happened": START + timedelta(hours=2),
        "received": START + timedelta(hours=2),
    }
    log.push(
        "0", newest, event("a", 1, late_s=3601.0), event("b", 2, late_s=3600.0), event("c", -4)
    )
    assert [{"name": "all", "amount": 2}] == run(store, log, [])
    with store.snapshot() as reader:
        letters = reader.query(
            "select stage, origin, reason, raw, state from dead_letters order by reason"
        ).to_pylist()
    assert [("negative", "store"), ("too_late", "store")] == [
        (letter["reason"], letter["stage"]) for letter in letters
    ]
    assert b'"id":"a"' in letters[1]["raw"]


def test_nothing_new_still_moves_on(store: Store) -> None:
    """A batch of repeats alone moves progress, and writes nothing else."""
    log, noticed = MemoryLog(EVENTS, "0"), list[list[str]]()
    log.push("0", event("a", 1), event("a", 1))
    run(store, log, noticed, rows_max=1)
    assert {"0": "2"} == {
        name: at.position for name, at in store.claim("store", ["0"], "me").items()
    }
    assert [["a"]] == noticed


def test_a_recording_isnt_late(store: Store) -> None:
    """What is received long after it came about, but lies near the newest, counts; a repeat from long ago doesn't come again."""
    log = MemoryLog(EVENTS, "0")
    year_s = 365 * 86_400.0
    log.push("0", *(event(name, 1, late_s=year_s) for name in "abc"))
    long_ago = event("d", 8) | {
        "happened": START - timedelta(hours=2),
        "received": START + timedelta(days=365),
    }
    log.push("0", long_ago)
    assert [{"name": "all", "amount": 3}] == run(store, log, [])


@pytest.mark.parametrize("rows_max", [1, 2, 100])
def test_a_time_far_ahead_makes_nothing_late(store: Store, rows_max: int) -> None:
    """However the records come in batches."""
    log = MemoryLog(EVENTS, "0")
    ahead = event("z", 1) | {"happened": START + timedelta(days=400), "received": START}
    log.push("0", event("a", 1), ahead, event("b", 1), event("c", 1, late_s=7200.0))
    assert [{"name": "all", "amount": 4}] == run(store, log, [], rows_max)


@pytest.mark.parametrize("rows_max", [1, 2, 3, 100])
def test_lateness_goes_by_order_not_by_batches(store: Store, rows_max: int) -> None:
    """A record is judged by the newest before it, in whichever batch that came, in this run or in one before."""
    log = MemoryLog(EVENTS, "0")
    old = event("o", 4, late_s=7200.0)
    new = event("n", 1) | {
        "happened": START + timedelta(hours=3),
        "received": START + timedelta(hours=3),
    }
    log.push("0", old, new, event("p", 16, late_s=7200.0))
    assert [{"name": "all", "amount": 5}] == run(store, log, [], rows_max)
    log.push("0", event("q", 32, late_s=7200.0))
    assert [{"name": "all", "amount": 5}] == run(store, log, [], rows_max)


@pytest.mark.parametrize(("asked", "rest_s"), [(False, 0.0), (True, REST_FACTOR * 0.02)])
def test_small_commits_rest_while_many_ask(store: Store, *, asked: bool, rest_s: float) -> None:
    """A small commit is followed at once by the next, unless many ask the store: then by a rest of five times its length."""
    log, clock, telemetry = MemoryLog(EVENTS, "0"), FakeClock(), Telemetry()
    began: list[float] = []

    def total_in_time(rows: pa.Table) -> pa.Table:
        began.append(clock.monotonic())
        clock.advance(0.02)
        return total(rows)

    steps = TableSteps(
        name="store",
        reading=Reading(
            "store", MemorySource(log, clock), store, "me", clock, StageMeter("store", clock)
        ),
        committer=Committer(store, "events", "store", clock, telemetry),
        writer=TableWriter((TableWrite(SUMS, Add(("name",), ("amount",)), total_in_time),), BY_ID),
        origin="processed",
        yields=lambda: asked,
        rows_max=1,
    )
    log.push("0", event("a", 1), event("b", 2), event("c", 4))
    for _ in range(3):
        assert Moved.YES is steps.step()
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert [pytest.approx(0.02 + rest_s)] * 2 == gaps
