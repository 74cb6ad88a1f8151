"""What moves through a pipeline is immutable and compares by value."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from uuid import UUID

import pyarrow as pa
import pytest

from qanat.records import Batch, Item, Move, Progress, Staged

MOMENT = datetime(2026, 3, 17, tzinfo=UTC)
ITEM = Item("id", "scope", b"{}", MOMENT)


def test_items_compare_by_value() -> None:
    """Two items are one when all their fields are."""
    assert Item("id", "scope", b"{}", MOMENT) == ITEM
    assert replace(ITEM, attempt=1) != ITEM
    assert len({ITEM, Item("id", "scope", b"{}", MOMENT)}) == 1


def test_new_item() -> None:
    """An item begins unclaimed and in no order with others."""
    assert (0, None) == (ITEM.attempt, ITEM.order_key)


def test_items_are_immutable() -> None:
    """Nobody changes an item that somebody else holds."""
    with pytest.raises(FrozenInstanceError):
        ITEM.attempt = 5  # type: ignore[misc]  # that is what is refused


def test_batches_are_immutable() -> None:
    """A batch stays what was read, also when it is done again."""
    batch = Batch(pa.table({"number": [1]}), {"0": "1"}, MOMENT)
    with pytest.raises(FrozenInstanceError):
        batch.judged_at = MOMENT  # type: ignore[misc]  # that is what is refused


def test_tuples_keep_their_order() -> None:
    """Progress, moves and staged parts are read by position in more than one place."""
    attempt = UUID(int=7)
    assert ("10", 3, "life") == Progress("10", 3, "life")
    assert (3, "life", "20") == Move(3, "life", "20")
    assert ("totals", attempt, 0, 5) == Staged("totals", attempt, 0, 5)
