"""The input of the proof, with what it comes to: counted here line by line in plain Python, apart from everything that is
proved.

Every amount ends in 00000001, so that a total tells its lines: the sum of a consumer's amounts, modulo 10^8, is how many
lines of his count. A lost line and a doubled one can be told from each other by that, and from one with another amount.
"""

import gzip
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from qanat.pipelines.metering.generate.options import GeneratorOptions
from qanat.pipelines.metering.generator import generate_stream

LINES_MODULUS: Final = 10**8
_MARK: Final = b"00000001"
_OWN_DIGITS_MAX: Final = 10  # 18 less the mark

_GOOD: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")
_AMOUNT: Final = re.compile(rb"^([0-9]{1,18} )([0-9]{1,18})(?=\r?(?:\n|\Z))", re.MULTILINE)

# Kinds of items, in this order again and again: one in four is cut into parts, one in eight has more consumers than may be in
# memory, two in eight are compressed.
_LARGE_EVERY: Final = 4
_LARGE_TIMES: Final = 8
_WIDE, _GZ, _ZST = 6, 1, 5
_KINDS: Final = 8
_CONSUMERS: Final = 300
_CONSUMERS_WIDE: Final = 20_000


class Letter(NamedTuple):
    """A malformed line: its number from 1, where it begins, and all of it without its end."""

    line: int
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Truth:
    """What one file comes to."""

    sums: Mapping[int, int]
    lines_good: int
    letters: Sequence[Letter]

    @property
    def lines(self) -> int:
        """All lines, malformed ones included."""
        return self.lines_good + len(self.letters)


@dataclass(frozen=True, slots=True)
class StockItem:
    """A file that may be handed over: where it lies, the end of its name, its size before compression, what it comes to."""

    path: Path
    suffix: str
    size_bytes: int
    truth: Truth


class Stock:
    """Files for all grounds, made when they are first wanted. Any thread may use it.

    Args:
        folder: Where they are kept.
        size_bytes: Of an ordinary one.
    """

    def __init__(self, folder: Path, seed: int, size_bytes: int) -> None:
        self._folder = folder
        self._seed = seed
        self._size_bytes = size_bytes
        self._items: dict[int, StockItem] = {}
        self._lock = threading.Lock()

    @property
    def large_bytes(self) -> int:
        """Files above this size are the large ones."""
        return 2 * self._size_bytes

    def item(self, number: int) -> StockItem:
        """Return the `number`th item; the same seed gives the same bytes."""
        with self._lock:
            if number not in self._items:
                self._items[number] = self._make(number)
            return self._items[number]

    def _make(self, number: int) -> StockItem:
        content = _marked(b"".join(generate_stream(self._options(number), number)))
        suffix = {_GZ: ".gz", _ZST: ".zst"}.get(number % _KINDS, "")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{number}{suffix}"
        path.write_bytes(_compressed(content, suffix))
        return StockItem(path, suffix, len(content), truth_of(content))

    def _options(self, number: int) -> GeneratorOptions:
        large = number % _LARGE_EVERY == _LARGE_EVERY - 1
        size_bytes = self._size_bytes * (_LARGE_TIMES if large else 1)
        return GeneratorOptions(
            seed=self._seed,
            size_bytes_min=size_bytes - size_bytes // 4,
            size_bytes_max=size_bytes,
            consumers=_CONSUMERS_WIDE if number % _KINDS == _WIDE else _CONSUMERS,
            consumer_digits=18,
            bad_share=0.003,
            crlf_share=0.01,
            padded_share=0.2,
            unterminated_share=0.5,
        )


def truth_of(content: bytes) -> Truth:
    """Count the lines of a file."""
    sums: Counter[int] = Counter()
    letters: list[Letter] = []
    good = 0
    for number, (offset, line) in enumerate(_lines(content), 1):
        match = _GOOD.fullmatch(line)
        if match:
            sums[int(match[1])] += int(match[2])
            good += 1
        else:
            letters.append(Letter(number, offset, line))
    return Truth(sums, good, letters)


def lines_in(total: int) -> int:
    """Return how many lines a sum of marked amounts is made of."""
    return total % LINES_MODULUS


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line without its end). A CR before the end of the file belongs to the last line."""
    start = 0
    while start < len(content):
        stop = content.find(b"\n", start)
        if stop < 0:
            yield start, content[start:]
            return
        yield start, content[start:stop].removesuffix(b"\r")
        start = stop + 1


def _marked(content: bytes) -> bytes:
    """Mark the amounts of all good lines; what becomes of the malformed ones doesn't matter."""
    return _AMOUNT.sub(lambda match: match[1] + match[2][-_OWN_DIGITS_MAX:] + _MARK, content)


def _compressed(content: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(content, 1)
    return bytes(zstandard.compress(content, 1)) if suffix else content
