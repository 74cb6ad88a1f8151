"""The in-memory source keeps the laws of a source, and its faults happen as they are written."""

import pytest

from qanat.errors import Fatal, Retryable, SourceLost
from qanat.interfaces import Source
from qanat.records import Batch, Partition
from qanat.tables import Column, ColumnType, Table
from qanat.testing import Crash, Crashed, End, Fail, FakeClock, MemoryLog, MemorySource, Pause
from qanat.testing.laws import SourceLaws, SourceWorld

NUMBERS = Table("numbers", (Column("number", ColumnType.INT64),))


class MemoryWorld:
    """A log in memory, as the laws want to treat it."""

    def __init__(self, *, repeats: bool) -> None:
        self.log = MemoryLog(NUMBERS, "0", "1")
        self._repeats = repeats

    def source(self) -> MemorySource:
        return MemorySource(self.log, FakeClock(), repeats=self._repeats)

    def push(self, partition: Partition, *numbers: int) -> None:
        self.log.push(partition, *({"number": number} for number in numbers))

    def numbers(self, batch: Batch) -> list[int]:
        return list(batch.rows.column("number").to_pylist())

    def forget(self, partition: Partition, count: int) -> None:
        self.log.trim(partition, self.log.partitions[partition].first + count)

    def recreate(self) -> None:
        self.log.recreate()


class TestMemorySource(SourceLaws):
    """A source that goes on after the position."""

    @pytest.fixture
    def world(self) -> SourceWorld:
        return MemoryWorld(repeats=False)


class TestRepeatingMemorySource(SourceLaws):
    """A source that yields the row before the position again."""

    @pytest.fixture
    def world(self) -> SourceWorld:
        return MemoryWorld(repeats=True)


class TestFaults:
    """Faults are data: they happen where they stand among the rows, once."""

    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld(repeats=False)

    def polls(self, world: MemoryWorld, source: Source, count: int = 4) -> list[list[int] | None]:
        """Return the numbers of so many polls."""
        batches = [source.poll(10, 0.0) for _ in range(count)]
        return [None if batch is None else world.numbers(batch) for batch in batches]

    def opened(self, world: MemoryWorld) -> MemorySource:
        source = world.source()
        source.open({"0": None})
        return source

    def test_crash(self, world: MemoryWorld) -> None:
        """A crash comes after the rows before it, nothing that handles errors stops it, and
        it comes once.
        """
        world.log.push("0", {"number": 1}, Crash(), {"number": 2})
        source = self.opened(world)
        assert [[1]] == self.polls(world, source, 1)
        with pytest.raises(Crashed):
            source.poll(10, 0.0)
        assert not issubclass(Crashed, Exception)
        assert [[1, 2], None] == self.polls(world, self.opened(world), 2)

    def test_fail(self, world: MemoryWorld) -> None:
        """A failure raises what it was given; then reading goes on."""
        world.log.push("0", Fail(lambda: Retryable("cut")), {"number": 1})
        source = self.opened(world)
        with pytest.raises(Retryable, match="cut"):
            source.poll(10, 0.0)
        assert [[1], None] == self.polls(world, source, 2)

    def test_pause(self, world: MemoryWorld) -> None:
        """A pause is so many idle polls."""
        world.log.push("0", {"number": 1}, Pause(2), {"number": 2})
        assert [[1], None, None, [2]] == self.polls(world, self.opened(world))

    def test_end(self, world: MemoryWorld) -> None:
        """An end is for good for this source, opened again or not; the next one goes on."""
        world.log.push("0", {"number": 1}, End(), {"number": 2})
        source = self.opened(world)
        assert [[1], None, None] == self.polls(world, source, 3)
        source.open({"0": None})
        assert [None] == self.polls(world, source, 1)
        assert [[1, 2]] == self.polls(world, self.opened(world), 1)

    def test_faults_in_a_row(self, world: MemoryWorld) -> None:
        """Several faults at one place happen one after the other."""
        world.log.push("0", Pause(), Fail(lambda: SourceLost("gone")), Crash())
        source = self.opened(world)
        assert source.poll(10, 0.0) is None
        with pytest.raises(SourceLost):
            source.poll(10, 0.0)
        with pytest.raises(Crashed):
            source.poll(10, 0.0)

    def test_beyond_the_end(self, world: MemoryWorld) -> None:
        """A position that the log hasn't come to belongs to another log."""
        world.log.push("0", {"number": 1})
        source = world.source()
        source.open({"0": "2"})
        with pytest.raises(SourceLost, match="go on at 2"):
            source.poll(10, 0.0)

    def test_unknown_partition(self, world: MemoryWorld) -> None:
        """A partition that isn't there is named with those that are."""
        with pytest.raises(SourceLost, match="no partition 7"):
            world.source().open({"7": None})

    def test_closed(self, world: MemoryWorld) -> None:
        """A closed source isn't read by mistake."""
        source = self.opened(world)
        source.close()
        with pytest.raises(Fatal):
            source.poll(10, 0.0)

    def test_fair(self, world: MemoryWorld) -> None:
        """A long partition doesn't hold up a short one."""
        world.push("0", *range(100))
        world.push("1", 1000)
        source = world.source()
        source.open({"0": None, "1": None})
        assert [*range(10)] == world.numbers(source.poll(10, 0.0) or pytest.fail("nothing"))
        assert 1000 in world.numbers(source.poll(10, 0.0) or pytest.fail("nothing"))

    def test_acknowledged(self, world: MemoryWorld) -> None:
        """What was acknowledged can be looked at."""
        source = self.opened(world)
        source.acknowledge({"0": "3"})
        source.acknowledge({"0": "5"})
        assert {"0": "5"} == source.acknowledged
