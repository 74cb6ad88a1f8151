"""The source of server-sent events keeps the laws of a source, against a local server."""

from collections.abc import Iterator, Mapping

import pytest

from qanat.interfaces import Source
from qanat.records import Batch, Partition, Position
from qanat.sources.sse import SseOptions, SseSource
from qanat.testing import FakeClock
from qanat.testing.laws import SourceLaws, SourceWorld
from qanat.testing.sse_events import SseEvent
from qanat.testing.sse_server import SseServer
from tests.unit.sources.sse_kit import START_MS, until

# Farther apart than events of a topic may be out of order, so that a gap is beyond doubt at once.
STEP_MS = 100_000


class SettledSource(SseSource):
    """Polls only when the connection has brought everything there is, so that idle means idle."""

    def __init__(self, server: SseServer) -> None:
        options = SseOptions(server.url, "laws (laws@example.org)", since="0")
        super().__init__(options, FakeClock())
        self._server = server

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        until(self._is_settled)
        return super().poll(rows_max, wait_s)

    def _is_settled(self) -> bool:
        reader, events = self._reader, len(self._server.history)
        if reader is None or not events or self._prefetch._error:
            return True
        return f":{START_MS + (events - 1) * STEP_MS + 1}}}" in (reader.received or "")


class LocalWorld:
    """A local server, as the laws want to treat it."""

    def __init__(self, server: SseServer) -> None:
        self._server = server

    def source(self) -> SseSource:
        return SettledSource(self._server)

    def push(self, partition: Partition, *numbers: int) -> None:
        if partition != "0":
            pytest.skip("a stream has one partition")
        for number in numbers:
            at_ms = START_MS + len(self._server.history) * STEP_MS
            self._server.history.add(SseEvent(b"%d" % number, at_ms))

    def numbers(self, batch: Batch) -> list[int]:
        return [int(data) for data in batch.rows.column("data").to_pylist()]

    def forget(self, partition: Partition, count: int) -> None:
        self._server.history.forget(count)

    def recreate(self) -> None:
        pytest.skip("a stream's URL is all there is to know it by")


class TestSseSource(SourceLaws):
    """A stream with Wikimedia's ids."""

    @pytest.fixture
    def world(self) -> Iterator[SourceWorld]:
        with SseServer() as server:
            yield LocalWorld(server)

    def test_partitions_grow(self, world: SourceWorld, source: Source) -> None:
        """A stream has one partition, for ever."""
        assert ["0"] == list(source.partitions())

    def test_open_replaces_itself(self, world: SourceWorld) -> None:
        """Opened again, it reads from there, forwards or back, and only what is named."""
        world.push("0", *range(5))
        source = world.source()
        starts: list[tuple[Mapping[Partition, Position | None], list[int]]] = []
        source.open({"0": None})
        batch = source.poll(3, 1.0)
        assert batch is not None
        starts += [(batch.ends, [2, 3, 4]), ({"0": None}, [0, 1, 2, 3, 4]), ({}, [])]
        for start, expected in starts:
            source.open(start)
            found = source.poll(10, 0.0)
            assert expected == ([] if found is None else world.numbers(found))
        source.close()
