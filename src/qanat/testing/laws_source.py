"""Laws of an ordered source: nothing is skipped in silence, wherever reading begins."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Protocol

import pytest

from qanat.errors import SourceLost
from qanat.interfaces import Source
from qanat.records import Batch, Partition, Position

# A source that has nothing in so many polls in a row has nothing. A system over a network may need
# longer for what was just written: its world's `push` waits until the rows can be read.
IDLE_POLLS_MAX = 3
WAIT_S = 0.05
COUNT = 10


class SourceWorld(Protocol):
    """What a test module gives: the system that a source reads, as those see it who write there.

    It begins with the partitions `0` and `1`, without rows. A row is known by a whole number. What
    a system can't do, such
    as forget, skips the law.
    """

    def source(self) -> Source:
        """Make a source on this system, not opened yet."""
        ...

    def push(self, partition: Partition, *numbers: int) -> None:
        """Append a row per number, making the partition if need be; wait until they can be read."""
        ...

    def numbers(self, batch: Batch) -> list[int]:
        """Return the numbers of a batch's rows, in order."""
        ...

    def forget(self, partition: Partition, count: int) -> None:
        """Remove the oldest `count` rows for good."""
        ...

    def recreate(self) -> None:
        """Remove the system and make it anew, under the same address."""
        ...


