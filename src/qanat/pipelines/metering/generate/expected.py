"""What the generated files have to add up to, exactly."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How many files are remembered one by one; older ones are in the totals only, so that an endless
# run's memory is bounded.
FILES_KEPT: Final = 10_000
# Rows turned into Python integers at a time.
_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class BadLine:
    """A malformed line.

    Attributes:
        file: name of the file.
        line: number of the line in it, from 1.
        offset_bytes: where the line begins in the file before compression.
        raw: the line without its terminator (LF, or CRLF).
        kind: one of MALFORMED_KINDS.
    """

    file: str
    line: int
    offset_bytes: int
    raw: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """One file, as handed over.

    Attributes:
        index: its index; with the same options it always gives this file.
        name: its name.
        size_bytes: size before compression.
        stored_bytes: size on disk.
        digest: of the bytes on disk, as in qanat.digests.
        lines_good: lines that count.
        lines_bad: malformed lines.
        amount_sum: sum of all amounts that count.
        bad_lines: the first `bad_lines_kept` malformed lines, in order.
    """

    index: int
    name: str
    size_bytes: int
    stored_bytes: int
    digest: str
    lines_good: int
    lines_bad: int
    amount_sum: int
    bad_lines: tuple[BadLine, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """The exact result of counting every generated file once.

    Attributes:
        file_count: files handed over.
        files: the last FILES_KEPT of them, without their malformed lines.
        size_bytes: size of all before compression.
        lines_good: lines that count.
        lines_bad: malformed lines.
        bad_by_kind: how many there are of each kind that occurs.
        bad_lines: the first `bad_lines_kept` malformed lines.
        amount_sum: sum of all amounts that count; exact, as every sum here.
    """

    file_count: int
    files: tuple[GeneratedFile, ...]
    size_bytes: int
    lines_good: int
    lines_bad: int
    bad_by_kind: Mapping[str, int]
    bad_lines: tuple[BadLine, ...]
    amount_sum: int
    _ids: "NDArray[np.uint64] | range" = field(repr=False)  # by index of the consumer
    _totals: "NDArray[np.uint64]" = field(
        repr=False
    )  # shape (consumers, 2): sum modulo 2^64, lines
    _carries: "NDArray[np.int64]" = field(repr=False)  # what a sum has above 64 bits

    def rows(self) -> Iterator[tuple[int, int]]:
        """Yield (consumer, amount) of every consumer with at least one good line, by ascending
        consumer.
        """
        import numpy as np

        seen = np.flatnonzero(self._totals[:, 1])
        if not isinstance(self._ids, range):
            seen = seen[np.argsort(self._ids[seen])]
        for first in range(0, len(seen), _ROWS):
            chosen = seen[first : first + _ROWS]
            ids = self._ids[0] + chosen if isinstance(self._ids, range) else self._ids[chosen]
            low, high = self._totals[chosen, 0].tolist(), self._carries[chosen].tolist()
            for consumer, below, above in zip(ids.tolist(), low, high, strict=True):
                yield consumer, below + (above << 64)

    def totals(self) -> dict[int, int]:
        """Return amount by consumer. For millions of consumers prefer `rows`."""
        return dict(self.rows())

    def write(self, path: Path) -> Path:
        """Write the totals as CSV (consumer,amount; sorted) and the rest as JSON beside it;
        replaces both.

        Returns:
            The path of the JSON file: `path` with its suffix replaced by .summary.json.
        """
        summary = path.with_suffix(".summary.json")
        _replace(path, self._csv())
        _replace(summary, [json.dumps(self._summary(), indent=1), "\n"])
        return summary

    def _csv(self) -> Iterator[str]:
        yield "consumer,amount\n"
        for consumer, amount in self.rows():
            yield f"{consumer},{amount}\n"

    def _summary(self) -> dict[str, object]:
        import numpy as np

        return {
            "file_count": self.file_count,
            "size_bytes": self.size_bytes,
            "lines_good": self.lines_good,
            "lines_bad": self.lines_bad,
            "bad_by_kind": dict(self.bad_by_kind),
            "amount_sum": self.amount_sum,
            "consumers": int(np.count_nonzero(self._totals[:, 1])),
            "files": [_plain(file) for file in self.files],
            "bad_lines": [_plain(line) for line in self.bad_lines],
        }


def _plain(record: GeneratedFile | BadLine) -> dict[str, object]:
    """Return a record's fields as JSON can hold them: bytes in hexadecimal, lists left out."""
    values = {entry.name: getattr(record, entry.name) for entry in fields(record)}
    values.pop("bad_lines", None)
    return {
        (f"{name}_hex" if isinstance(value, bytes) else name): (
            value.hex() if isinstance(value, bytes) else value
        )
        for name, value in values.items()
    }


def _replace(path: Path, texts: Iterable[str]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(texts)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
