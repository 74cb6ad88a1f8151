"""The grammar in plain Python, written from its description: what the kernel must agree with; and sources to feed it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from qanat.pipelines.metering.lines import PLAIN, BadLines, BadReason, Grammar
from qanat.pipelines.metering.spans import SpanResult

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


def amount_of(text: bytes, grammar: Grammar) -> int:
    """Return a good amount in units of the last decimal."""
    whole, _, fraction = text.partition(b".")
    return int(Decimal(f"{whole.decode()}.{fraction.decode()}0").scaleb(grammar.decimals))


def good_line(grammar: Grammar) -> re.Pattern[bytes]:
    """Return what matches a good line."""
    sign = "-?" if grammar.signed else ""
    fraction = f"([.][0-9]{{1,{grammar.decimals}}})?" if grammar.decimals else ""
    return re.compile(
        f"([0-9]{{1,18}}) ({sign}[0-9]{{1,{18 - grammar.decimals}}}{fraction})".encode()
    )


def parse(
    content: bytes, start: int = 0, stop: int | None = None, grammar: Grammar = PLAIN
) -> Expected:
    """Sum the lines whose first byte lies in [start, stop)."""
    expected = Expected()
    good = good_line(grammar)
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
            if match := good.fullmatch(line):
                expected.sums[int(match[1])] += amount_of(match[2], grammar)
                expected.good += 1
            else:
                raw = line[:_RAW_BYTES_MAX]
                expected.bad.append(Bad(number, offset, len(line), reason_of(line, grammar), raw))
            number += 1
        offset = end + 1
    return expected


def reason_of(line: bytes, grammar: Grammar = PLAIN) -> BadReason:
    """Say what is wrong first with a bad line."""
    sign = b"(?:-|(?!-))" if grammar.signed else b""
    start = rb"[0-9]+ " + sign
    pointed = [
        (start + rb"[.].*", BadReason.POINT_ALONE),
        (start + rb"[0-9]+[.]([^0-9].*)?", BadReason.POINT_ALONE),
        (start + rb"[0-9]+[.][0-9]{%d}.*" % (grammar.decimals + 1), BadReason.DECIMALS_TOO_MANY),
    ]
    rules = [
        (rb"", BadReason.EMPTY),
        (rb"[0-9]{19}.*", BadReason.CONSUMER_TOO_LONG),
        (rb"[0-9]+", BadReason.SPACE_MISSING),
        (rb" .*", BadReason.CONSUMER_MISSING),
        (rb"[0-9]*[^0-9 ].*", BadReason.CONSUMER_NOT_DIGITS),
        *([] if grammar.signed else [(rb"[0-9]+ -.*", BadReason.AMOUNT_NEGATIVE)]),
        (start, BadReason.AMOUNT_MISSING),
        (start + rb"[0-9]{19}.*", BadReason.AMOUNT_TOO_LONG),
        (start + rb"[0-9]{%d}.*" % (19 - grammar.decimals), BadReason.AMOUNT_TOO_GREAT),
        *(pointed if grammar.decimals else []),
        (start + rb"[^0-9].*", BadReason.AMOUNT_NOT_DIGITS),
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


def signed(low: int, high: int) -> int:
    """Return the number of two words in two's complement."""
    return int.from_bytes(
        low.to_bytes(8, "little") + high.to_bytes(8, "little"), "little", signed=True
    )


def sums_of(result: SpanResult) -> Counter[int]:
    """The kernel's sums as plain integers."""
    sums = result.sums
    found: Counter[int] = Counter()
    for consumer, low, high in zip(
        sums.consumer.tolist(), sums.low.tolist(), sums.high.tolist(), strict=True
    ):
        found[consumer] = signed(low, high)
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
