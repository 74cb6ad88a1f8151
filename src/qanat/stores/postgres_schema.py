"""Qanat's own tables in PostgreSQL, and how they grow from version to version."""

from uuid import uuid4

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Change
from qanat.stores.postgres_connect import Connection
from qanat.stores.postgres_locks import LockNames
from qanat.stores.postgres_types import quoted

_NAME_BYTES_MAX = 63  # PostgreSQL cuts off longer identifiers, and two might become one

# Each step brings the tables to the version of its place, from 1. A step that was released is never changed: another follows.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        create table qanat_progress (
            stage text collate "C" not null,
            partition text collate "C" not null,
            position text,
            version bigint not null,
            incarnation text,
            primary key (stage, partition)
        ) with (fillfactor = 50)
        """,
        'create table qanat_ledger (id text collate "C" primary key)',
        """
        create table qanat_commits (
            commit_id uuid primary key,
            stage text not null,
            committed_at timestamptz not null default now()
        )
        """,
        "create index on qanat_commits (committed_at)",
        # A lease holds while `lease_until` hasn't passed and somebody holds the advisory lock `lease_key`.
        """
        create table qanat_due (
            queue text collate "C" not null,
            id text collate "C" not null,
            scope text collate "C" not null,
            payload bytea not null,
            due_at timestamptz not null,
            order_key text collate "C",
            attempts bigint not null default 0,
            lease_owner text,
            lease_key bigint,
            lease_until timestamptz,
            aside text,
            primary key (queue, id)
        ) with (fillfactor = 70)
        """,
        "create index on qanat_due (queue, due_at, id) where aside is null",
        "create index on qanat_due (queue, scope) where aside is null",
        "create index on qanat_due (queue, order_key, id) where order_key is not null",
        "create index on qanat_due (queue) where lease_until is not null",
        # `packed`: a relation of arrays, see postgres_packed. `magnitude`: no sum in it is greater.
        """
        create table qanat_staged (
            attempt uuid not null,
            shape text collate "C" not null,
            part bigint not null,
            number bigint generated always as identity,
            columns text[] not null,
            rows bigint not null,
            packed boolean not null,
            magnitude numeric not null,
            primary key (attempt, shape, part)
        )
        """,
    ),
)
VERSION = len(_STEPS)
"""The version of Qanat's own tables that this code works with; `qanat_meta` holds the one that is there."""


def check_schema(pipeline: str) -> str:
    """Return the name of the schema for `pipeline`.

    Raises:
        ConfigError: It can't be one.
    """
    if not pipeline or "\0" in pipeline or len(pipeline.encode()) > _NAME_BYTES_MAX:
        raise ConfigError("the pipeline's name", pipeline, f"1 to {_NAME_BYTES_MAX} bytes long")
    if pipeline.startswith("pg_"):
        raise ConfigError("the pipeline's name", pipeline, "one that doesn't begin with pg_")
    return pipeline


def stored_version(connection: Connection) -> int:
    """Return the version of Qanat's tables in the connection's schema; 0 when there are none.

    Raises:
        Fatal: A newer Qanat made them.
    """
    there = connection.execute("select to_regclass('qanat_meta') is not null").fetchone()
    if not there or not there[0]:
        return 0
    row = connection.execute(
        "select value from qanat_meta where name = 'schema_version'"
    ).fetchone()
    version = int(row[0]) if row else 0
    if version > VERSION:
        raise Fatal(
            f"the database was made by a newer Qanat: its tables have version {version}, "
            f"this one knows up to {VERSION}.",
            hint="Install that version of Qanat, or a later one.",
        )
    return version


def upgrade(connection: Connection, schema: str) -> list[Change]:
    """Bring Qanat's own tables to VERSION; several processes may try at once."""
    if stored_version(connection) == VERSION:
        return []
    changes: list[Change] = []
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [LockNames(schema).migration()])
        if not connection.execute(
            "select from pg_namespace where nspname = %s", [schema]
        ).fetchall():
            connection.execute(f"create schema {quoted(schema)}".encode())
        version = stored_version(connection)
        if version == 0:
            _begin(connection)
        for number, statements in enumerate(_STEPS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement.encode())
            changes.append(Change("qanat", f"upgraded Qanat's own tables to version {number}"))
        connection.execute(
            "update qanat_meta set value = %s where name = 'schema_version'", [str(VERSION)]
        )
    return changes


def _begin(connection: Connection) -> None:
    connection.execute("create table qanat_meta (name text primary key, value text not null)")
    connection.execute(
        "insert into qanat_meta values ('schema_version', '0'), ('identity', %s)", [str(uuid4())]
    )


def identity(connection: Connection) -> str:
    """Return the UUID that was made with the tables.

    Raises:
        ConfigError: There are none.
    """
    if stored_version(connection):
        row = connection.execute("select value from qanat_meta where name = 'identity'").fetchone()
        if row:
            return str(row[0])
    raise ConfigError(
        "the store", "a database without this pipeline", "one in which the pipeline has run",
        hint="Run the pipeline once, or look whether the URL names the right database.",
    )  # fmt: skip
