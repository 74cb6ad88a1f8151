"""The in-memory log keeps the laws of a log, and its topics those of a source."""

from pathlib import Path
from uuid import uuid4

import pytest

from qanat.errors import ConfigError
from qanat.interfaces import Log, LogOptions
from qanat.tables import Topic
from qanat.testing import FakeClock, MemoryTopics
from qanat.testing.laws import LogLaws, OpenLog, SourceLaws, SourceWorld, TopicWorld
from qanat.testing.memory_topics import open_log as open_memory
from qanat.testing.memory_topics_state import TopicsState


def recreate(log: Log, topic: Topic) -> None:
    """Remove a topic and make it anew."""
    assert isinstance(log, MemoryTopics)
    log.state.recreate(topic)


class TestMemoryTopics(LogLaws):
    """All laws."""

    @pytest.fixture
    def open_log(self, clock: FakeClock) -> OpenLog:
        state = TopicsState()
        return lambda: MemoryTopics(clock, state)

    def recreate(self, log: Log, topic: Topic) -> None:
        recreate(log, topic)


class TestMemoryTopicSource(SourceLaws):
    """A topic in memory is a source."""

    @pytest.fixture
    def world(self) -> SourceWorld:
        clock = FakeClock()
        return TopicWorld(MemoryTopics(clock), clock, recreate)


def test_open_log(tmp_path: Path) -> None:
    """A name opens the same log again, for the same pipeline; without one each is its own."""
    options = LogOptions(tmp_path, FakeClock())

    def identity(url: str, pipeline: str = "pipeline") -> str:
        return open_memory(url, pipeline, options).identity

    name = f"memory:{uuid4()}"
    assert identity(name) == identity(name)
    assert identity(name) != identity(name, "another")
    assert identity("memory:") != identity("memory:")
    with pytest.raises(ConfigError, match="memory:NAME"):
        identity("sqlite:")
