"""The comparison for `metering` finds each way in which a store can be wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.interfaces import StoreOptions, Transaction
from qanat.pipelines.metering import PIPELINE, TOTALS, USAGE
from qanat.pipelines.metering.proof_input import Letter, Truth
from qanat.pipelines.metering.proof_tally import Handed, Tally, tally
from qanat.runtime.registry import FILES, PARTS
from qanat.tables import DEAD_LETTERS, Append, Table, arrow_schema
from qanat.testing import FakeClock
from qanat.testing.memory_store import open_store

LINE = 10**8
"""A line with the amount 1, marked."""

HOUR = datetime(2026, 1, 1, tzinfo=UTC)
TRUTH = Truth({1: 5 * LINE + 2, 2: 3 * LINE + 1}, 3, [Letter(2, 4, b"odd")])
HANDED = {"a": Handed([TRUTH])}

Row = dict[str, object]


@dataclass
class Rows:
    """What a store holds; a test changes it."""

    totals: list[Row] = field(
        default_factory=lambda: [
            {"consumer": consumer, "amount": amount, "parts": 1}
            for consumer, amount in TRUTH.sums.items()
        ]
    )
    usage: list[Row] = field(
        default_factory=lambda: [
            {"consumer": consumer, "amount": amount, "period_start": HOUR, "granularity": "hour"}
            for consumer, amount in TRUTH.sums.items()
        ]
    )
    letters: list[Row] = field(
        default_factory=lambda: [
            {
                "id": "x", "stage": "count", "origin": "a", "origin_id": 1, "line": 2,
                "byte_offset": 4, "reason": "odd", "length": 3, "raw": b"odd",
                "rejected_at": HOUR, "state": "open",
            }
        ]
    )  # fmt: skip
    files: list[Row] = field(default_factory=lambda: [file_row(1, "a", "counted", number=1)])
    parts: list[Row] = field(default_factory=list)


def file_row(number_in_register: int, name: str, state: str, **values: object) -> Row:
    """Make a row of `files`."""
    return {
        "id": number_in_register, "name": name, "size": 9, "mtime_ns": 0, "inode": 1, "device": 1,
        "sketch": f"{number_in_register}", "compression": "none", "state": state,
        "registered_at": HOUR, "lines_good": 3, "lines_bad": 1, "total": sum(TRUTH.sums.values()),
        "parts": 0, "ranges": 1, "forced": False, "settled": True, **values,
    }  # fmt: skip


def compared(rows: Rows, place: Path, handed: dict[str, Handed] | None = None) -> Tally:
    """Fill a store with `rows`, and compare it."""
    store = open_store("memory:", PIPELINE.name, StoreOptions(place, FakeClock()))
    store.migrate(PIPELINE.tables)
    with store.begin("test", uuid4()) as transaction:
        _fill(transaction, TOTALS, rows.totals)
        _fill(transaction, USAGE, rows.usage)
        _fill(transaction, DEAD_LETTERS, rows.letters)
        _fill(transaction, FILES, rows.files)
        _fill(transaction, PARTS, rows.parts)
        transaction.commit()
    with store.snapshot() as reader:
        return tally(reader, HANDED if handed is None else handed)


def _fill(transaction: Transaction, table: Table, rows: list[Row]) -> None:
    if rows:
        given = pa.Table.from_pylist(rows, schema=arrow_schema(table))
        transaction.write(table, given, Append())


def test_as_it_should_be(tmp_path: Path) -> None:
    """Nothing to be said about a store that is right."""
    assert Tally(read=4, written=4, duplicated=0, lost=0) == compared(Rows(), tmp_path)


def add(rows: Rows, first: int, *amounts: int) -> None:
    """Add to totals from the `first` on, and to their usage."""
    for table in (rows.totals, rows.usage):
        for row, amount in zip(table[first:], amounts, strict=False):
            row["amount"] = int(str(row["amount"])) + amount


@pytest.mark.parametrize(
    ("change", "duplicated", "lost"),
    [
        (lambda rows: add(rows, 0, LINE + 1), 1, 0),
        (lambda rows: add(rows, 0, -2 * LINE - 2), 0, 2),
        (lambda rows: add(rows, 0, LINE + 1, -LINE - 1), 1, 1),
        (lambda rows: add(rows, 0, LINE), 1, 1),
        (lambda rows: (rows.totals.pop(), rows.usage.pop()), 0, 1),
        (lambda rows: rows.usage.clear(), 0, 3),
        (lambda rows: rows.letters.clear(), 0, 1),
        (lambda rows: rows.letters.append(rows.letters[0]), 1, 0),
        (lambda rows: rows.letters[0].update(byte_offset=5), 1, 1),
        (lambda rows: rows.letters[0].update(raw=b"od"), 1, 1),
    ],
)
def test_lines(
    change: Callable[[Rows], object], duplicated: int, lost: int, tmp_path: Path
) -> None:
    """Each line that counts too often or too seldom is told, and one never makes up for another."""
    rows = Rows()
    change(rows)
    found = compared(rows, tmp_path)
    assert (duplicated, lost) == (found.duplicated, found.lost)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.files.clear(), "a is {}"),
        (lambda rows: rows.files[0].update(state="failed"), "a is {'failed': 1}"),
        (lambda rows: rows.files.append(file_row(2, "b", "held")), "b is {'held': 1}"),
        (lambda rows: rows.files[0].update(total=1), "the rows of a say"),
        (lambda rows: rows.files[0].update(number=2), "numbered [2]"),
        (lambda rows: rows.totals[0].update(parts=0), "0 parts of 1 files"),
        (lambda rows: rows.usage[0].update(granularity="moving"), "granularity 'moving'"),
        (
            lambda rows: rows.parts.append(
                {
                    "file_id": 1, "attempt": "x", "part": 0, "start": 0, "lines_good": 0,
                    "lines_bad": 0, "total": 0, "digests": b"", "size": 0, "rows": 0,
                }
            ),
            "1 parts of files are left",
        ),
    ],
)  # fmt: skip
def test_problems(change: Callable[[Rows], object], problem: str, tmp_path: Path) -> None:
    """What isn't a matter of lines is said in words."""
    rows = Rows()
    change(rows)
    found = compared(rows, tmp_path)
    assert any(problem in told for told in found.problems), found.problems


def test_held_files_have_to_be_held(tmp_path: Path) -> None:
    """A file that was given again has to be there, as held."""
    handed = {"a": Handed([TRUTH]), "b": Handed()}
    handed["b"].others["held"] += 1
    rows = Rows()
    assert compared(rows, tmp_path, handed).problems
    rows.files.append(file_row(2, "b", "held"))
    assert not compared(rows, tmp_path, handed).problems
