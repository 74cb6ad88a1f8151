"""The events of a proof: a recording of which more and more is shown, as a stream grows."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from qanat.testing.sse_events import Recording, read_recording
from qanat.testing.sse_history import History


class Sent(NamedTuple):
    """An event as it stands in the recording, read here apart from everything that is proved."""

    id: str
    type: str
    data: bytes


class Stock:
    """The events of all scenarios, read only.

    Args:
        path: A recording.
        events_max: Of a longer one, the beginning is used; 0 for all.
    """

    def __init__(self, path: Path, events_max: int = 0) -> None:
        self.recording: Recording = read_recording(path)
        there = len(self.recording)
        self.count = min(there, events_max) if events_max else there

    def event(self, number: int) -> Sent:
        """Read one event."""
        fields = {b"id": b"", b"event": b"message"}
        data: list[bytes] = []
        for line in self.recording[number].splitlines():
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
            elif name in fields:
                fields[name] = value
        return Sent(fields[b"id"].decode(), fields[b"event"].decode(), b"\n".join(data))

    def span_s(self) -> float | None:
        """Return how much time lies between the first event and the last, by their ids; None where these don't tell times."""
        times = [_time_ms(self.event(number).id) for number in (0, self.count - 1)]
        first, last = times
        return None if first is None or last is None else (last - first) / 1000

    def events(self, numbers: Iterable[int]) -> Iterator[Sent]:
        """Read some of them."""
        return map(self.event, numbers)


def _time_ms(told: str) -> int | None:
    """Return the latest time in an id of Wikimedia's kind."""
    if not told.startswith("["):
        return None
    return max(
        (place["timestamp"] for place in json.loads(told) if "timestamp" in place), default=None
    )


class Shown(History):
    """What a server holds: so much of the stock as was shown by now, less what was forgotten.

    Attributes:
        sent: How far any reader was given it.
    """

    def __init__(self, stock: Stock) -> None:
        self._shown = 0
        self._count = stock.count
        self.sent = 0
        super().__init__(stock.recording)

    def __len__(self) -> int:
        return self._shown

    @property
    def is_all(self) -> bool:
        """Whether there is nothing left to show."""
        return self._shown >= self._count

    def show(self, count: int) -> None:
        """Show further events; who reads gets them at once."""
        with self.changed:
            self._shown = min(self._shown + count, self._count)
            self.changed.notify_all()

    def bytes_of(self, start: int, end: int, size_max: int) -> tuple[memoryview, int]:
        """Return frames, and note how far they reach."""
        found, following = super().bytes_of(start, end, size_max)
        self.sent = max(self.sent, following)
        return found, following
