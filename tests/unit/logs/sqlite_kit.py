"""What the tests of the embedded log share: a topic, short ways to publish and read, child processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.clock import Clock, SystemClock
from qanat.interfaces import LogOptions
from qanat.logs.sqlite import SqliteLog, open_log
from qanat.records import Move
from qanat.tables import Column, ColumnType, Topic

EVENTS = Topic(
    "events", (Column("id", ColumnType.INT64), Column("body", ColumnType.BYTES, nullable=True))
)
STAGE = "stage"


@contextmanager
def opened(
    data_dir: Path, clock: Clock | None = None, *, read_only: bool = False
) -> Iterator[SqliteLog]:
    """Open the log of a folder, with its topic."""
    log = open_log("sqlite:", "kit", LogOptions(data_dir, clock or SystemClock(), read_only))
    try:
        if not read_only:
            log.create([EVENTS])
        yield log
    finally:
        log.close()


def publish(log: SqliteLog, *ids: int, body: bytes | None = None, move: Move | None = None) -> None:
    """Commit records, and a move of partition 0."""
    rows = {"id": list(ids), "body": pa.array([body] * len(ids), pa.binary())}
    with log.begin(STAGE, uuid4()) as transaction:
        if move is not None:
            transaction.advance(STAGE, {"0": move})
        transaction.publish(EVENTS, pa.table(rows))
        transaction.commit()


def ids_of(log: SqliteLog, group: str = "test") -> list[int]:
    """Read all there is."""
    source = log.source(EVENTS, group)
    source.open({"0": None})
    found: list[int] = []
    while (batch := source.poll(10_000, 0.0)) is not None:
        found += batch.rows.column("id").to_pylist()
    source.close()
    return found


def child_environment() -> dict[str, str]:
    """Return an environment in which a program of the tests finds what it imports from here."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}


@contextmanager
def child(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a test module as a program; it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, module, *map(str, arguments)],
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    """Wait for a line of a child."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.endswith("\n"), "the child ended"
    return line.strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let a child that waits for a line go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
