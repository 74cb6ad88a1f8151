"""Laws of reading a log, and of what it may forget."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from qanat.errors import SourceLost
from qanat.interfaces import Log, LogTransaction, Span, Trimmed
from qanat.records import Batch
from qanat.tables import arrow_schema
from qanat.testing.clock import FakeClock
from qanat.testing.laws_log import (
    EVENTS,
    GROUP,
    KINDS,
    TURNS,
    WOKEN_S_MAX,
    LogLawsBase,
    OpenLog,
    committed,
    contents,
    drained,
    events,
    opened,
    published,
)
from qanat.topics import OFFSET, PARTITION


class LogReadingLaws(LogLawsBase):
    """Readers get whole batches, woken as soon as there are any."""

    def test_values_come_back(self, log: Log) -> None:
        """Every type comes back as it was published, nulls too, with the columns of readers."""
        schema = arrow_schema(KINDS.shape)
        moment = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        row = [-(2**63), Decimal(-(10**37)), -0.5, "ä\0'", b"\x00\xff", True, moment]
        columns = [
            pa.array([value, None], field.type) for value, field in zip(row, schema, strict=True)
        ]
        rows = pa.Table.from_arrays(columns, schema=schema)
        published(log, KINDS, rows)
        batch = next(drained(opened(log, KINDS)))
        assert [*schema.names, PARTITION, OFFSET] == batch.rows.column_names
        assert rows.equals(batch.rows.select(schema.names))
        assert schema.types == batch.rows.select(schema.names).schema.types
        assert [pa.string(), pa.int64()] == batch.rows.schema.types[-2:]
        assert ["0", "0"] == batch.rows.column(PARTITION).to_pylist()

    def test_small_batches_come_together(self, log: Log) -> None:
        """One poll gives what many commits published, up to what was asked for."""
        for number in range(20):
            published(log, EVENTS, events(number))
        sizes = [batch.rows.num_rows for batch in drained(opened(log, EVENTS), 8)]
        assert [8, 8, 4] == sizes

    def test_none_starves(self, log: Log) -> None:
        """A long partition doesn't hold up the others."""
        published(log, TURNS, pa.table({"id": list(range(300))}))
        source = opened(log, TURNS)
        seen: set[str] = set()
        for _ in range(3):
            batch = source.poll(10, 0.0)
            assert batch is not None
            seen |= set(batch.ends)
        assert {"0", "1", "2"} == seen

    def test_beyond_the_end(self, log: Log) -> None:
        """A position that the log hasn't come to belongs to a later state of it."""
        published(log, EVENTS, events(1))
        with pytest.raises(SourceLost, match="go on at 2"):
            opened(log, EVENTS, {"0": "2"}).poll(10, 0.0)
        with pytest.raises(SourceLost, match="no partition 7"):
            opened(log, EVENTS, {"7": None})
        with pytest.raises(SourceLost, match="isn't an offset"):
            opened(log, EVENTS, {"0": "x"})

    def test_never_half_a_commit(self, log: Log) -> None:
        """Who reads while others write sees each commit wholly or not at all."""
        commits = 30
        done = threading.Event()

        def write() -> None:
            for number in range(commits):

                def work(transaction: LogTransaction, n: int = number) -> None:
                    transaction.publish(EVENTS, events(n, n))
                    transaction.publish(EVENTS, events(n))

                committed(log, work)
            done.set()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            source = opened(log, EVENTS)
            found: list[int] = []
            while len(found) < 3 * commits:
                batch = source.poll(10_000, WOKEN_S_MAX)
                assert batch is not None
                ids = batch.rows.column("id").to_pylist()
                assert 0 == len(ids) % 3
                found += ids
            writing.result(WOKEN_S_MAX)
        assert [n for n in range(commits) for _ in range(3)] == found

    def test_publication_wakes(self, log: Log, open_log: OpenLog) -> None:
        """A poll that waits comes back when somebody publishes, by this handle or another."""
        other = open_log()
        source = opened(log, EVENTS)
        for number, handle in enumerate((log, other)):
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(source.poll, 10, WOKEN_S_MAX)
                published(handle, EVENTS, events(number))
                batch = waiting.result(WOKEN_S_MAX)
            assert batch is not None
            assert [number] == batch.rows.column("id").to_pylist()
        other.close()

    def test_wake(self, log: Log) -> None:
        """`wake` ends a poll that waits, or keeps the next one from waiting; once."""
        source = opened(log, EVENTS)
        source.wake()
        assert source.poll(10, WOKEN_S_MAX) is None
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(source.poll, 10, WOKEN_S_MAX)
            source.wake()
            assert waiting.result(WOKEN_S_MAX / 2) is None
        published(log, EVENTS, events(1))
        assert source.poll(10, 0.0) is not None

    def test_another_life(self, log: Log) -> None:
        """A topic that was made anew is another source; who had it open is told."""
        published(log, EVENTS, events(1, 2))
        source = opened(log, EVENTS)
        before = source.incarnation()
        assert before != opened(log, TURNS).incarnation()
        self.recreate(log, EVENTS)
        published(log, EVENTS, events(1, 2, 3))
        assert before != source.incarnation()
        with pytest.raises(SourceLost):
            source.poll(10, 0.0)


