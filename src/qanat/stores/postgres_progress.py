"""What a transaction does to Qanat's own tables: progress, ledger, queues. Rows are taken in sorted order throughout."""

from collections.abc import Mapping, Sequence

from qanat.errors import Fenced
from qanat.records import Item, Move, Partition, Progress
from qanat.stores.postgres_connect import Connection


def advance(connection: Connection, stage: str, moves: Mapping[Partition, Move]) -> None:
    """Move progress from the expected versions.

    Raises:
        Fenced: Another version is stored for one of them.
    """
    for partition, move in sorted(moves.items()):
        values = {"stage": stage, "partition": partition, **move._asdict()}
        # Before the first move there is no row. Whoever comes second waits for the first, and then conflicts.
        statement = (
            "insert into qanat_progress (stage, partition, position, version, incarnation)"
            " values (%(stage)s, %(partition)s, %(to)s, 1, %(incarnation)s) on conflict do nothing"
            if move.expected == 0
            else "update qanat_progress set position = %(to)s, version = version + 1,"
            " incarnation = %(incarnation)s where stage = %(stage)s and partition = %(partition)s"
            " and version = %(expected)s"
        )
        if connection.execute(statement, values).rowcount != 1:
            raise Fenced(
                f"{stage}, partition {partition}: it isn't at version {move.expected} any more."
            )


def enter(connection: Connection, item_ids: Sequence[str]) -> frozenset[str]:
    """Enter ids into the ledger; return those that were there."""
    ids = sorted(set(item_ids))
    if not ids:
        return frozenset()
    entered = connection.execute(
        "insert into qanat_ledger (id) select unnest(%s::text[]) on conflict do nothing returning id",
        [ids],
    ).fetchall()
    return frozenset(ids) - {name for (name,) in entered}


def withdraw(connection: Connection, item_ids: Sequence[str]) -> frozenset[str]:
    """Take ids out of the ledger; return those that were there."""
    if not item_ids:
        return frozenset()
    found = connection.execute(
        "with known as materialized (select id from qanat_ledger where id = any(%s)"
        " order by id for update)"
        " delete from qanat_ledger l using known where l.id = known.id returning l.id",
        [sorted(set(item_ids))],
    ).fetchall()
    return frozenset(name for (name,) in found)


def enqueue(connection: Connection, queue: str, items: Sequence[Item]) -> None:
    """Add items whose ids aren't in the queue; of equal ids the first."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.id, item)
    rows = [first[name] for name in sorted(first)]
    if rows:
        connection.execute(
            "insert into qanat_due (queue, id, scope, payload, due_at, order_key)"
            " select %s, * from unnest(%s::text[], %s::text[], %s::bytea[], %s::timestamptz[], %s::text[])"
            " on conflict do nothing",
            [
                queue,
                [item.id for item in rows],
                [item.scope for item in rows],
                [item.payload for item in rows],
                [item.due_at for item in rows],
                [item.order_key for item in rows],
            ],
        )


def finish(connection: Connection, queue: str, item_ids: Sequence[str]) -> None:
    """Remove items from the queue."""
    if item_ids:
        connection.execute(
            "with done as materialized (select queue, id from qanat_due"
            " where queue = %s and id = any(%s) order by id for update)"
            " delete from qanat_due d using done where d.queue = done.queue and d.id = done.id",
            [queue, sorted(set(item_ids))],
        )


def progress(connection: Connection, stage: str) -> dict[Partition, Progress]:
    """Return how far a stage has come, by partition."""
    found = connection.execute(
        "select partition, position, version, incarnation from qanat_progress where stage = %s",
        [stage],
    ).fetchall()
    return {partition: Progress(*rest) for partition, *rest in found}
