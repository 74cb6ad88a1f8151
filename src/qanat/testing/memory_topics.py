"""The in-memory log: a whole `Log` for tests, without files.

```python
log = MemoryTopics(FakeClock())
log.create([PAGES])
```
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pyarrow as pa

from qanat.clock import Clock
from qanat.errors import ConfigError, Fatal, Fenced
from qanat.interfaces import Capabilities, Change, LogOptions, Span, Trimmed
from qanat.records import Move, Partition, Progress
from qanat.tables import Topic
from qanat.testing.memory_topic_source import MemoryTopicSource
from qanat.testing.memory_topics_state import KeptBatch, KeptTopic, TopicsState
from qanat.testing.memory_transaction import UNMOVED
from qanat.topics import check_names, conformed, divided

_SCHEME = "memory:"

_named: dict[tuple[str, str], TopicsState] = {}
_named_lock = threading.Lock()


def open_log(url: str, pipeline: str, options: LogOptions) -> "MemoryTopics":
    """Open a log in memory: `memory:` for one of its own, `memory:NAME` for one that this process keeps under that name.

    Raises:
        ConfigError: The URL has another scheme.
    """
    if not url.startswith(_SCHEME):
        raise ConfigError("log", url, "memory: or memory:NAME")
    name = url.removeprefix(_SCHEME)
    if not name:
        return MemoryTopics(options.clock, read_only=options.read_only)
    with _named_lock:
        state = _named.setdefault((name, pipeline), TopicsState())
    return MemoryTopics(options.clock, state, read_only=options.read_only)


class MemoryTopics:
    """A `Log` whose file is a Python object. Give the `state` of another one to open it again."""

    capabilities = Capabilities(transactional=True, shared=False)

    def __init__(
        self, clock: Clock, state: TopicsState | None = None, *, read_only: bool = False
    ) -> None:
        self.state = state or TopicsState()
        self.identity = self.state.identity
        self._clock = clock
        self._read_only = read_only
        self._handle = uuid4()

    def create(self, topics: Sequence[Topic]) -> Sequence[Change]:
        self._check_writable()
        changes: list[Change] = []
        with self.state.changed:
            for topic in topics:
                check_names(topic)
                changes += self.state.create(topic)
        return changes

    def source(self, topic: Topic, group: str) -> MemoryTopicSource:
        return MemoryTopicSource(self.state, self._clock, topic, group, read_only=self._read_only)

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        self._check_writable()
        me = (self._handle, owner)
        with self.state.changed:
            claims = self.state.claims
            ours = [name for name in partitions if claims.setdefault((stage, name), me) == me]
            return {name: self.state.progress.get((stage, name), UNMOVED) for name in ours}

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        with self.state.changed:
            for name in partitions:
                if self.state.claims.get((stage, name)) == (self._handle, owner):
                    del self.state.claims[stage, name]

    @contextmanager
    def begin(self, stage: str, commit_id: UUID) -> Iterator["MemoryTopicsTransaction"]:
        self._check_writable()
        transaction = MemoryTopicsTransaction(self.state, self._clock, stage, commit_id)
        try:
            yield transaction
        finally:
            transaction.over = True

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        with self.state.changed:
            return (stage, commit_id) in self.state.commits

    def spans(self, topic: Topic) -> Mapping[Partition, Span]:
        with self.state.changed:
            kept = self.state.topic(topic.name)
            return {
                str(number): Span(one.start, one.next) for number, one in enumerate(kept.partitions)
            }

    def size_bytes(self, topic: Topic) -> int:
        with self.state.changed:
            return self.state.topic(topic.name).bytes

    def trim(self, topics: Sequence[Topic], now: datetime) -> Sequence[Trimmed]:
        self._check_writable()
        with self.state.changed:
            return [one for topic in topics for one in _trim(self.state, topic, now)]

    def forget(self, topic: Topic, group: str) -> None:
        self._check_writable()
        with self.state.changed:
            for partition in self.state.topic(topic.name).partitions:
                partition.readers.pop(group, None)

    def close(self) -> None:
        with self.state.changed:
            held = [key for key, (handle, _) in self.state.claims.items() if handle == self._handle]
            for key in held:
                del self.state.claims[key]

    def _check_writable(self) -> None:
        if self._read_only:
            raise ConfigError("read_only", True, "False to write", "Open the log without it.")


@dataclass
class MemoryTopicsTransaction:
    """One commit in the making: kept apart until `commit` adds all of it at one moment."""

    state: TopicsState
    clock: Clock
    stage: str
    commit_id: UUID
    over: bool = False
    fenced: bool = False
    moves: list[tuple[str, Partition, Move]] = field(default_factory=list)
    published: list[tuple[KeptTopic, int, pa.Table]] = field(default_factory=list)

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        self._check_open()
        with self.state.changed:
            for partition, move in moves.items():
                self._compare(stage, partition, move)
                self.moves.append((stage, partition, move))

    def publish(self, topic: Topic, rows: pa.Table) -> None:
        self._check_open()
        rows = conformed(topic, rows)
        with self.state.changed:
            kept = self.state.topic(topic.name)
            turn = sum(partition.next for partition in kept.partitions)
            count = len(kept.partitions)
        turn += sum(part.num_rows for there, _, part in self.published if there is kept)
        self.published += [
            (kept, number, part) for number, part in divided(topic, rows, count, turn)
        ]

    def commit(self) -> None:
        self._check_open()
        if self.fenced:
            raise Fenced
        self.over = True
        with self.state.changed:
            for move in self.moves:
                self._compare(*move)
            for stage, partition, to in self.moves:
                self.state.progress[stage, partition] = Progress(
                    to.to, to.expected + 1, to.incarnation
                )
            for kept, number, rows in self.published:
                kept.partitions[number].append(rows, self.clock.now())
            self.state.commits.add((self.stage, self.commit_id))
            self.state.changed.notify_all()

    def _compare(self, stage: str, partition: Partition, move: Move) -> None:
        stored = self.state.progress.get((stage, partition), UNMOVED)
        if stored.version != move.expected:
            self.fenced = True
            raise Fenced(
                f"{stage}, partition {partition}: version {stored.version} is stored, "
                f"{move.expected} was expected"
            )

    def _check_open(self) -> None:
        if self.over:
            raise Fatal("this transaction is over; begin another one")


def _trim(state: TopicsState, topic: Topic, now: datetime) -> Iterator[Trimmed]:
    """Remove what is due and read; whole batches, the oldest first."""
    kept = state.topic(topic.name)
    excess = kept.bytes - topic.keep_bytes if topic.keep_bytes else 0
    oldest = now - timedelta(seconds=topic.keep_s)
    due: dict[int, int] = {}
    for batch, number in kept.by_age():
        if batch.at < oldest or excess > 0:
            due[number] = batch.next
        excess -= batch.rows.nbytes
    for number, partition in enumerate(kept.partitions):
        allowed, reader = min(
            ((offset, name) for name, offset in partition.readers.items()),
            default=(partition.next, ""),
        )
        start, until = partition.start, due.get(number, 0)
        gone: list[KeptBatch] = [
            one for one in partition.batches if one.next <= min(until, allowed)
        ]
        del partition.batches[: len(gone)]
        partition.start = gone[-1].next if gone else start
        held = max(until - partition.start, 0)
        yield Trimmed(
            topic.name, str(number), partition.start - start, held, reader if held else ""
        )
