"""Topics in a log file: making them, finding them, what they hold."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import uuid4

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Change, Span
from qanat.tables import Topic
from qanat.topics import check_names


class Kept(NamedTuple):
    """A topic as the file has it.

    Attributes:
        incarnation: Its own, without the log's.
    """

    id: int
    incarnation: str


class KeptPartition(NamedTuple):
    """A partition as the file has it: offsets from `start` to before `next`."""

    id: int
    number: int
    start: int
    next: int
    bytes: int

    @property
    def name(self) -> str:
        """What readers call it."""
        return str(self.number)

    @property
    def span(self) -> Span:
        """What it holds."""
        return Span(self.start, self.next)


def create(connection: sqlite3.Connection, topics: Sequence[Topic]) -> list[Change]:
    """Make the topics that aren't there, and the partitions that they lack.

    Raises:
        Fatal: A topic is there with other columns or more partitions.
    """
    changes: list[Change] = []
    for topic in topics:
        check_names(topic)
        changes += _create(connection, topic)
    return changes


def _create(connection: sqlite3.Connection, topic: Topic) -> Iterator[Change]:
    columns = _columns(topic)
    found = connection.execute(
        "select id, columns from topics where name = ?", (topic.name,)
    ).fetchone()
    if found is None:
        topic_id = connection.execute(
            "insert into topics (name, incarnation, columns) values (?, ?, ?)",
            (topic.name, uuid4().hex, columns),
        ).lastrowid
        _add(connection, topic_id or 0, range(topic.partitions))
        yield Change(topic.name, f"created with partitions: {topic.partitions}")
        return
    topic_id, kept = found
    if kept != columns:
        raise Fatal(
            f"the topic {topic.name} has the columns {_in_words(kept)} in the log, "
            f"and is declared with {_in_words(columns)}",
            hint="Give the new one another name, or move the log away and begin anew.",
        )
    count = len(partitions(connection, topic_id))
    if count > topic.partitions:
        raise Fatal(
            f"the topic {topic.name} has {count} partitions, and is declared with {topic.partitions}",
            hint="Partitions can be added, not taken away: their records would be lost.",
        )
    if count < topic.partitions:
        _add(connection, topic_id, range(count, topic.partitions))
        yield Change(topic.name, f"added partitions {count} to {topic.partitions - 1}")


def _add(connection: sqlite3.Connection, topic_id: int, numbers: range) -> None:
    connection.executemany(
        "insert into partitions (topic_id, number) values (?, ?)",
        [(topic_id, number) for number in numbers],
    )


def _columns(topic: Topic) -> str:
    return json.dumps([[column.name, column.type, column.nullable] for column in topic.columns])


def _in_words(columns: str) -> str:
    return ", ".join(
        f"{name} {kind}{' or null' if nullable else ''}"
        for name, kind, nullable in json.loads(columns)
    )


def identity(connection: sqlite3.Connection) -> str:
    """Return the log's own name."""
    return str(connection.execute("select identity from log").fetchone()[0])


def find(connection: sqlite3.Connection, name: str) -> Kept | None:
    """Return the topic with that name, if there is one."""
    found = connection.execute(
        "select id, incarnation from topics where name = ?", (name,)
    ).fetchone()
    return None if found is None else Kept(*found)


def get(connection: sqlite3.Connection, name: str) -> Kept:
    """Return the topic with that name.

    Raises:
        ConfigError: There is none.
    """
    found = find(connection, name)
    if found is None:
        names = [row[0] for row in connection.execute("select name from topics order by name")]
        valid = f"one of {', '.join(names)}" if names else "one that create() was called with"
        raise ConfigError("a topic", name, valid)
    return found


def partitions(connection: sqlite3.Connection, topic_id: int) -> list[KeptPartition]:
    """Return a topic's partitions, ordered by number."""
    found = connection.execute(
        "select id, number, start, next, bytes from partitions where topic_id = ? order by number",
        (topic_id,),
    )
    return [KeptPartition(*row) for row in found]
