"""What a local server of server-sent events holds: events in the order of its log, and where a reader begins in it."""

import json
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from qanat.testing.sse_events import (
    SILENT_TOPIC,
    TOPIC,
    Recording,
    SseEvent,
    frame,
    wikimedia_id,
)

_ID = re.compile(rb"^id: ?(.*?)\r?$", re.MULTILINE)

Log = tuple[str, int]
"""A topic and its partition."""


class Start(NamedTuple):
    """Where a reader begins: the number of the first event, and of topics that begin later, theirs."""

    first: int
    later: Mapping[Log, int]


@dataclass(slots=True)
class _Topic:
    """The events of one topic: their numbers, and for each the latest time up to it, which only grows."""

    numbers: list[int] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def add(self, number: int, at_ms: int) -> None:
        self.numbers.append(number)
        self.peaks.append(max(at_ms, self.peaks[-1]) if self.peaks else at_ms)

    def from_time(self, at_ms: int, end: int) -> int:
        """Return the first event at or after a time, as Kafka does; `end` when there is none."""
        place = bisect_left(self.peaks, at_ms)
        return self.numbers[place] if place < len(self.numbers) else end

    def has_between(self, start: int, end: int) -> bool:
        return bisect_left(self.numbers, start) < bisect_left(self.numbers, end)


class History:
    """Events by number, from 0; a recording's first, then those that were added. Any thread may use it.

    Attributes:
        changed: Notified when events come or go.
        first: The oldest event that isn't forgotten.
    """

    def __init__(self, events: Iterable[SseEvent] | Recording = (), newline: bytes = b"\n") -> None:
        self.changed = threading.Condition(threading.RLock())
        self.first = 0
        self._recording = events if isinstance(events, Recording) else Recording(b"")
        self._newline = newline
        self._frames: list[bytes] = []
        self._logs: list[Log] = []
        self._topics: dict[Log, _Topic] = {}
        self._by_id: dict[bytes, int] = {}
        self._last_id = b""
        self._times: dict[str, int | None] = {TOPIC: None, SILENT_TOPIC: None}
        if not isinstance(events, Recording):
            self.add(*events)

    def __len__(self) -> int:
        return len(self._recording) + len(self._frames)

    def add(self, *events: SseEvent) -> None:
        """Append events; who reads gets them at once."""
        with self.changed:
            self._index()
            for event in events:
                self._times[event.topic] = event.at_ms
                sent_id = event.id or wikimedia_id(self._times)
                self._enter((event.topic, 0), event.at_ms, sent_id)
                self._frames.append(frame(event, sent_id, self._newline))
            self.changed.notify_all()

    def forget(self, count: int) -> None:
        """Remove the oldest events for good."""
        with self.changed:
            self.first = min(self.first + count, len(self))

    def bytes_of(self, start: int, end: int, size_max: int) -> tuple[memoryview, int]:
        """Return frames from `start` on, before `end`, about `size_max` bytes, and the number of the next one."""
        recorded = len(self._recording)
        if start < recorded:
            starts = self._recording.starts
            stop = int(starts.searchsorted(starts[start] + size_max))
            stop = min(max(stop, start + 1), end, recorded)
            view = memoryview(self._recording.raw)
            return view[int(starts[start]) : int(starts[stop])], stop
        taken, size = start, 0
        while taken < end and (taken == start or size < size_max):
            size += len(self._frames[taken - recorded])
            taken += 1
        return memoryview(b"".join(self._frames[start - recorded : taken - recorded])), taken

    def log_of(self, number: int) -> Log:
        """Return which topic an event lies in."""
        with self.changed:
            self._index()
            return self._logs[number]

    def since(self, at_ms: int) -> int:
        """Return the first event at or after a time."""
        with self.changed:
            self._index()
            found = (topic.from_time(at_ms, len(self)) for topic in self._topics.values())
            return max(min(found, default=len(self)), self.first)

    def resume(self, last_event_id: bytes) -> Start:
        """Return where to go on: for Kafka's ids, topic by topic, at or after the time, or at the end; else at the id itself.

        An id that isn't there begins with what there is.
        """
        with self.changed:
            self._index()
            asked = _asked(last_event_id)
            if asked is None:
                return Start(max(self._by_id.get(last_event_id, 0), self.first), {})
            end = len(self)
            begins = {
                log: end if at_ms is None else self._topics.get(log, _Topic()).from_time(at_ms, end)
                for log, at_ms in asked.items()
            }
            first = max(min(begins.values()), self.first)
            topics = {log: self._topics.get(log, _Topic()) for log in begins}
            later = {log: at for log, at in begins.items() if topics[log].has_between(first, at)}
            return Start(first, later)

    def _index(self) -> None:
        """Learn where the recording's events lie, when that is first asked for."""
        recording = self._recording
        for number in range(len(self._logs), len(recording)):
            begin, end = int(recording.starts[number]), int(recording.starts[number + 1])
            match = _ID.search(recording.raw, begin, end)
            sent_id = match[1] if match else b""
            log, at_ms = _mark(sent_id, self._last_id, self._logs[-1] if self._logs else (TOPIC, 0))
            self._enter(log, at_ms, sent_id)

    def _enter(self, log: Log, at_ms: int, sent_id: bytes) -> None:
        number = len(self._logs)
        self._logs.append(log)
        self._topics.setdefault(log, _Topic()).add(number, at_ms)
        self._last_id = sent_id or self._last_id
        if sent_id and not sent_id.startswith(b"["):
            self._by_id.setdefault(sent_id, number)


def _asked(last_event_id: bytes) -> dict[Log, int | None] | None:
    """Return what is asked for of each topic: a time, or None for the end; None where it isn't Kafka's."""
    if not last_event_id.startswith(b"["):
        return None
    return {
        (place["topic"], place["partition"]): place.get("timestamp")
        for place in json.loads(last_event_id)
    }


def _mark(sent_id: bytes, id_before: bytes, log_before: Log) -> tuple[Log, int]:
    """Return topic and time of a recorded event: of the topic whose time the id before hadn't; else of that one's."""
    asked, known = _asked(sent_id), _asked(id_before) or {}
    if not asked:
        return log_before, 0
    for log, at_ms in asked.items():
        if at_ms is not None and known.get(log) != at_ms:
            return log, at_ms - 1
    return log_before, (asked.get(log_before) or 1) - 1
