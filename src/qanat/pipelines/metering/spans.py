"""Summing a span of a file: cut into blocks, read by several threads, each byte hashed and summed from one buffer."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from qanat.digests import CHUNK_BYTES
from qanat.pipelines.metering.blocks import Aborted, Block, Blocks
from qanat.pipelines.metering.delivery import Delivery
from qanat.pipelines.metering.kernel.native import Kernel, load
from qanat.pipelines.metering.kernel.summing import KeysFull, Summing, Words, merge
from qanat.pipelines.metering.keys import KeyRange, estimate_keys
from qanat.pipelines.metering.lines import PLAIN, BadLines, Grammar
from qanat.pipelines.metering.sums import Carries, Sums
from qanat.runtime.filework import ByteSource, KeysExceeded

# Blocks for each thread at least, where there are chunks enough, so that all are busy to the end.
_BLOCKS_PER_THREAD: Final = 8

_Part = tuple[Words, Carries]


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file.

    Attributes:
        start: A multiple of the digests' chunks.
        stop: A multiple of the digests' chunks, or the file's end; None for the end wherever it is.
    """

    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a span is read; tests make it small.

    Attributes:
        chunk_bytes: What is read, hashed and summed at a time.
        block_chunks_max: What a thread takes at a time. 16 MiB: two short reads at its ends cost nothing beside it, and all
            threads finish within 10 ms.
        grammar: What an amount may be; with decimals all sums are in units of the last one.
    """

    chunk_bytes: int = CHUNK_BYTES
    block_chunks_max: int = 16
    grammar: Grammar = PLAIN


@dataclass(frozen=True, slots=True)
class SpanResult:
    """What a span came to.

    A line belongs to the span in which its first byte lies.

    Attributes:
        sums: Of the consumers in the key range.
        total: The sum of these sums.
        lines_good: Good lines, of all key ranges.
        lines_bad: All other lines.
        digests: 8-byte digests (`qanat.digests`) of the span's chunks, in order.
        stop: Where the span ends; of use where that wasn't known.
        ends_with_newline: Whether its last byte is a line feed; True for an empty span.
    """

    sums: Sums
    total: int
    lines_good: int
    lines_bad: int
    digests: bytes
    stop: int
    ends_with_newline: bool


def sum_span(
    source: ByteSource,
    span: Span,
    *,
    threads: int,
    max_keys: int,
    key_range: KeyRange = KeyRange(),  # noqa: B008 - immutable
    on_block: Callable[[int], None] | None = None,
    on_bad: Callable[[BadLines], None] | None = None,
    cutting: Cutting = Cutting(),
) -> SpanResult:
    """Sum the lines of `span`, per consumer.

    Memory: for each thread a table of at most `max_keys / threads` consumers, 20 to 40 bytes for each that is there (64 MiB
    at 3 million), half as much again while one of the tables grows, and 2 MiB of buffers; at the end 24 bytes for each
    consumer of the result, made while the tables, shrunk to 16 bytes a consumer, are still there.

    Args:
        source: A sequential one is read by one thread, from its start on, each byte once.
        span: What to sum.
        threads: How many threads may work. They are busy in the kernel and in reads, without the GIL.
        max_keys: Distinct consumers in memory at a time, over all threads. A consumer counts once for each thread.
        key_range: Only these consumers are summed.
        on_block: Called by the summing threads, several at once, after every read with the bytes of the span that it
            read (0 for the rest of a line beyond the span). It may wait. What it raises ends all threads and is raised.
        on_bad: Called with bad lines in the order of the file, by one thread at a time, at most 1,024 lines a call.
            Only in key range 0, so that of several passes over a file one tells them. What it raises is raised.
        cutting: How the span is read.

    Raises:
        KeysExceeded: There are more consumers than `max_keys` allows; cut the file into more key ranges.
        SourceChanged: The file ended before its size.
    """
    blocks = _cut(source, span, threads, cutting)
    workers = min(threads, len(blocks))
    delivery = Delivery(on_bad if key_range.index == 0 else None)
    work = Blocks(
        source,
        blocks,
        chunk_bytes=cutting.chunk_bytes,
        on_block=on_block,
        delivery=delivery,
    )
    kernel = load()
    summings = _summings(kernel, workers, max_keys, key_range, cutting)
    parts = _run_or_release(work, summings, source.size, key_range)
    sums = _merged(kernel, parts)
    bad_lines = sum(summing.bad_lines for summing in summings)
    return SpanResult(
        sums=sums,
        total=sums.total(),
        lines_good=delivery.lines - bad_lines,
        lines_bad=bad_lines,
        digests=work.digests,
        stop=work.end,
        ends_with_newline=work.ends_with_newline,
    )


def _summings(
    kernel: Kernel,
    workers: int,
    max_keys: int,
    key_range: KeyRange,
    cutting: Cutting,
) -> list[Summing]:
    """Make a summing for each worker; one of their tables grows at a time."""
    growing = threading.Lock()
    return [
        Summing(
            kernel,
            chunk_bytes=cutting.chunk_bytes,
            keys_max=max(1, max_keys // workers),
            key_range=(key_range.index, key_range.bits),
            growing=growing,
            grammar=cutting.grammar,
        )
        for _ in range(workers)
    ]


def _cut(source: ByteSource, span: Span, threads: int, cutting: Cutting) -> list[Block]:
    """Cut a span into blocks. A sequential source is one."""
    stop = source.size if span.stop is None else span.stop
    if span.start % cutting.chunk_bytes or (
        stop is not None and stop % cutting.chunk_bytes and stop != source.size
    ):
        raise ValueError(f"{span} doesn't begin and end at chunks of {cutting.chunk_bytes} bytes")
    if source.sequential and span.start:
        raise ValueError(f"{span} doesn't begin where a sequential source does")
    if stop is None or source.sequential:
        return [Block(0, span.start, stop)]
    chunks = math.ceil((stop - span.start) / cutting.chunk_bytes)
    of_each = max(1, min(cutting.block_chunks_max, chunks // (threads * _BLOCKS_PER_THREAD)))
    size = of_each * cutting.chunk_bytes
    starts = range(span.start, stop, size) or [span.start]
    return [Block(number, start, min(start + size, stop)) for number, start in enumerate(starts)]


def _run_or_release(
    work: Blocks, summings: list[Summing], size: int | None, key_range: KeyRange
) -> list[_Part]:
    try:
        return _run(work, summings, size, key_range)
    except BaseException:
        # What was raised leads back to the threads' frames, and they to these, until Python looks for cycles: late.
        for summing in summings:
            summing.release()
        raise


def _run(
    work: Blocks, summings: list[Summing], size: int | None, key_range: KeyRange
) -> list[_Part]:
    """Let each of `summings` work in a thread of its own; return what they have."""

    def sum_blocks(summing: Summing) -> _Part:
        try:
            work.sum_all(summing)
        except KeysFull as error:
            work.abort()
            share = summing.summed_bytes / size if size else None
            keys = estimate_keys(summing.keys, summing.added, share)
            raise KeysExceeded(keys * key_range.of) from error
        except BaseException:
            work.abort()
            raise
        return summing.finish()

    if len(summings) == 1:
        return [sum_blocks(summings[0])]
    with ThreadPoolExecutor(len(summings), thread_name_prefix="qanat-sum") as pool:
        futures = [pool.submit(sum_blocks, summing) for summing in summings]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            # An interrupt of this thread: leaving the pool waits for the others.
            work.abort()
            raise
    return _results(futures)


def _results(futures: list[Future[_Part]]) -> list[_Part]:
    """Return the results, or raise what went wrong first, not what that led to."""
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, Aborted):
            raise error
    return [future.result() for future in futures]


def _merged(kernel: Kernel, parts: list[_Part]) -> Sums:
    """Merge what the threads found; uses `parts` up, so that their memory is free early."""
    records, carries = parts.pop()
    while parts:
        other, other_carries = parts.pop()
        records, wrapped = merge(kernel, records, other)
        carries = carries.joined(other_carries).joined(wrapped)
    return Sums.from_records(records, carries)
