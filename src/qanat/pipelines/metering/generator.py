"""The generator: files of `consumer amount` lines with an exactly known result.

    options = GeneratorOptions(files=3, distribution="zipf", bad_share=0.001, seed=7)
    expected = generate(options, Path("incoming"))
    expected.totals()[1], expected.lines_bad

Nothing but the options is loaded by importing this module; the first call compiles, for some
seconds once per installation.
"""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qanat.clock import Clock, SystemClock
from qanat.digests import ALGORITHM
from qanat.errors import ConfigError
from qanat.pipelines.metering.generate.encode import Encoder
from qanat.pipelines.metering.generate.expected import FILES_KEPT, BadLine, Expected, GeneratedFile
from qanat.pipelines.metering.generate.handover import HandOver, clean_leftovers
from qanat.pipelines.metering.generate.malformed import MALFORMED_KINDS
from qanat.pipelines.metering.generate.options import GeneratorOptions
from qanat.pipelines.metering.generate.pace import Pace

if TYPE_CHECKING:
    from qanat.pipelines.metering.generate.lines import Block, LineMaker

__all__ = [
    "MALFORMED_KINDS",
    "BadLine",
    "Expected",
    "GeneratedFile",
    "GeneratorOptions",
    "expect",
    "generate",
    "generate_stream",
]


def generate(
    options: GeneratorOptions,
    folder: Path,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    on_file: Callable[[GeneratedFile], None] | None = None,
) -> Expected:
    """Write files into `folder` (made if absent) and return what they add up to.

    Every file appears whole, by rename, and is on disk by then; none is ever overwritten. Temporary
    files that killed generators left in the folder are deleted first.

    Args:
        options: what to write.
        folder: where to.
        clock: for the rates.
        stop: when set, the run ends within a block (1 MiB) or 0.1 s; the file being written is
            given up and not in the result.
        on_file: called after each file has appeared, with its exact result.

    Raises:
        ConfigError: a file of that name exists already.
        Busy: another generator is writing a file of that name.
        OSError: the file can't be written. Files handed over before stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clean_leftovers(folder)
    stop = stop or threading.Event()
    run = _Run(options)
    pace = Pace(options, clock or SystemClock(), stop)
    for index in options.indexes():
        pace.begin_file()
        if stop.is_set():
            break
        file = _write_file(run, index, folder, pace, stop)
        if file is None:
            break
        if on_file is not None:
            on_file(file)
    return run.expected()


def expect(options: GeneratorOptions) -> Expected:
    """Return what `generate` would return, without writing anything.

    A file depends on its index alone, so `expect(replace(options, files=1, first_index=i))` gives
    the totals of one file.

    Raises:
        ConfigError: the files aren't counted.
    """
    if options.files is None:
        raise ConfigError("files", None, "a number", "What endless files add up to is never known.")
    run = _Run(options)
    for index in options.indexes():
        file = run.begin(index)
        for _ in file.stored():
            pass
        run.add(file)
    return run.expected()


def generate_stream(options: GeneratorOptions, index: int | None = None) -> Iterator[bytes]:
    """Yield the lines of one file before compression, in blocks of whole lines: that with `index`,
    or the first.
    """
    from qanat.pipelines.metering.generate.lines import LineMaker

    for block in LineMaker(options).blocks(options.first_index if index is None else index):
        yield bytes(block.data)


def _write_file(
    run: "_Run", index: int, folder: Path, pace: Pace, stop: threading.Event
) -> GeneratedFile | None:
    """Write one file and hand it over; None if it was given up."""
    file = run.begin(index)
    with HandOver(folder, file.name, durable=run.options.durable) as handover:
        for stored, size_bytes in file.stored():
            handover.write(stored)
            pace.spend(size_bytes)
            if stop.is_set():
                run.lines.take_back(index)
                return None
        handover.publish(file.side_file() if run.options.side_files else None)
    return run.add(file)


class _File:
    """One file in the making: its bytes on disk, and what its lines say."""

    def __init__(self, options: GeneratorOptions, lines: "LineMaker", index: int) -> None:
        self.name = options.file_name(index)
        self.bad_by_kind: Counter[str] = Counter()
        self._options = options
        self._lines = lines
        self._index = index
        self._encoder = Encoder(options)
        self._size_bytes = self._lines_good = self._amount_sum = 0
        self._bad_lines: list[BadLine] = []

    def stored(self) -> Iterator[tuple[bytes | memoryview, int]]:
        """Yield (bytes to be written, size before compression) until the file is complete."""
        for block in self._lines.blocks(self._index):
            self._count(block)
            yield self._encoder.encode(block.data), len(block.data)
        yield self._encoder.finish(), 0

    def result(self) -> GeneratedFile:
        """Return the exact result of the file, once it is complete."""
        return GeneratedFile(
            index=self._index,
            name=self.name,
            size_bytes=self._size_bytes,
            stored_bytes=self._encoder.stored_bytes,
            digest=self._encoder.hexdigest(),
            lines_good=self._lines_good,
            lines_bad=self.bad_by_kind.total(),
            amount_sum=self._amount_sum,
            bad_lines=tuple(self._bad_lines),
        )

    def side_file(self) -> bytes:
        """Return the content of the side file, which tells a reader that it has the whole file."""
        digest = self._encoder.hexdigest()
        fields = {"size": self._encoder.stored_bytes, "digest": digest, "algorithm": ALGORITHM}
        return json.dumps(fields).encode() + b"\n"

    def _count(self, block: "Block") -> None:
        self._size_bytes += len(block.data)
        self._lines_good += block.lines_good
        self._amount_sum += block.amount_sum
        for kind in block.bad[:, 3].tolist():
            self.bad_by_kind[self._options.bad_kinds[kind]] += 1
        room = self._options.bad_lines_kept - len(self._bad_lines)
        self._bad_lines += self._lines.bad_lines(block, self.name, room)


class _Run:
    """All files of one run: what `Expected` will say."""

    def __init__(self, options: GeneratorOptions) -> None:
        from qanat.pipelines.metering.generate.lines import LineMaker

        self.options = options
        self.lines = LineMaker(options)
        self._files: deque[GeneratedFile] = deque(maxlen=FILES_KEPT)
        self._file_count = self._size_bytes = self._lines_good = self._amount_sum = 0
        self._bad_by_kind: Counter[str] = Counter()
        self._bad_lines: list[BadLine] = []

    def begin(self, index: int) -> _File:
        """Return the file with `index`, to be made next."""
        return _File(self.options, self.lines, index)

    def add(self, file: _File) -> GeneratedFile:
        """Enter a file that is complete, and return its result."""
        result = file.result()
        self._files.append(replace(result, bad_lines=()))
        self._file_count += 1
        self._size_bytes += result.size_bytes
        self._lines_good += result.lines_good
        self._amount_sum += result.amount_sum
        self._bad_by_kind += file.bad_by_kind
        self._bad_lines += result.bad_lines[: self.options.bad_lines_kept - len(self._bad_lines)]
        return result

    def expected(self) -> Expected:
        """Return what all entered files add up to."""
        return Expected(
            file_count=self._file_count,
            files=tuple(self._files),
            size_bytes=self._size_bytes,
            lines_good=self._lines_good,
            lines_bad=self._bad_by_kind.total(),
            bad_by_kind=dict(self._bad_by_kind),
            bad_lines=tuple(self._bad_lines),
            amount_sum=self._amount_sum,
            _ids=self.lines.ids,
            _totals=self.lines.totals,
            _carries=self.lines.carries,
        )
