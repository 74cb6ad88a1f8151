"""The comparison of a stream's tables: what is there twice, too much, too little, and otherwise."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from qanat.prove.streams.compare import Differences, compare, compare_letters, equal_rows
from qanat.prove.streams.truth import Row
from qanat.tables import Add, Append, Column, ColumnType, InsertNew, Table, WriteMode

SUMS = Table(
    "sums",
    (
        Column("key", ColumnType.TEXT),
        Column("name", ColumnType.TEXT),
        Column("count", ColumnType.INT64),
        Column("amount", ColumnType.INT128),
        Column("received_at", ColumnType.TIMESTAMP),
    ),
    key=("key",),
)
ADD = Add(("key",), ("count", "amount"))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(key: str = "a", name: str = "n", count: int = 2, amount: int = 10) -> Row:
    """Return a row, received at a time of its own."""
    at = AT + timedelta(seconds=row.calls)  # type: ignore[attr-defined]
    row.calls += 1  # type: ignore[attr-defined]
    return {"key": key, "name": name, "count": count, "amount": amount, "received_at": at}


row.calls = 0  # type: ignore[attr-defined]


def compared(expected: list[Row], found: list[Row], mode: WriteMode = ADD) -> Differences:
    """Compare, without the time of receipt."""
    return compare(SUMS, mode, expected, found, frozenset({"received_at"}))


def test_same() -> None:
    """Only times of receipt differ; an amount may come as a decimal."""
    decimal = {**row(), "amount": Decimal(10)}
    done = compared([row(), row("b", count=3)], [row("b", count=3), decimal])
    assert done.exact
    assert (5, 5) == (done.read, done.written)


@pytest.mark.parametrize(
    ("found", "mode", "duplicated", "lost"),
    [
        ([row(count=5)], ADD, 3, 0),
        ([row(count=1)], ADD, 0, 1),
        ([], ADD, 0, 2),
        ([row(), row("b", count=4)], ADD, 4, 0),
        ([row(), row()], ADD, 2, 0),
        ([row("b")], InsertNew(("key",)), 1, 1),
        ([row(), row()], InsertNew(("key",)), 1, 0),
        ([row(name="m")], InsertNew(("key",)), 0, 0),
        ([row(amount=11)], ADD, 0, 0),
        ([row(name="m")], Append(), 1, 1),
    ],
)
def test_different(found: list[Row], mode: WriteMode, duplicated: int, lost: int) -> None:
    """Each difference is told, and counted as records where it is one of those."""
    done = compared([row()], found, mode)
    assert (duplicated, lost) == (done.duplicated, done.lost)
    assert done.problems


def test_letters() -> None:
    """A strange one and a missing one don't make up for each other; of those that came again some are spared."""
    wanted = Counter({b"x": 2, b"y": 1})
    assert compare_letters(wanted, Counter(wanted), 0, "letters").exact
    done = compare_letters(wanted, Counter({b"x": 2, b"z": 1}), 5, "letters")
    assert (1, 1) == (done.duplicated, done.lost)
    assert compare_letters(wanted, Counter({b"x": 3, b"y": 1}), 1, "letters").exact
    assert 1 == compare_letters(wanted, Counter({b"x": 4, b"y": 1}), 1, "letters").duplicated


def test_rows_of_reports() -> None:
    """Moments are the same in any zone, sums of floats nearly, and the order counts."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=3)))
    one: Row = {"at": AT, "x": 0.1 + 0.2}
    other: Row = {"at": elsewhere, "x": 0.3}
    assert equal_rows([one], [other])
    assert not equal_rows([one, {"at": AT, "x": 1.0}], [{"at": AT, "x": 1.0}, one])
    assert not equal_rows([one], [one, one])
