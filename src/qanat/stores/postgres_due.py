"""Due items: rows of `qanat_due`, leased by the database's clock and for no longer than their owner lives."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from qanat.clock import Clock
from qanat.records import Item
from qanat.stores.postgres_claims import Claims
from qanat.stores.postgres_connect import Connection, translated
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_pool import Pool

_LEASE_OVER = "its lease ran out unfinished, every time"

# Who lives: the advisory locks that are held in this database. A number of 64 bits is kept there in two halves.
_LIVING = """
    living as materialized (
        select (classid::bigint << 32) | objid::bigint as key
        from pg_locks
        where locktype = 'advisory' and objsubid = 1 and granted
            and database = (select oid from pg_database where datname = current_database())
    )
"""
_LEASED = """
    (d.lease_until > clock_timestamp() and exists (select from living l where l.key = d.lease_key))
"""
_ITEM = "d.id, d.scope, d.payload, d.due_at, d.attempts, d.order_key"


class PostgresDue:
    """A queue of due items. Any thread may use it."""

    def __init__(
        self,
        queue: str,
        pool: Pool,
        claims: Claims,
        locks: LockNames,
        clock: Clock,
        attempts_max: int,
    ) -> None:
        self._queue = queue
        self._pool = pool
        self._claims = claims
        self._lock = locks.queue(queue)
        self._clock = clock
        self._attempts_max = attempts_max

    def claim(self, owner: str, items_max: int, lease_s: float, now: datetime) -> Sequence[Item]:
        life = self._claims.life()
        # In order of id within an order key: only the first of a key is ever free. One claim at a time, so that none
        # judges by what another is changing; a lease may be lost with the server, so its commit doesn't wait for the disk.
        with self._short_transaction("select pg_advisory_xact_lock(%s)", self._lock) as connection:
            self._settle(connection)
            found = connection.execute(
                f"with {_LIVING}, free as ("
                f" select d.queue, d.id from qanat_due d"
                f" where d.queue = %(queue)s and d.aside is null and d.due_at <= %(now)s"
                f" and not {_LEASED}"
                f" and (d.order_key is null or not exists (select from qanat_due e"
                f"  where e.queue = d.queue and e.order_key = d.order_key and e.id <> d.id"
                f"  and e.aside is null and (e.id < d.id or e.lease_until > clock_timestamp()"
                f"   and exists (select from living l where l.key = e.lease_key))))"
                f" order by d.due_at, d.id limit %(items_max)s for update of d skip locked)"
                f" update qanat_due d set attempts = d.attempts + 1, lease_owner = %(owner)s,"
                f" lease_key = %(life)s, lease_until = clock_timestamp() + %(lease)s"
                f" from free where d.queue = free.queue and d.id = free.id returning {_ITEM}".encode(),
                {
                    "queue": self._queue,
                    "now": now,
                    "items_max": items_max,
                    "owner": owner,
                    "life": life,
                    "lease": timedelta(seconds=lease_s),
                },
            ).fetchall()
        return sorted(map(_item, found), key=lambda item: (item.due_at, item.id))

    def extend(self, owner: str, items: Sequence[Item], lease_s: float) -> Sequence[Item]:
        with self._short_transaction() as connection:
            found = connection.execute(
                f"with {_LIVING} update qanat_due d"
                f" set lease_until = clock_timestamp() + %(lease)s"
                f" from unnest(%(ids)s::text[], %(attempts)s::bigint[]) as given(id, attempt)"
                f" where d.queue = %(queue)s and d.id = given.id and d.attempts = given.attempt"
                f" and d.lease_owner = %(owner)s and {_LEASED} returning {_ITEM}".encode(),
                {**self._given(items), "owner": owner, "lease": timedelta(seconds=lease_s)},
            ).fetchall()
        ours = {row[0]: _item(row) for row in found}
        return [ours[item.id] for item in items if item.id in ours]

    def release(self, items: Sequence[Item], delay_s: float, reason: str) -> None:
        due_at = self._clock.now() + timedelta(seconds=delay_s)
        with self._short_transaction() as connection:
            connection.execute(
                "update qanat_due d set due_at = %(due_at)s, lease_owner = null, lease_key = null,"
                " lease_until = null,"
                " aside = case when d.attempts >= %(attempts_max)s then %(reason)s end"
                " from unnest(%(ids)s::text[], %(attempts)s::bigint[]) as given(id, attempt)"
                " where d.queue = %(queue)s and d.id = given.id and d.attempts = given.attempt"
                " and d.lease_until is not null",
                {
                    **self._given(items),
                    "due_at": due_at,
                    "reason": reason,
                    "attempts_max": self._attempts_max,
                },
            )

    def aside(self) -> Sequence[tuple[Item, str]]:
        with self._short_transaction() as connection:
            self._settle(connection)
            found = connection.execute(
                f"select {_ITEM}, d.aside from qanat_due d"
                " where d.queue = %s and d.aside is not null order by d.id".encode(),
                [self._queue],
            ).fetchall()
        return [(_item(row[:-1]), row[-1]) for row in found]

    def drained(self, scope: str) -> bool:
        with self._short_transaction() as connection:
            self._settle(connection)
            found = connection.execute(
                "select from qanat_due where queue = %s and scope = %s and aside is null limit 1",
                [self._queue, scope],
            ).fetchall()
        return not found

    def _settle(self, connection: Connection) -> None:
        """Set aside what was claimed too often and whose lease is over: perhaps it kills whoever works on it."""
        connection.execute(
            f"with {_LIVING}, used_up as (select d.queue, d.id from qanat_due d"
            f" where d.queue = %(queue)s and d.lease_until is not null and d.aside is null"
            f" and d.attempts >= %(attempts_max)s and not {_LEASED} for update of d skip locked)"
            f" update qanat_due d set aside = %(reason)s from used_up"
            f" where d.queue = used_up.queue and d.id = used_up.id".encode(),
            {"queue": self._queue, "reason": _LEASE_OVER, "attempts_max": self._attempts_max},
        )

    def _given(self, items: Sequence[Item]) -> dict[str, Any]:
        return {
            "queue": self._queue,
            "ids": [item.id for item in items],
            "attempts": [item.attempt for item in items],
        }

    @contextmanager
    def _short_transaction(
        self, first: str = "select 1", *parameters: object
    ) -> Iterator[Connection]:
        connection = self._pool.take(first, parameters)
        try:
            with translated(connection):
                connection.execute("set local synchronous_commit = off")
                yield connection
                connection.execute("commit")
        finally:
            self._pool.put_back(connection)


def _item(row: tuple[Any, ...]) -> Item:
    name, scope, payload, due_at, attempts, order_key = row
    return Item(name, scope, bytes(payload), due_at, attempts, order_key)
