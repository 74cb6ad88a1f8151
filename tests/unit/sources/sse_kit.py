"""A local stream and a source on it, for tests."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from qanat.records import Batch
from qanat.sources.sse import SseOptions, SseSource
from qanat.testing import FakeClock
from qanat.testing.sse_events import SseEvent
from qanat.testing.sse_server import SseServer

START_MS = 1_757_129_333_000
PATIENCE_S = 30.0
"""What takes longer has failed, on any machine."""


def events(count: int, step_ms: int = 1000, size: int = 0) -> list[SseEvent]:
    return [
        SseEvent(b'{"number":%d%s}' % (number, b" " * size), START_MS + number * step_ms)
        for number in range(count)
    ]


def numbers(batch: Batch) -> list[int]:
    found = []
    for data in batch.rows.column("data").to_pylist():
        if data.startswith(b'{"number":'):
            found.append(int(data.partition(b":")[2].rstrip(b" }")))
    return found


def source_on(server: SseServer, **options: object) -> SseSource:
    """A source that waits briefly after failures."""
    settings: dict[str, object] = {
        "url": server.url,
        "user_agent": "tests (tests@example.org)",
        "backoff_first_s": 0.01,
        "backoff_max_s": 0.02,
        **options,
    }
    return SseSource(SseOptions(**settings), FakeClock())  # type: ignore[arg-type]  # whatever a test names


@contextmanager
def reading(
    server: SseServer, position: str | None = None, **options: object
) -> Iterator[SseSource]:
    source = source_on(server, **options)
    source.open({"0": position})
    try:
        yield source
    finally:
        source.close()


def until(happened: Callable[[], object]) -> None:
    """Wait for what another thread or process does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.002)


def batches(source: SseSource, rows_max: int = 1000) -> Iterator[Batch]:
    """Poll for ever, or until nothing comes for too long."""
    while True:
        batch = source.poll(rows_max, PATIENCE_S)
        assert batch is not None, f"nothing comes: {source.condition()}"
        yield batch


def read_to(source: SseSource, last: int, rows_max: int = 1000) -> tuple[list[int], str]:
    """Return all numbers up to the first batch that has `last`, and the position then."""
    found: list[int] = []
    for batch in batches(source, rows_max):
        found += numbers(batch)
        if last in found:
            return found, batch.ends["0"]
    raise AssertionError("unreachable")


def new_ones(found: list[int]) -> list[int]:
    """Leave out repeats, as whoever counts by an id does."""
    return list(dict.fromkeys(found))


def fields_of(record: object) -> Mapping[str, object]:
    return getattr(record, "fields", {})
