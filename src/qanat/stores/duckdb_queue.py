"""Queues of due items in a DuckDB store: items and attempts in a table, leases in memory.

Only one process can have the file open, so a lease needs no row: whatever was leased before the store was opened is free,
because its owner is dead. How often an item was claimed is committed before it is given out, so that one that kills its process
is noticed.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from qanat.interfaces import Scalar, StoreOptions
from qanat.records import Item
from qanat.stores.duckdb_database import Database
from qanat.stores.duckdb_writing import Writing

_LEASE_OVER = "its lease ran out unfinished, every time"

_COLUMNS = "id, scope, payload, epoch_us(due_at) as due_us, attempt, order_key, aside"

_FREE = f"""
    -- items that may be given out, the oldest first; of those with one order key only the first by id
    select {_COLUMNS}
    from qanat_queue
    left join (
        select order_key, min(id) as first_id
        from qanat_queue
        where queue = $queue and aside is null and order_key is not null
        group by order_key
    ) using (order_key)
    where queue = $queue and aside is null and due_at <= $now
        and id not in (select unnest($leased))
        and (order_key is null or id = first_id)
    order by due_at, id
    limit $items_max
"""
_ASIDE = f"""
    -- items that were set aside
    select {_COLUMNS}
    from qanat_queue
    where queue = $queue and aside is not null
    order by due_at, id
"""
_OPEN = """
    -- one row if anything of the scope is still to be done
    select 1
    from qanat_queue
    where queue = $queue and scope = $scope and aside is null
    limit 1
"""
_CLAIMED = """
    update qanat_queue
    set attempt = attempt + 1
    where queue = $queue and id in (select unnest($ids))
"""
_SET_ASIDE = """
    update qanat_queue
    set aside = $reason
    where queue = $queue and id in (select unnest($ids)) and attempt >= $attempts_max and aside is null
"""
_DELAYED = """
    update qanat_queue
    set due_at = $due_at
    where queue = $queue and id in (select unnest($ids))
"""
_ENQUEUE = """
    insert into qanat_queue
    select $queue, id, scope, payload, due_at, order_key, 0, null
    from {source}
    order by id
    on conflict do nothing
"""
_ROW = pa.schema(
    {
        "id": pa.string(),
        "scope": pa.string(),
        "payload": pa.binary(),
        "due_at": pa.timestamp("us", tz="UTC"),
        "order_key": pa.string(),
    }
)
_FINISH = "delete from qanat_queue where queue = $queue and id in (select unnest($ids))"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has an item, as which attempt, until when."""

    owner: str
    attempt: int
    until: datetime