class LogRetentionLaws(LogLawsBase):
    """A log forgets what is old, too much, and read by all; it never forgets where it was."""

    def _published(self, log: Log, clock: FakeClock, commits: int = 4) -> None:
        """Publish two records per commit, an hour apart."""
        for number in range(commits):
            published(log, EVENTS, events(2 * number, 2 * number + 1))
            clock.advance(3600.0)

    def test_by_age(self, log: Log, clock: FakeClock) -> None:
        """What is older than `keep_s` goes when nobody reads it, in whole batches; space too."""
        self._published(log, clock)
        size = log.size_bytes(EVENTS)
        hours = replace(EVENTS, keep_s=2.5 * 3600)
        assert [Trimmed(EVENTS.name, "0", 4, 0, "")] == list(log.trim([hours], clock.now()))
        assert {"0": Span(4, 8)} == log.spans(EVENTS)
        assert {"0": [4, 5, 6, 7]} == contents(log, EVENTS)
        assert 0 < log.size_bytes(EVENTS) < size
        assert [Trimmed(EVENTS.name, "0", 0, 0, "")] == list(log.trim([hours], clock.now()))

    def test_by_size(self, log: Log, clock: FakeClock) -> None:
        """What exceeds `keep_bytes` goes, the oldest first, and no more than needed."""
        self._published(log, clock)
        size = log.size_bytes(EVENTS)
        log.trim([replace(EVENTS, keep_bytes=size)], clock.now())
        assert {"0": Span(0, 8)} == log.spans(EVENTS)
        log.trim([replace(EVENTS, keep_bytes=size - 1)], clock.now())
        assert {"0": Span(2, 8)} == log.spans(EVENTS)

    def test_by_size_over_partitions(self, log: Log, clock: FakeClock) -> None:
        """The size is the topic's: its oldest records go, wherever they are."""
        for number in range(6):
            published(log, TURNS, pa.table({"id": [number]}))
            clock.advance(1.0)
        size = log.size_bytes(TURNS)
        log.trim([replace(TURNS, keep_bytes=size - size // 2)], clock.now())
        assert {"0": [3], "1": [4], "2": [5]} == contents(log, TURNS)

    def test_offsets_are_never_reused(self, log: Log, clock: FakeClock, open_log: OpenLog) -> None:
        """After everything was forgotten, and after reopening, offsets go on where they were."""
        self._published(log, clock, 2)
        log.trim([replace(EVENTS, keep_s=0.0)], clock.now())
        assert {"0": Span(4, 4)} == log.spans(EVENTS)
        assert 0 == log.size_bytes(EVENTS)
        log.close()
        again = open_log()
        assert {"0": Span(4, 4)} == again.spans(EVENTS)
        published(again, EVENTS, events(9))
        source = again.source(EVENTS, GROUP)
        source.open({"0": "4"})
        batch = next(drained(source))
        assert [4] == batch.rows.column(OFFSET).to_pylist()
        again.close()

    def test_stops_at_the_slowest(self, log: Log, clock: FakeClock) -> None:
        """What a group hasn't acknowledged stays, and who holds it is told; opening counts."""
        self._published(log, clock)
        fast, slow = log.source(EVENTS, "fast"), log.source(EVENTS, "slow")
        fast.open({"0": None})
        slow.open({"0": None})
        nothing = replace(EVENTS, keep_s=0.0)
        fast.acknowledge({"0": "8"})
        assert [Trimmed(EVENTS.name, "0", 0, 8, "slow")] == list(log.trim([nothing], clock.now()))
        slow.acknowledge({"0": "5"})
        assert [Trimmed(EVENTS.name, "0", 4, 4, "slow")] == list(log.trim([nothing], clock.now()))
        slow.acknowledge({"0": "3"})  # late: nothing comes back
        slow.acknowledge({"0": "8"})
        assert [Trimmed(EVENTS.name, "0", 4, 0, "")] == list(log.trim([nothing], clock.now()))

    def test_reader_who_left_counts(self, log: Log, clock: FakeClock, open_log: OpenLog) -> None:
        """A group that is away holds what it needs, until it is forgotten."""
        self._published(log, clock)
        away = log.source(EVENTS, "away")
        away.open({"0": "2"})
        away.close()
        log.close()
        again = open_log()
        nothing = replace(EVENTS, keep_s=0.0)
        expected = Trimmed(EVENTS.name, "0", 2, 6, "away")
        assert [expected] == list(again.trim([nothing], clock.now()))
        again.forget(EVENTS, "away")
        assert [Trimmed(EVENTS.name, "0", 6, 0, "")] == list(again.trim([nothing], clock.now()))
        again.close()

    def test_partition_not_opened_counts(self, log: Log, clock: FakeClock) -> None:
        """A group's other partitions are kept for its other instances."""
        published(log, TURNS, pa.table({"id": list(range(6))}))
        source = log.source(TURNS, "one of two")
        source.open({"0": None})
        source.acknowledge({"0": "2"})
        found = log.trim([replace(TURNS, keep_s=0.0)], clock.now() + timedelta(seconds=1))
        assert {"0": (2, ""), "1": (0, "one of two"), "2": (0, "one of two")} == {
            one.partition: (one.removed, one.held_by) for one in found
        }

    def test_forgotten_meanwhile(self, log: Log, clock: FakeClock) -> None:
        """A reader whose next record is gone is told, and isn't led past it."""
        self._published(log, clock)
        source = opened(log, EVENTS)
        first: Batch | None = source.poll(1, 0.0)
        assert first is not None
        log.forget(EVENTS, GROUP)
        log.trim([replace(EVENTS, keep_s=0.0)], clock.now())
        with pytest.raises(SourceLost, match="go on at 1"):
            source.poll(10, 0.0)
