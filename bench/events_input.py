"""The input of bench/events.py: a made-up stream as on the wire, and the same events one a line. Made once and kept."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from qanat.pipelines.wikimedia.generator import Options, encoded, frames

_WRITE_FRAMES = 1_000


@dataclass(frozen=True, slots=True)
class Input:
    """A stream in files.

    Attributes:
        wire: As a server sends it: `.sse`.
        lines: The data alone, one event a line.
        events: How many it has, repeats and what can't be used included.
        creations: How many different creations of pages it tells.
    """

    wire: Path
    lines: Path
    events: int
    creations: int


def made(folder: Path, count: int, seed: int) -> Input:
    """Return the stream of `count` creations; 1 % repeats, 1 % bad ones and 0.5 % canaries come besides."""
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(count=count, seed=seed)
    name = hashlib.sha256(repr(options).encode()).hexdigest()[:12]
    wire, lines, told = (folder / f"events-{name}.{end}" for end in ("sse", "ndjson", "json"))
    if not told.exists():
        events = _write(wire, lines, options)
        told.write_text(json.dumps({"events": events, "creations": count}))
    known = json.loads(told.read_text())
    return Input(wire, lines, known["events"], known["creations"])


def _write(wire: Path, lines: Path, options: Options) -> int:
    events = 0
    with wire.open("wb") as sent, lines.open("wb") as plain:
        sent.write(b":ok\n\n")
        waiting, bare = list[bytes](), list[bytes]()
        for frame in frames(options):
            events += 1
            waiting.append(encoded(frame))
            bare.append(frame.data)
            if len(waiting) == _WRITE_FRAMES:
                _flush(sent.write, waiting, b"")
                _flush(plain.write, bare, b"\n")
        _flush(sent.write, waiting, b"")
        _flush(plain.write, bare, b"\n")
    return events


def _flush(write, waiting: list[bytes], end: bytes) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    write(b"".join(one + end for one in waiting))
    waiting.clear()
