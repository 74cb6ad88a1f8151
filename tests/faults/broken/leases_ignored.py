"""Every thread gets every item: a lease ends as soon as it is given."""

from collections.abc import Sequence
from datetime import datetime

from qanat.records import Item
from qanat.stores.duckdb_queue import DuckdbQueue
from tests.faults.broken.breaking import replaced

_claim = DuckdbQueue.claim


def claim(
    self: DuckdbQueue, owner: str, items_max: int, lease_s: float, now: datetime
) -> Sequence[Item]:
    """Claim, and give back at once, to the front."""
    items = _claim(self, owner, items_max, lease_s, now)
    self.release(items, -3600.0, "")
    return items


def break_it() -> None:
    """Break this process."""
    replaced(DuckdbQueue, "claim", claim)
