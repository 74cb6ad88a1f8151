"""The embedded log keeps the laws of a log, and its topics those of a source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.interfaces import Log, LogOptions
from qanat.logs.sqlite import SqliteLog
from qanat.logs.sqlite import open_log as open_sqlite
from qanat.tables import Topic
from qanat.testing import FakeClock
from qanat.testing.laws import LogLaws, OpenLog, SourceLaws, SourceWorld, TopicWorld


def recreate(log: Log, topic: Topic) -> None:
    """Remove a topic and make it anew."""
    assert isinstance(log, SqliteLog)
    with log.file.writing() as connection:
        for table in ("batches", "readers"):
            connection.execute(
                f"""
                delete from {table}
                where partition_id in (
                    select partitions.id
                    from partitions join topics on topics.id = topic_id
                    where name = ?
                )
                """,
                (topic.name,),
            )
        connection.execute(
            "delete from partitions where topic_id = (select id from topics where name = ?)",
            (topic.name,),
        )
        connection.execute("delete from topics where name = ?", (topic.name,))
    log.create([topic])


class TestSqliteLog(LogLaws):
    """All laws, each on a file of its own."""

    @pytest.fixture
    def open_log(self, tmp_path: Path, clock: FakeClock) -> OpenLog:
        return lambda: open_sqlite("sqlite:", "law", LogOptions(tmp_path, clock))

    def recreate(self, log: Log, topic: Topic) -> None:
        recreate(log, topic)


class TestSqliteTopicSource(SourceLaws):
    """A topic in a file is a source."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[SourceWorld]:
        clock = FakeClock()
        log = open_sqlite("sqlite:", "law", LogOptions(tmp_path, clock))
        yield TopicWorld(log, clock, recreate)
        log.close()
