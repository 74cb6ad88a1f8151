"""Qanat's own tables in a DuckDB store, and the steps that bring an older store up to date."""

from collections.abc import Sequence
from uuid import uuid4

import duckdb

from qanat.errors import Fatal
from qanat.interfaces import Change

# A step takes a store from its place in this list to the next version. Steps are never changed, only added.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        -- how far a stage has come in one partition; a version is never given twice
        create table qanat_progress (
            stage text,
            part text,
            position text,
            version bigint not null,
            incarnation text,
            primary key (stage, part)
        )
        """,
        # Ids arrive a few at a time, so that an index is cheap: entering 3 ids takes 1.5 ms beside 300,000 as beside none.
        "create table qanat_ledger (id text primary key)",
        """
        -- the latest commits, to look up one whose reply was lost
        create table qanat_commits (number bigint not null, stage text not null, id uuid not null)
        """,
        """
        -- items of the queues; leases are kept in memory, because only one process can have this file open
        create table qanat_queue (
            queue text,
            id text,
            scope text not null,
            payload blob not null,
            due_at timestamptz not null,
            order_key text,
            attempt bigint not null,
            aside text,
            primary key (queue, id)
        )
        """,
        """
        -- which parts are staged; their rows are in a table of the attempt
        create table qanat_staged (
            attempt uuid,
            shape text,
            part bigint,
            row_count bigint not null,
            primary key (attempt, shape, part)
        )
        """,
    ),
)

_META = "create table if not exists qanat_meta (key text primary key, value text not null)"


class Meta:
    """What a store says of itself."""

    def __init__(self, identity: str | None, version: int) -> None:
        self.identity = identity
        self.version = version

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> "Meta":
        """Read it; version 0 and no identity where there is nothing yet."""
        try:
            found = dict(connection.execute("select key, value from qanat_meta").fetchall())
        except duckdb.CatalogException:
            return cls(None, 0)
        return cls(found.get("identity"), int(found.get("schema_version", 0)))


def check_version(version: int, known: int = len(STEPS)) -> None:
    """Refuse a store that a newer Qanat made.

    Raises:
        Fatal: It has a schema version that this Qanat doesn't know.
    """
    if version > known:
        raise Fatal(
            f"a newer Qanat made the store: it has schema version {version},"
            f" and this one knows {known}",
            hint="Install that Qanat or a later one: pip install -U qanat",
        )


def upgrade(
    connection: duckdb.DuckDBPyConnection,
    identity: str,
    steps: Sequence[Sequence[str]] = STEPS,
) -> list[Change]:
    """Make or upgrade Qanat's own tables, inside the caller's transaction.

    Args:
        connection: In a transaction that writes.
        identity: For a store that has none yet.
        steps: As in `STEPS`.

    Raises:
        Fatal: A newer Qanat made the store.
    """
    meta = Meta.read(connection)
    check_version(meta.version, len(steps))
    if meta.version == len(steps) and meta.identity is not None:
        return []
    connection.execute(_META)
    for step in steps[meta.version :]:
        for statement in step:
            connection.execute(statement)
    put = "insert into qanat_meta values ($key, $value) on conflict (key) do update set value = $value"
    connection.execute(put, {"key": "schema_version", "value": str(len(steps))})
    connection.execute(put, {"key": "identity", "value": meta.identity or identity})
    action = f"upgraded from version {meta.version} to {len(steps)}" if meta.version else "created"
    return [Change("qanat_meta", action)]


def new_identity() -> str:
    """Return a UUID for a store that is being made."""
    return str(uuid4())
