"""Made-up streams of events, as Wikimedia's server sends them.

Equal options make equal bytes. 1 M events take about 40 s on one core.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import IO, NamedTuple

import zstandard

from qanat.pipelines.wikimedia.generate.events import uuid_of
from qanat.pipelines.wikimedia.generate.faults import MESSAGE, canary, example, spoiled
from qanat.pipelines.wikimedia.generate.options import Options
from qanat.pipelines.wikimedia.generate.stream import Created, created

__all__ = ["BEGINNING", "Frame", "Options", "encoded", "frames", "write"]

BEGINNING = b":ok\n\n"
"""What the server says first."""

_TOPICS = ("eqiad.mediawiki.page-create", "codfw.mediawiki.page-create")
# A repeat comes at most so long after its event.
_REPEAT_MS = 60_000
_EXAMPLES = 0.2
_WRITE_FRAMES = 1_000
# 8 times as fast as 19, which makes it a tenth smaller.
_LEVEL = 10


class Frame(NamedTuple):
    """One event on its way.

    Attributes:
        at_ms: When it is sent, in milliseconds since 1970; never goes back.
        type: `message`, or `error`.
        data: Its bytes, of one line.
    """

    at_ms: int
    type: str
    data: bytes

    @property
    def id(self) -> str:
        """The position that the server tells with it: a timestamp in one data centre, the end of the other."""
        return (
            f'[{{"topic":"{_TOPICS[0]}","partition":0,"timestamp":{self.at_ms}}},'
            f'{{"topic":"{_TOPICS[1]}","partition":0,"offset":-1}}]'
        )


def frames(options: Options) -> Iterator[Frame]:
    """Yield events in the order in which they are sent."""
    random = Random(options.seed)
    waiting: list[tuple[int, int, str, bytes]] = []
    number = 0
    for event in created(options, random):
        for held_ms, kind, data in _with_others(event, options, random):
            number += 1
            heappush(waiting, (event.at_ms + held_ms, number, kind, data))
        while waiting and waiting[0][0] <= event.at_ms:
            at_ms, _, kind, data = heappop(waiting)
            yield Frame(at_ms, kind, data)
    while waiting:
        at_ms, _, kind, data = heappop(waiting)
        yield Frame(at_ms, kind, data)


def encoded(frame: Frame) -> bytes:
    """Return an event as it stands in the stream."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (frame.type.encode(), frame.id.encode(), frame.data)


def write(path: Path, stream: Iterable[Frame], level: int = _LEVEL) -> int:
    """Write a stream into a file (`.zst`: compressed, so hard); return how many events it has."""
    count = 0
    with path.open("wb") as raw, _packed(path, raw, level) as file:
        file.write(BEGINNING)
        lines: list[bytes] = []
        for frame in stream:
            count += 1
            lines.append(encoded(frame))
            if len(lines) == _WRITE_FRAMES:
                file.write(b"".join(lines))
                lines.clear()
        file.write(b"".join(lines))
    return count


def _packed(path: Path, raw: IO[bytes], level: int) -> AbstractContextManager[IO[bytes]]:
    if path.suffix != ".zst":
        return nullcontext(raw)
    return zstandard.ZstdCompressor(level=level).stream_writer(raw)


def _with_others(
    event: Created, options: Options, random: Random
) -> Iterator[tuple[int, str, bytes]]:
    """Yield an event and what comes with it: (how long it is held up, type, bytes)."""
    shuffle_ms = int(options.shuffle_s * 1_000)
    data = event.text.encode()
    held_ms = random.randrange(shuffle_ms + 1)
    yield held_ms, MESSAGE, data
    if random.random() < options.repeats:
        yield held_ms + random.randrange(_REPEAT_MS), MESSAGE, data
    if random.random() < options.bad:
        yield random.randrange(shuffle_ms + 1), *spoiled(event.text, random)
    if random.random() < options.canaries:
        if random.random() < _EXAMPLES:
            yield 0, MESSAGE, example(event.text)
        else:
            yield (
                0,
                MESSAGE,
                canary(uuid_of(random), event.text.partition('"dt":"')[2].partition('"')[0]),
            )
