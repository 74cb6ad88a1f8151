"""Prepared server-sent events: made, disturbed, and kept in files exactly as on the wire."""

import json
import mmap
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

EVENT = b"message"
TOPIC = "eqiad.mediawiki.page-create"
SILENT_TOPIC = "codfw.mediawiki.page-create"
"""Wikimedia's streams come from two data centres, of which one is silent, as a rule."""

CANARY = (
    b'{"$schema":"/mediawiki/revision/create/2.0.0",'
    b'"meta":{"id":"canary-%d","domain":"canary","stream":"mediawiki.page-create"}}'
)


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event, with the time that its server knows it by.

    Attributes:
        at_ms: When it was produced, in ms since 1970.
        topic: The Kafka topic that it lies in.
        id: As sent; empty for Wikimedia's form, which the server makes.
    """

    data: bytes
    at_ms: int = 0
    topic: str = TOPIC
    event: bytes = EVENT
    id: bytes = b""


def wikimedia_id(times: dict[str, int | None]) -> bytes:
    """Return an id as Wikimedia's servers make it: for each topic the time of its last event plus 1, or the end (None)."""
    places: list[dict[str, object]] = [
        {"topic": topic, "partition": 0}
        | ({"offset": -1} if at_ms is None else {"timestamp": at_ms + 1})
        for topic, at_ms in times.items()
    ]
    return json.dumps(places, separators=(",", ":")).encode()


def frame(event: SseEvent, sent_id: bytes, newline: bytes = b"\n") -> bytes:
    """Return an event as on the wire; data of several lines becomes as many fields."""
    fields = (
        [b"event: " + event.event, b"id: " + sent_id] if sent_id else [b"event: " + event.event]
    )
    data = [b"data: " + line for line in event.data.split(b"\n")]
    return newline.join([*fields, *data, b"", b""])


def shuffled(events: Sequence[SseEvent], window_ms: int, seed: int) -> list[SseEvent]:
    """Return the events out of order: each comes at most `window_ms` later than it would by its time.

    It is an order of the history itself, as Kafka has it when producers are late: whoever resumes gets it again.
    """
    chance = random.Random(seed)
    return sorted(events, key=lambda event: event.at_ms + chance.random() * window_ms)


def repeated(events: Iterable[SseEvent], share: float, seed: int) -> Iterator[SseEvent]:
    """Yield the events, of which a share comes twice in a row."""
    chance = random.Random(seed)
    for event in events:
        yield event
        if chance.random() < share:
            yield event


def with_canaries(events: Iterable[SseEvent], every: int) -> Iterator[SseEvent]:
    """Yield the events with a canary event, as Wikimedia's servers send them, before each `every`-th."""
    for number, event in enumerate(events):
        if number % every == 0:
            yield replace(event, data=CANARY % number)
        yield event


class Recording:
    """Frames that lie behind one another in memory or in a file, with the places where each begins.

    Attributes:
        raw: The bytes.
        starts: Where each frame begins, and the end of the last one; int64.
    """

    def __init__(self, raw: bytes | mmap.mmap) -> None:
        self.raw = raw
        self.starts = _frames(raw)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> bytes:
        return bytes(self.raw[int(self.starts[number]) : int(self.starts[number + 1])])


def read_recording(path: Path) -> Recording:
    """Open a recording: the bytes of a stream, in a file `.sse` or, compressed, `.sse.zst`."""
    if path.suffix == ".zst":
        import zstandard

        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as plain:
            return Recording(plain.read())
    with path.open("rb") as file:
        if not path.stat().st_size:
            return Recording(b"")
        return Recording(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def write_recording(path: Path, events: Iterable[SseEvent], newline: bytes = b"\n") -> None:
    """Write events as a recording; ids that they lack are made as Wikimedia's server would."""
    times: dict[str, int | None] = {TOPIC: None, SILENT_TOPIC: None}
    chunks = [b":ok" + newline * 2]
    for event in events:
        times[event.topic] = event.at_ms
        chunks.append(frame(event, event.id or wikimedia_id(times), newline))
    raw = b"".join(chunks)
    if path.suffix == ".zst":
        import zstandard

        raw = zstandard.ZstdCompressor().compress(raw)
    path.write_bytes(raw)


# Line ends of this many bytes are looked for at once, so that a large recording isn't held in memory for it.
_CHUNK_BYTES = 64 << 20


def _frames(raw: bytes | mmap.mmap) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Find the frames: each ends with a blank line. A first one without fields, such as `:ok`, is left out."""
    view = np.frombuffer(raw, np.uint8) if len(raw) else np.empty(0, np.uint8)
    found = []
    for at in range(0, len(view), _CHUNK_BYTES):
        feeds = np.flatnonzero(view[at : at + _CHUNK_BYTES] == 10) + at
        before, returned = view[feeds - 1], view[np.maximum(feeds - 2, 0)]
        blank = (before == 10) | ((before == 13) & (returned == 10))
        found.append(feeds[blank & (feeds > 1)] + 1)
    ends = np.concatenate([np.zeros(1, np.int64), *found])
    greeting = len(ends) > 1 and all(
        line.startswith(b":") for line in bytes(raw[: int(ends[1])]).split()
    )
    return ends[1:] if greeting else ends
