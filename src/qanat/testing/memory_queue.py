"""A queue of due items in memory: a `WorkSource`."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from qanat.clock import Clock
from qanat.records import Item

_LEASE_OVER = "its lease ran out unfinished, every time"


@dataclass(slots=True)
class _Entry:
    """One item and who has it. `until` is the end of its lease; `aside` the reason why it is no
    more given out.
    """

    item: Item
    owner: str = ""
    until: datetime | None = None
    aside: str | None = None


class MemoryQueue:
    """Items by id, leases by the clock. Any thread may use it."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.RLock()

    def add(self, items: Iterable[Item]) -> None:
        """Add items whose ids aren't there yet, as never claimed."""
        with self._lock:
            for item in items:
                self._entries.setdefault(item.id, _Entry(replace(item, attempt=0)))

    def remove(self, item_ids: Iterable[str]) -> None:
        """Remove the items that are there."""
        with self._lock:
            for item_id in item_ids:
                self._entries.pop(item_id, None)

    def view(self, clock: Clock, attempts_max: int) -> "MemoryWork":
        """Return the queue as a `WorkSource` that judges leases by `clock`."""
        return MemoryWork(self, clock, attempts_max)


class MemoryWork:
    """A queue as one handle sees it: with that handle's clock and limit."""

    def __init__(self, queue: MemoryQueue, clock: Clock, attempts_max: int) -> None:
        self._entries, self._lock = queue._entries, queue._lock
        self._clock = clock
        self._attempts_max = attempts_max

    def claim(self, owner: str, items_max: int, lease_s: float, now: datetime) -> Sequence[Item]:
        with self._lock:
            self._settle()
            ready = [entry for entry in self._entries.values() if self._free(entry, now)]
            ready.sort(key=lambda entry: (entry.item.due_at, entry.item.id))
            for entry in ready[:items_max]:
                entry.item = replace(entry.item, attempt=entry.item.attempt + 1)
                entry.owner = owner
                entry.until = self._clock.now() + timedelta(seconds=lease_s)
            return [entry.item for entry in ready[:items_max]]

    def extend(self, owner: str, items: Sequence[Item], lease_s: float) -> Sequence[Item]:
        with self._lock:
            self._settle()
            ours = [entry for entry in self._held(items) if entry.owner == owner]
            for entry in ours:
                entry.until = self._clock.now() + timedelta(seconds=lease_s)
            return [entry.item for entry in ours]

    def release(self, items: Sequence[Item], delay_s: float, reason: str) -> None:
        with self._lock:
            for entry in self._held(items):
                due_at = self._clock.now() + timedelta(seconds=delay_s)
                entry.item = replace(entry.item, due_at=due_at)
                entry.until = None
                if entry.item.attempt >= self._attempts_max:
                    entry.aside = reason

    def aside(self) -> Sequence[tuple[Item, str]]:
        with self._lock:
            self._settle()
            return [
                (entry.item, entry.aside)
                for entry in self._entries.values()
                if entry.aside is not None
            ]

    def drained(self, scope: str) -> bool:
        with self._lock:
            self._settle()
            return not any(
                entry.item.scope == scope and entry.aside is None
                for entry in self._entries.values()
            )

    def _settle(self) -> None:
        """End the leases that are over; set aside what was claimed too often."""
        now = self._clock.now()
        for entry in self._entries.values():
            if entry.until is not None and entry.until <= now:
                entry.until = None
                if entry.item.attempt >= self._attempts_max:
                    entry.aside = _LEASE_OVER

    def _held(self, items: Sequence[Item]) -> list[_Entry]:
        """Return the entries of `items` that are leased still by the very claim that gave them."""
        found = (self._entries.get(item.id) for item in items)
        return [
            entry
            for entry, item in zip(found, items, strict=True)
            if entry is not None and entry.until is not None and entry.item.attempt == item.attempt
        ]

    def _free(self, entry: _Entry, now: datetime) -> bool:
        item = entry.item
        if entry.aside is not None or entry.until is not None or item.due_at > now:
            return False
        return item.order_key is None or not any(
            other.item.order_key == item.order_key
            and other.item.id < item.id
            and other.aside is None
            for other in self._entries.values()
        )