class Leases:
    """All leases of a store by (queue, id), and the lock under which queues are changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.held: dict[tuple[str, str], Lease] = {}

    def forget(self, queue: str, ids: Iterable[str]) -> None:
        """End the leases of items that were finished."""
        with self.lock:
            for item_id in ids:
                self.held.pop((queue, item_id), None)


class DuckdbQueue:
    """A `WorkSource`; see there."""

    def __init__(
        self, database: Database, leases: Leases, options: StoreOptions, name: str
    ) -> None:
        self._database = database
        self._leases = leases
        self._clock = options.clock
        self._attempts_max = options.attempts_max
        self._name = name

    def claim(self, owner: str, items_max: int, lease_s: float, now: datetime) -> Sequence[Item]:
        with self._leases.lock:
            self._settle()
            leased = [item_id for queue, item_id in self._leases.held if queue == self._name]
            asked: dict[str, Scalar | Sequence[str]] = {
                "now": now,
                "leased": leased,
                "items_max": items_max,
            }
            found = [item for item, _ in self._items(_FREE, asked)]
            if not found:
                return []
            self._change(_CLAIMED, {"ids": [item.id for item in found]})
            until = self._clock.now() + timedelta(seconds=lease_s)
            for item in found:
                self._leases.held[self._name, item.id] = Lease(owner, item.attempt + 1, until)
            return [_next_attempt(item) for item in found]

    def extend(self, owner: str, items: Sequence[Item], lease_s: float) -> Sequence[Item]:
        with self._leases.lock:
            now = self._clock.now()
            until = now + timedelta(seconds=lease_s)
            ours = []
            for item in items:
                lease = self._lease(item)
                if lease is not None and lease.owner == owner and lease.until > now:
                    self._leases.held[self._name, item.id] = Lease(owner, item.attempt, until)
                    ours.append(item)
            return ours

    def release(self, items: Sequence[Item], delay_s: float, reason: str) -> None:
        with self._leases.lock:
            now = self._clock.now()
            ids = []
            for item in items:
                lease = self._lease(item)
                if lease is not None and lease.until > now:
                    ids.append(item.id)
            if not ids:
                return
            self._change(_DELAYED, {"ids": ids, "due_at": now + timedelta(seconds=delay_s)})
            self._set_aside(ids, reason)
            self._leases.forget(self._name, ids)

    def aside(self) -> Sequence[tuple[Item, str]]:
        with self._leases.lock:
            self._settle()
            return self._items(_ASIDE, {})

    def drained(self, scope: str) -> bool:
        with self._leases.lock:
            self._settle()
            return not self._database.ask(_OPEN, {"queue": self._name, "scope": scope})

    def _lease(self, item: Item) -> Lease | None:
        """Return the lease that the very claim of `item` gave."""
        lease = self._leases.held.get((self._name, item.id))
        return lease if lease is not None and lease.attempt == item.attempt else None

    def _settle(self) -> None:
        """End the leases that are over; set aside what was claimed too often."""
        now = self._clock.now()
        over = [
            item_id
            for (queue, item_id), lease in self._leases.held.items()
            if queue == self._name and lease.until <= now
        ]
        if over:
            self._set_aside(over, _LEASE_OVER)
            self._leases.forget(self._name, over)

    def _set_aside(self, ids: Sequence[str], reason: str) -> None:
        if any(self._leases.held[self._name, one].attempt >= self._attempts_max for one in ids):
            limits: dict[str, Scalar] = {"reason": reason, "attempts_max": self._attempts_max}
            self._change(_SET_ASIDE, {"ids": ids, **limits})

    def _change(self, sql: str, parameters: Mapping[str, Scalar | Sequence[str]]) -> None:
        def work(connection: duckdb.DuckDBPyConnection) -> None:
            connection.execute(sql, {"queue": self._name, **parameters})

        self._database.run(work)

    def _items(
        self, sql: str, parameters: Mapping[str, Scalar | Sequence[str]]
    ) -> list[tuple[Item, str]]:
        found = self._database.ask(sql, {"queue": self._name, **parameters})
        return [(_item(row), str(row[-1])) for row in found]


def set_aside_killers(database: Database, attempts_max: int) -> None:
    """Set aside what had its last claim when the former process died."""

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "update qanat_queue set aside = $reason where attempt >= $attempts_max and aside is null",
            {"reason": _LEASE_OVER, "attempts_max": attempts_max},
        )

    killers = "select 1 from qanat_queue where attempt >= $attempts_max and aside is null limit 1"
    if database.ask(killers, {"attempts_max": attempts_max}):
        database.run(work)


def enqueue(writing: Writing, queue: str, items: Sequence[Item]) -> None:
    """Add items whose ids aren't there yet, as never claimed."""
    first = {item.id: item for item in reversed(items)}
    columns = zip(*(_row(item) for item in first.values()), strict=True)
    if first:
        with writing.rows(pa.Table.from_arrays([*map(pa.array, columns, _ROW.types)], schema=_ROW)):
            writing.run(_ENQUEUE.format(source=writing.source), {"queue": queue})


def finish(writing: Writing, queue: str, item_ids: Sequence[str]) -> None:
    """Remove items, as done."""
    writing.run(_FINISH, {"queue": queue, "ids": list(item_ids)})


def _row(item: Item) -> tuple[object, ...]:
    return item.id, item.scope, item.payload, item.due_at, item.order_key


def _item(row: tuple[object, ...]) -> Item:
    item_id, scope, payload, due_us, attempt, order_key, _ = row
    due_at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(str(due_us)))
    key = None if order_key is None else str(order_key)
    content = payload if isinstance(payload, bytes) else b""
    return Item(str(item_id), str(scope), content, due_at, int(str(attempt)), key)


def _next_attempt(item: Item) -> Item:
    return replace(item, attempt=item.attempt + 1)