class SourceLaws:
    """All laws of `Source`. A test module derives a class and gives the fixture `world`."""

    @pytest.fixture
    def world(self) -> SourceWorld:
        """Give the system that the source reads."""
        raise NotImplementedError("the test module gives the fixture world")

    @pytest.fixture
    def source(self, world: SourceWorld) -> Iterator[Source]:
        """Make a source, and close it."""
        source = world.source()
        yield source
        source.close()

    def test_reads_in_order(self, world: SourceWorld, source: Source) -> None:
        """From the start a partition's rows come once, in order, in batches no larger than
        asked for.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        batches = list(polled(source, 3))
        assert list(range(COUNT)) == [n for batch in batches for n in world.numbers(batch)]
        assert all(0 < batch.rows.num_rows <= 3 for batch in batches)
        assert all({"0"} == set(batch.ends) for batch in batches)

    def test_batches_are_alike(self, world: SourceWorld, source: Source) -> None:
        """All batches have one schema, and a time of judgement with its time zone."""
        world.push("0", *range(COUNT))
        source.open({"0": None})
        batches = list(polled(source, 4))
        assert 1 == len({str(batch.rows.schema) for batch in batches})
        assert all(batch.judged_at.utcoffset() is not None for batch in batches)

    def test_resumes_anywhere(self, world: SourceWorld, source: Source) -> None:
        """From the end of any batch another source yields what follows, and the one before if
        it repeats.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        batches = list(polled(source, 3))
        for batch, count in zip(batches, accumulate(b.rows.num_rows for b in batches), strict=True):
            begin = count - 1 if source.repeats else count
            assert list(range(begin, COUNT)) == read(world, {"0": batch.ends["0"]})

    def test_open_replaces(self, world: SourceWorld, source: Source) -> None:
        """Opened again, a source reads from there, forwards or back, and only what is named."""
        world.push("0", *range(COUNT))
        world.push("1", 100, 101)
        source.open({"0": None})
        for _ in range(2):
            found = [n for batch in polled(source, 3) for n in world.numbers(batch)]
            assert list(range(COUNT)) == found
            source.open({"0": None})
        source.open({"1": None})
        assert [100, 101] == [n for batch in polled(source, 3) for n in world.numbers(batch)]

    def test_partitions_are_apart(self, world: SourceWorld, source: Source) -> None:
        """Several partitions are read to their ends, each in order, and resumed each from its
        own.
        """
        world.push("0", *range(COUNT))
        world.push("1", *range(100, 100 + COUNT))
        source.open({"0": None, "1": None})
        batches = list(polled(source, 3))
        found = [n for batch in batches for n in world.numbers(batch)]
        assert list(range(COUNT)) == [n for n in found if n < 100]
        assert list(range(100, 100 + COUNT)) == [n for n in found if n >= 100]
        ends = {name: end for batch in batches for name, end in batch.ends.items()}
        assert {"0", "1"} == set(ends)
        world.push("1", 999)
        before = [COUNT - 1, 100 + COUNT - 1] if source.repeats else []
        assert sorted([*before, 999]) == sorted(read(world, ends))

    def test_partitions_grow(self, world: SourceWorld, source: Source) -> None:
        """A partition that comes later is named too, and none goes."""
        before = source.partitions()
        assert {"0", "1"} <= set(before)
        world.push("2", 1)
        assert {*before, "2"} <= set(world_partitions(world))

    def test_idle(self, world: SourceWorld, source: Source) -> None:
        """With nothing to give, `poll` comes back with None; what comes later is given then."""
        source.open({"0": None})
        assert source.poll(10, WAIT_S) is None
        assert source.poll(10, 0.0) is None
        world.push("0", 1)
        assert [1] == [n for batch in polled(source, 10) for n in world.numbers(batch)]
        assert source.poll(10, WAIT_S) is None
        world.push("0", 2, 3)
        assert [2, 3] == [n for batch in polled(source, 10) for n in world.numbers(batch)]

    def test_incarnation_stays(self, world: SourceWorld, source: Source) -> None:
        """The name of this life is the same for every source, whatever is written or read."""
        name = source.incarnation()
        assert name
        world.push("0", 1)
        source.open({"0": None})
        list(polled(source, 10))
        other = world.source()
        assert name == other.incarnation() == source.incarnation()
        other.close()

    def test_incarnation_changes(self, world: SourceWorld, source: Source) -> None:
        """A system that was made anew has another name, also for who was reading it."""
        name = source.incarnation()
        world.push("0", 1)
        source.open({"0": None})
        list(polled(source, 10))
        world.recreate()
        other = world.source()
        assert name != other.incarnation()
        assert other.incarnation() == source.incarnation()
        other.close()

    def test_lost_history(self, world: SourceWorld, source: Source) -> None:
        """Where the next row isn't there any more the source is lost; it doesn't go on with a
        later one.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        batch = next(polled(source, 2))
        world.forget("0", 5)
        with pytest.raises(SourceLost):
            read(world, {"0": batch.ends["0"]})

    def test_forgotten_behind(self, world: SourceWorld, source: Source) -> None:
        """What is forgotten behind the reader doesn't matter; from the start is from what
        there is.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        list(polled(source, COUNT))
        world.forget("0", 5)
        world.push("0", COUNT)
        assert [COUNT] == [n for batch in polled(source, 10) for n in world.numbers(batch)]
        assert list(range(5, COUNT + 1)) == read(world, {"0": None})

    def test_acknowledge(self, world: SourceWorld, source: Source) -> None:
        """Acknowledging, again and late, moves nothing: neither who reads nor who resumes at
        that place.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        batches = polled(source, 3)
        first = next(batches)
        second = next(batches)
        for ends in (first.ends, first.ends, second.ends, first.ends):
            source.acknowledge(ends)
        source.acknowledge({})
        assert list(range(6, COUNT)) == [n for batch in batches for n in world.numbers(batch)]
        begin = 5 if source.repeats else 6
        assert list(range(begin, COUNT)) == read(world, {"0": second.ends["0"]})

    def test_lag(self, world: SourceWorld, source: Source) -> None:
        """The lag is the rows not polled yet, or None where that can't be known, per open
        partition.
        """
        world.push("0", *range(COUNT))
        source.open({"0": None})
        assert {"0"} == set(source.lag())
        assert source.lag()["0"] in {COUNT, None}
        next(polled(source, 4))
        assert source.lag()["0"] in {COUNT - 4, None}
        list(polled(source, 4))
        assert source.lag()["0"] in {0, None}

    def test_close(self, world: SourceWorld) -> None:
        """Closing twice is harmless, before opening as after it; another source reads on."""
        world.push("0", 1)
        for opened in (False, True):
            source = world.source()
            if opened:
                source.open({"0": None})
                list(polled(source, 1))
            source.close()
            source.close()
        assert [1] == read(world, {"0": None})


def polled(source: Source, rows_max: int) -> Iterator[Batch]:
    """Yield batches until the source stays idle."""
    idle = 0
    while idle < IDLE_POLLS_MAX:
        batch = source.poll(rows_max, WAIT_S)
        if batch is None:
            idle += 1
            continue
        idle = 0
        yield batch


def read(world: SourceWorld, start: Mapping[Partition, Position | None]) -> list[int]:
    """Return the numbers that a source of its own gives from `start` on."""
    source = world.source()
    try:
        source.open(start)
        return [n for batch in polled(source, 7) for n in world.numbers(batch)]
    finally:
        source.close()


def world_partitions(world: SourceWorld) -> list[Partition]:
    """Return the partitions that a new source names."""
    source = world.source()
    try:
        return list(source.partitions())
    finally:
        source.close()
