"""A topic of the in-memory log as a source."""

import threading
import time
from collections.abc import Mapping, Sequence

import pyarrow as pa

from qanat.clock import Clock
from qanat.errors import Fatal, SourceLost
from qanat.records import Batch, Partition, Position
from qanat.tables import Topic
from qanat.testing.memory_topics_state import KeptPartition, KeptTopic, TopicsState
from qanat.topics import lost, offset_of, with_offsets


class MemoryTopicSource:
    """A `WakingSource`. Made by `MemoryTopics.source`."""

    repeats = False

    def __init__(
        self, state: TopicsState, clock: Clock, topic: Topic, group: str, *, read_only: bool
    ) -> None:
        self._state = state
        self._clock = clock
        self._topic = topic
        self._group = group
        self._read_only = read_only
        self._opened: KeptTopic | None = None
        self._next: dict[Partition, int] = {}
        self._woken = threading.Event()
        self._closed = False

    def incarnation(self) -> str:
        with self._state.changed:
            return f"{self._state.identity}/{self._state.topic(self._topic.name).incarnation}"

    def partitions(self) -> Sequence[Partition]:
        with self._state.changed:
            return list(self._kept())

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        self._check_usable()
        with self._state.changed:
            kept, self._next = self._kept(), {}
            for name, position in start.items():
                if name not in kept:
                    hint = f"There are {', '.join(kept)}."
                    raise SourceLost(
                        f"the topic {self._topic.name} has no partition {name}", hint=hint
                    )
                begin = kept[name].start if position is None else offset_of(name, position)
                self._next[name] = begin
            self._opened = self._state.topic(self._topic.name)
            if not self._read_only:
                self._enter(kept)

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        deadline_s = time.monotonic() + wait_s
        with self._state.changed:
            while True:
                self._check_usable()
                batch = self._read(rows_max)
                if batch is not None:
                    return batch
                left_s = deadline_s - time.monotonic()
                if self._woken.is_set() or left_s <= 0:
                    self._woken.clear()
                    return None
                self._state.changed.wait(left_s)

    def wake(self) -> None:
        self._woken.set()
        with self._state.changed:
            self._state.changed.notify_all()

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        with self._state.changed:
            kept = self._kept()
            for name, position in ends.items():
                readers = kept[name].readers if name in kept else {}
                if self._group in readers:
                    readers[self._group] = max(readers[self._group], offset_of(name, position))

    def lag(self) -> Mapping[Partition, int | None]:
        with self._state.changed:
            kept = self._kept()
            return {name: max(kept[name].next - at, 0) for name, at in self._next.items()}

    def close(self) -> None:
        self._closed = True

    def _check_usable(self) -> None:
        if self._closed:
            raise Fatal("the source is closed")

    def _kept(self) -> dict[Partition, KeptPartition]:
        partitions = self._state.topic(self._topic.name).partitions
        return {str(number): one for number, one in enumerate(partitions)}

    def _enter(self, kept: Mapping[Partition, KeptPartition]) -> None:
        """Count the group: from where it begins, and elsewhere from what is held, unless it is known there."""
        for name, partition in kept.items():
            if name in self._next:
                partition.readers[self._group] = self._next[name]
            else:
                partition.readers.setdefault(self._group, partition.start)

    def _read(self, rows_max: int) -> Batch | None:
        if self._opened not in (None, self._state.topics.get(self._topic.name)):
            raise SourceLost(f"the topic {self._topic.name} isn't the one that was opened")
        kept = self._kept()
        found: dict[Partition, pa.Table] = {}
        left = rows_max
        for name, at in self._next.items():
            rows = _taken(self._topic.name, name, kept[name], at, left)
            if rows is not None:
                found[name] = with_offsets(rows, name, at)
                left -= rows.num_rows
        if not found:
            return None
        for name, rows in found.items():  # to the end of the line
            self._next[name] = self._next.pop(name) + rows.num_rows
        ends = {name: str(self._next[name]) for name in found}
        return Batch(pa.concat_tables(found.values()), ends, self._clock.now())


def _taken(
    topic: str, name: Partition, partition: KeptPartition, at: int, rows_max: int
) -> pa.Table | None:
    if not partition.start <= at <= partition.next:
        raise lost(topic, name, partition.start, partition.next, at)
    if at == partition.next or rows_max <= 0:
        return None
    following = [batch for batch in partition.batches if batch.next > at]
    whole = pa.concat_tables(batch.rows for batch in following)
    return whole.slice(at - following[0].first, rows_max)
