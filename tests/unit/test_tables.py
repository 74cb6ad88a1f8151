"""Declared tables and write modes."""

import pytest

from qanat.tables import (
    DEAD_LETTERS,
    Add,
    Append,
    Column,
    ColumnType,
    InsertNew,
    Latest,
    Replace,
    Table,
    Upsert,
    WriteMode,
)

TOTALS = Table(
    "totals",
    (Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128)),
    key=("consumer",),
)


def test_names() -> None:
    """A table's columns keep the order in which they were declared."""
    assert ("consumer", "amount") == TOTALS.names


def test_column() -> None:
    """A column is found by its name."""
    assert Column("amount", ColumnType.INT128) == TOTALS.column("amount")


def test_unknown_column() -> None:
    """A column that isn't there is named, with those that are."""
    with pytest.raises(KeyError, match="totals has no column 'total'; it has consumer, amount"):
        TOTALS.column("total")


@pytest.mark.parametrize(
    "mode",
    [
        Append(),
        Upsert(("a",)),
        Add(("a",), ("b",)),
        InsertNew(("a",)),
        Latest(("a",), "b"),
        Replace({"a": 1}),
    ],
    ids=lambda mode: type(mode).__name__,
)
def test_modes_compare_by_value(mode: WriteMode) -> None:
    """A mode equals another one declared alike: a plan can be compared with a stored one."""
    assert mode == type(mode)(**{name: getattr(mode, name) for name in type(mode).__slots__})


def test_optional_parts_of_modes() -> None:
    """Dropping, deletion marks and conditions are asked for, never assumed."""
    assert Add(("a",), ("b",)).drop_when_zero is None
    assert Latest(("a",), "b").deleted is None
    assert {} == dict(Replace().where)


def test_types_are_their_names() -> None:
    """A type is written as users write it."""
    assert ["int64", "int128", "float64", "text", "bytes", "boolean", "timestamp"] == list(
        ColumnType
    )
    assert ColumnType("int128") is ColumnType.INT128


def test_dead_letters_hold_what_a_replay_needs() -> None:
    """A rejected record keeps its bytes, its place, its reason, and an id that stays the same."""
    assert {"id", "origin", "line", "byte_offset", "reason", "length", "raw", "state"} <= set(
        DEAD_LETTERS.names
    )
    assert ColumnType.BYTES is DEAD_LETTERS.column("raw").type
