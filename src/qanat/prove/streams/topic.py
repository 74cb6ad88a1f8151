"""What the first topic holds, beside what the server has: the events in their order, some of them more than once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from qanat.clock import Clock
from qanat.pipeline import Pipeline
from qanat.prove.streams.history import Sent
from qanat.tables import Topic
from qanat.wiring import open_log

# What is read at a time.
_ROWS = 50_000
_COLUMNS = frozenset({"id", "event", "data"})


@dataclass(slots=True)
class Kept:
    """A topic compared with the stream.

    Attributes:
        numbers: Which events of the stream are there.
        times: How often each event's bytes are, by their hash: the bytes of a million events take 1.5 GB.
        again: How many records repeat an earlier one.
        strange: How many are no event of the stream's.
    """

    numbers: set[int] = field(default_factory=set)
    times: Counter[int] = field(default_factory=Counter)
    again: int = 0
    strange: int = 0


def first_topic(pipeline: Pipeline) -> Topic | None:
    """Return the topic into which the first stage puts events as they were received; None where there is none."""
    stage = pipeline.stages[0]
    if stage.transform or not stage.publishes:
        return None
    topic = stage.publishes[0]
    return topic if set(topic.shape.names) >= _COLUMNS else None


def kept(
    pipeline: Pipeline, topic: Topic, folder: Path, clock: Clock, stream: Iterable[Sent]
) -> Kept:
    """Compare. `stream` is the whole stream, in its order."""
    places: dict[int, list[int]] = {}
    for number, one in enumerate(stream):
        places.setdefault(hash(one), []).append(number)
    found = Kept()
    for sent in _records(pipeline, topic, folder, clock):
        found.times[hash(sent.data)] += 1
        numbers = places.get(hash(sent))
        if numbers is None:
            found.strange += 1
        elif numbers[0] in found.numbers:
            found.again += 1
        else:
            found.numbers.update(numbers)
    return found


def _records(pipeline: Pipeline, topic: Topic, folder: Path, clock: Clock) -> Iterator[Sent]:
    log = open_log("sqlite:", pipeline.name, folder, clock, read_only=True)
    with closing(log), closing(log.source(topic, "prove")) as source:
        source.open(dict.fromkeys(source.partitions()))
        while (batch := source.poll(_ROWS, 0.0)) is not None:
            columns = (batch.rows.column(name).to_pylist() for name in ("id", "event", "data"))
            yield from map(Sent, *columns)
