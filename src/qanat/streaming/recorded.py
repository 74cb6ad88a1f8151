"""A recording that is played: its events by the times they carry, and a clock that goes with them."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qanat.clock import hour_of
from qanat.errors import ConfigError
from qanat.sources.sse_parser import SseParser
from qanat.testing.sse_events import SseEvent, read_recording
from qanat.testing.sse_history import History

# The feeder looks so often which events are due: often enough for numbers that move smoothly.
FEED_EVERY_S = 0.05
_PIECE_BYTES = 1 << 20


class RecordedClock:
    """A clock that starts at a recorded moment and goes faster than the system's. Waits stay what they are."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._began_s = time.monotonic()

    def now(self) -> datetime:
        """Return the recorded moment that is played now, in UTC."""
        return self._start + timedelta(seconds=self._speed * (time.monotonic() - self._began_s))

    def monotonic(self) -> float:
        """Return the machine's monotonic clock, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of real time."""
        time.sleep(seconds)


def recorded_events(path: Path) -> list[SseEvent]:
    """Read a recording, each event with the time that its id tells.

    Raises:
        ConfigError: It isn't there, or its ids tell no times.
    """
    if not path.is_file():
        raise ConfigError("the recording", str(path), "a file `.sse` or `.sse.zst`")
    parser, found = SseParser(), list[SseEvent]()
    raw = bytes(read_recording(path).raw)
    for at in range(0, len(raw), _PIECE_BYTES):
        for batch in parser.feed(raw[at : at + _PIECE_BYTES]):
            for row in batch.to_pylist():
                event, told = row["event"].encode(), row["id"]
                found.append(
                    SseEvent(row["data"], _at_ms(path, told), event=event, id=told.encode())
                )
    return found


def _at_ms(path: Path, told: str) -> int:
    """Return the latest time that an id tells: Wikimedia's form, or a plain number of ms since 1970."""
    try:
        places = json.loads(told)
        if isinstance(places, int):
            return places
        return max(int(place["timestamp"]) for place in places if "timestamp" in place)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            "the recording", str(path), "one whose ids tell when each event was sent",
            hint=f"This one isn't such an id: {told[:100]!r}",
        ) from error  # fmt: skip


def last_full_hour(events: Sequence[SseEvent]) -> datetime:
    """Return the latest full hour within a recording: its reports are due then, and what follows is to be played."""
    last = datetime.fromtimestamp(max(event.at_ms for event in events) / 1000, UTC)
    return hour_of(last)


@contextmanager
def feeding(
    history: History, events: Sequence[SseEvent], clock: RecordedClock
) -> Iterator[threading.Event]:
    """Add events to a server's history as their times come; gives what is set when the last one is there."""
    over, stop = threading.Event(), threading.Event()

    def feed() -> None:
        at = 0
        while at < len(events) and not stop.wait(FEED_EVERY_S):
            now_ms = clock.now().timestamp() * 1000
            begin = at
            while at < len(events) and events[at].at_ms <= now_ms:
                at += 1
            if at > begin:
                history.add(*events[begin:at])
        over.set()

    thread = threading.Thread(target=feed, name="recording", daemon=True)
    thread.start()
    try:
        yield over
    finally:
        stop.set()
        thread.join()
