"""The laws of a log catch logs that are broken in ways that matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pytest

from qanat.errors import SourceLost
from qanat.interfaces import Log
from qanat.records import Move, Progress
from qanat.tables import Topic
from qanat.testing import FakeClock, MemoryTopics
from qanat.testing.laws import LogLaws
from qanat.testing.laws_log import TOPICS
from qanat.testing.memory_topic_source import MemoryTopicSource
from qanat.testing.memory_topics import MemoryTopicsTransaction
from qanat.testing.memory_topics_state import KeptPartition, TopicsState
from qanat.testing.memory_transaction import UNMOVED
from qanat.topics import conformed, divided

Law = Callable[["Laws", Log, FakeClock, "Opening"], None]
Opening = Callable[[], Log]


class Laws(LogLaws):
    """The laws, to be called one by one."""

    def recreate(self, log: Log, topic: Topic) -> None:
        assert isinstance(log, MemoryTopics)
        log.state.recreate(topic)


def version_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryTopicsTransaction, "_compare", lambda *_: None)


def compared_before_alone(patch: pytest.MonkeyPatch) -> None:
    whole = MemoryTopicsTransaction._compare

    def compare(self: MemoryTopicsTransaction, stage: str, partition: str, move: Move) -> None:
        if not self.over:
            whole(self, stage, partition, move)

    patch.setattr(MemoryTopicsTransaction, "_compare", compare)


def published_at_once(patch: pytest.MonkeyPatch) -> None:
    def publish(self: MemoryTopicsTransaction, topic: Topic, rows: pa.Table) -> None:
        partition = self.state.topic(topic.name).partitions[0]
        partition.append(conformed(topic, rows), self.clock.now())

    patch.setattr(MemoryTopicsTransaction, "publish", publish)


def offsets_reused(patch: pytest.MonkeyPatch) -> None:
    whole = KeptPartition.append

    def append(self: KeptPartition, rows: pa.Table, now: datetime) -> None:
        if not self.batches:
            self.start = self.next = 0
        whole(self, rows, now)

    patch.setattr(KeptPartition, "append", append)


def readers_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryTopicSource, "_enter", lambda *_: None)


def opened_partitions_alone(patch: pytest.MonkeyPatch) -> None:
    def enter(self: MemoryTopicSource, kept: dict[str, KeptPartition]) -> None:
        for name, at in self._next.items():
            kept[name].readers[self._group] = at

    patch.setattr(MemoryTopicSource, "_enter", enter)


def keys_scattered(patch: pytest.MonkeyPatch) -> None:
    def scattered(
        topic: Topic, rows: pa.Table, partitions: int, turn: int
    ) -> Iterator[tuple[int, pa.Table]]:
        return divided(replace(topic, key=None), rows, partitions, turn)

    patch.setattr("qanat.testing.memory_topics.divided", scattered)


def one_life(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryTopicSource, "incarnation", lambda _: "always the same")


def claims_shared(patch: pytest.MonkeyPatch) -> None:
    def claim(
        self: MemoryTopics, stage: str, partitions: list[str], owner: str
    ) -> dict[str, Progress]:
        return dict.fromkeys(partitions, UNMOVED)

    patch.setattr(MemoryTopics, "claim", claim)


CAUGHT: list[tuple[Callable[[pytest.MonkeyPatch], None], Law]] = [
    (version_ignored, lambda laws, log, _, __: laws.test_stale_version_changes_nothing(log)),
    (version_ignored, lambda laws, log, _, __: laws.test_one_of_two_racers_wins(log)),
    (compared_before_alone, lambda laws, log, _, __: laws.test_fenced_between(log)),
    (published_at_once, lambda laws, log, _, __: laws.test_rollback_leaves_nothing(log, "left")),
    (
        offsets_reused,
        lambda laws, log, clock, opening: laws.test_offsets_are_never_reused(log, clock, opening),
    ),
    (readers_overlooked, lambda laws, log, clock, _: laws.test_stops_at_the_slowest(log, clock)),
    (
        opened_partitions_alone,
        lambda laws, log, clock, _: laws.test_partition_not_opened_counts(log, clock),
    ),
    (keys_scattered, lambda laws, log, _, __: laws.test_equal_keys_stay_in_order(log)),
    (one_life, lambda laws, log, _, __: laws.test_another_life(log)),
    (claims_shared, lambda laws, log, _, __: laws.test_partition_has_one_owner(log)),
]


@pytest.mark.parametrize(
    ("broken", "law"), CAUGHT, ids=[f"{each.__name__}-{n}" for n, (each, _) in enumerate(CAUGHT)]
)
def test_is_caught(
    broken: Callable[[pytest.MonkeyPatch], None], law: Law, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law passes on the whole log, and fails on the broken one."""
    for whole in (True, False):
        clock, state = FakeClock(), TopicsState()
        log = MemoryTopics(clock, state)
        log.create(TOPICS)
        if whole:
            law(Laws(), log, clock, lambda c=clock, s=state: MemoryTopics(c, s))  # type: ignore[misc]
            continue
        broken(monkeypatch)
        with pytest.raises((AssertionError, SourceLost, pytest.fail.Exception)):
            law(Laws(), log, clock, lambda c=clock, s=state: MemoryTopics(c, s))  # type: ignore[misc]
