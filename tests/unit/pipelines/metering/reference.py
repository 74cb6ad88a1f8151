"""The grammar in plain Python, written from its description: what the kernel must agree with; and sources to feed it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from qanat.pipelines.metering.lines import BadLines, BadReason
from qanat.pipelines.metering.spans import SpanResult

_GOOD = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")
_RAW_BYTES_MAX = 256


@dataclass(frozen=True)
class Bad:
    """A bad line, as a dead letter wants it."""

    line: int
    offset: int
    length: int
    reason: BadReason
    raw: bytes


@dataclass
class Expected:
    """What the lines of a file, or of a part of it, come to."""

    sums: Counter[int] = field(default_factory=Counter)
    good: int = 0
    bad: list[Bad] = field(default_factory=list)


def parse(content: bytes, start: int = 0, stop: int | None = None) -> Expected:
    """Sum the lines whose first byte lies in [start, stop)."""
    expected = Expected()
    stop = len(content) if stop is None else stop
    offset = 0
    number = 0
    while offset < stop and offset < len(content):
        feed = content.find(b"\n", offset)
        end = len(content) if feed < 0 else feed
        line = content[offset:end]
        if feed >= 0 and line.endswith(b"\r"):
            line = line[:-1]
        if offset >= start:
            if match := _GOOD.fullmatch(line):
                expected.sums[int(match[1])] += int(match[2])
                expected.good += 1
            else:
                raw = line[:_RAW_BYTES_MAX]
                expected.bad.append(Bad(number, offset, len(line), reason_of(line), raw))
            number += 1
        offset = end + 1
    return expected


def reason_of(line: bytes) -> BadReason:
    """Say what is wrong first with a bad line."""
    rules = [
        (rb"", BadReason.EMPTY),
        (rb"[0-9]{19}.*", BadReason.CONSUMER_TOO_LONG),
        (rb"[0-9]+", BadReason.SPACE_MISSING),
        (rb" .*", BadReason.CONSUMER_MISSING),
        (rb"[0-9]*[^0-9 ].*", BadReason.CONSUMER_NOT_DIGITS),
        (rb"[0-9]+ ", BadReason.AMOUNT_MISSING),
        (rb"[0-9]+ [^0-9].*", BadReason.AMOUNT_NOT_DIGITS),
        (rb"[0-9]+ [0-9]{19}.*", BadReason.AMOUNT_TOO_LONG),
    ]
    for pattern, reason in rules:
        if re.fullmatch(pattern, line, re.DOTALL):
            return reason
    return BadReason.AMOUNT_FOLLOWED


def listed(batches: list[BadLines]) -> list[Bad]:
    """Bad lines of the kernel, one by one."""
    return [
        Bad(line, offset, length, BadReason(reason), bad.raw[begin:end])
        for bad in batches
        for line, offset, length, reason, (begin, end) in zip(
            bad.lines.tolist(),
            bad.offsets.tolist(),
            bad.lengths.tolist(),
            bad.reasons.tolist(),
            pairwise(bad.raw_ends.tolist()),
            strict=True,
        )
    ]


def sums_of(result: SpanResult) -> Counter[int]:
    """The kernel's sums as plain integers."""
    sums = result.sums
    found: Counter[int] = Counter()
    for consumer, low, high in zip(
        sums.consumer.tolist(), sums.low.tolist(), sums.high.tolist(), strict=True
    ):
        found[consumer] = low + (high << 64)
    return found


class Bytes:
    """Content in memory; any thread may read."""

    sequential = False

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size: int | None = len(content)

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset` on."""
        piece = self.content[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)


class Stream(Bytes):
    """Content that can only be read once, from its start to its end, and whose size isn't known."""

    sequential = True

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.size = None
        self._position = 0

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` with what follows."""
        assert self._position == offset, "a stream is read in order"
        count = super().read_into(view, offset)
        self._position += count
        return count
