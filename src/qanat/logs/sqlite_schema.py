"""The tables of a log file, and how the file is made."""

import sqlite3
from pathlib import Path
from typing import Final
from uuid import uuid4

from qanat.errors import Fatal
from qanat.logs.sqlite_errors import not_a_log

SCHEMA_VERSION: Final = 1
"""Kept as SQLite's user_version; a file with a greater one was made by a newer Qanat."""

# Kept as SQLite's application_id, so that `file` and we tell a log from other databases: "Qlog".
APPLICATION_ID: Final = 0x516C6F67

# Measured with batches of 6 MB as stored: 180 MB/s with pages of 4 KiB, 420 with 16, 470 with 32; and each commit writes six
# pages at least, so that small ones become slower beyond 16 (0.30 ms; 0.41 with 64).
PAGE_BYTES: Final = 16 << 10

# What a commit may leave for the next one that copies the write-ahead log into the file.
CHECKPOINT_PAGES: Final = (16 << 20) // PAGE_BYTES
WAL_BYTES_MAX: Final = 64 << 20

_TABLES: Final = """
-- One row: the log itself.
create table log (identity text not null, made_at_us integer not null);
-- One row per topic. An id is never reused.
create table topics (
    id integer primary key autoincrement,
    name text not null unique,
    incarnation text not null,
    columns text not null
);
-- One row per partition: the offsets it holds, from start to before next; stored bytes; when the last record came.
create table partitions (
    id integer primary key autoincrement,
    topic_id integer not null,
    number integer not null,
    start integer not null default 0,
    next integer not null default 0,
    bytes integer not null default 0,
    last_at_us integer not null default 0,
    unique (topic_id, number)
);
-- One row per published batch and partition: the offsets from first to before next, as a compressed Arrow stream.
create table batches (
    id integer primary key autoincrement,
    partition_id integer not null,
    first integer not null,
    next integer not null,
    at_us integer not null,
    bytes integer not null,
    content blob not null
);
-- Whatever retention and readers ask, without touching a content.
create unique index batches_by_offset on batches (partition_id, first, next, at_us, bytes);
-- One row per stage that writes here, and partition of what it reads.
create table progress (
    stage text not null,
    partition text not null,
    position text not null,
    version integer not null,
    incarnation text not null,
    primary key (stage, partition)
) without rowid;
-- One row per commit, the latest ones.
create table commits (id integer primary key autoincrement, stage text not null, commit_id blob not null);
-- One row per partition and group of readers: the offset up to which it needs nothing any more.
create table readers (
    partition_id integer not null,
    reader text not null,
    acknowledged integer not null,
    primary key (partition_id, reader)
) without rowid;
"""


def is_made(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether the file is a log already; false for an empty one.

    Raises:
        ConfigError: It is a database of something else.
        Fatal: A newer Qanat made it.
    """
    (application,) = connection.execute("pragma application_id").fetchone()
    (version,) = connection.execute("pragma user_version").fetchone()
    (objects,) = connection.execute("select count(*) from sqlite_schema").fetchone()
    if application != APPLICATION_ID:
        if application or version or objects:
            raise not_a_log(path)
        return False
    if version > SCHEMA_VERSION:
        raise Fatal(
            f"a newer Qanat made {path}: it has schema version {version}, and this one knows {SCHEMA_VERSION}",
            hint="Install that Qanat or a later one.",
        )
    return True


def make(connection: sqlite3.Connection, now_us: int) -> None:
    """Make the tables in an empty file. Who calls keeps others from doing the same."""
    for pragma in (f"page_size = {PAGE_BYTES}", "auto_vacuum = incremental", "journal_mode = wal"):
        connection.execute(f"pragma {pragma}").fetchall()
    connection.execute("begin immediate")
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute("insert into log values (?, ?)", (str(uuid4()), now_us))
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
    connection.execute("commit")


def prepare(connection: sqlite3.Connection) -> None:
    """Set what holds for one connection alone."""
    for pragma in (
        "synchronous = full",
        "secure_delete = off",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"journal_size_limit = {WAL_BYTES_MAX}",
    ):
        connection.execute(f"pragma {pragma}").fetchall()
