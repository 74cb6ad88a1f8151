"""Spans, blocks, threads and key ranges: any way to cut the work comes to the same."""

import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.digests import ChunkDigest, combine_digests
from qanat.errors import FileChanged
from qanat.pipelines.metering.blocks import SourceChanged
from qanat.pipelines.metering.kernel.summing import Summing
from qanat.pipelines.metering.keys import KeyRange
from qanat.pipelines.metering.lines import BadLines
from qanat.pipelines.metering.spans import Cutting, Span, sum_span
from qanat.runtime.filework import KeysExceeded
from tests.unit.pipelines.metering.reference import Bytes, Stream, listed, parse, sums_of

LINES = st.lists(
    st.sampled_from([b"1 2\n", b"22 33\r\n", b"x\n", b"\n", b"5" * 50 + b" 1\n"])
    | st.integers(0, 10**18 - 1).map(lambda number: b"%d %d\n" % (number, number // 3)),
    max_size=60,
).map(b"".join)


@given(LINES, st.integers(1, 90), st.lists(st.integers(0, 40), max_size=4), st.booleans())
def test_spans_of_any_cut_add_up(content: bytes, chunk: int, cuts: list[int], end: bool) -> None:
    """Spans that follow each other count each line once; numbers and digests join into the whole's."""
    source = Bytes(content if end else content[:-1])
    size = len(source.content)
    inner = sorted({cut * chunk for cut in cuts if 0 < cut * chunk < size})
    borders = [0, *inner, size]
    sums: Counter[int] = Counter()
    digests = b""
    for start, stop in pairwise(borders):
        batches: list[BadLines] = []
        result = sum_span(
            source,
            Span(start, stop),
            threads=2,
            max_keys=10_000,
            on_bad=batches.append,
            cutting=Cutting(chunk, 2),
        )
        expected = parse(source.content, start, stop)
        assert expected.bad == listed(batches)
        assert (expected.good, len(expected.bad)) == (result.lines_good, result.lines_bad)
        assert stop == result.stop
        sums += sums_of(result)
        digests += result.digests
    whole = sum_span(source, Span(0, size), threads=1, max_keys=10_000, cutting=Cutting(chunk))
    # Counters drop zeros when they are added.
    assert sums == +sums_of(whole)
    assert digests == whole.digests


@given(LINES, st.sampled_from([1, 2, 8, 64]), st.integers(1, 3))
def test_key_ranges_share_the_consumers(content: bytes, ranges: int, threads: int) -> None:
    """Each consumer is in one range; lines are counted in all, but only the first tells bad ones."""
    expected = parse(content)
    sums: Counter[int] = Counter()
    batches: list[BadLines] = []
    for index in range(ranges):
        key_range = KeyRange(index, ranges)
        result = sum_span(
            Bytes(content),
            Span(0, len(content)),
            threads=threads,
            max_keys=10_000,
            key_range=key_range,
            on_bad=batches.append,
            cutting=Cutting(64, 1),
        )
        found = sums_of(result)
        assert key_range.contains(result.sums.consumer).all()
        assert not sums.keys() & found.keys()
        assert (expected.good, len(expected.bad)) == (result.lines_good, result.lines_bad)
        assert found.total() == result.total
        sums.update(found)
    assert expected.sums == sums
    assert expected.bad == listed(batches)


def test_key_ranges_are_even() -> None:
    """Numbered consumers, and those with a large stride, spread over the ranges within a few per cent."""
    for stride in (1, 1000, 2**30, 10**8):
        consumers = np.arange(100_000, dtype=np.int64) * stride
        parts = [int(KeyRange(index, 16).contains(consumers).sum()) for index in range(16)]
        assert 100_000 == sum(parts)
        assert max(parts) < 6250 * 1.1


@pytest.mark.parametrize(("index", "of"), [(0, 3), (2, 2), (-1, 2), (0, 0)])
def test_key_range_that_is_none(index: int, of: int) -> None:
    """The number of ranges is a power of two, and an index lies in it."""
    with pytest.raises(ValueError, match="power of two"):
        KeyRange(index, of)


@pytest.mark.parametrize("stride", [1, 7, 10**8, 2 * 10**8, 2**40, 1346269])
@pytest.mark.parametrize("ranges", [1, 2])
def test_table_grows(stride: int, ranges: int) -> None:
    """Any number of consumers, also regular ones that crowd together in the table, each with its own sum."""
    consumers = range(0, 100_000 * stride, stride)
    content = b"".join(b"%d %d\n" % (consumer, consumer % 1000) for consumer in consumers) * 2
    found: Counter[int] = Counter()
    for index in range(ranges):
        result = sum_span(
            Bytes(content),
            Span(0, len(content)),
            threads=2,
            max_keys=400_000,
            key_range=KeyRange(index, ranges),
        )
        assert (np.diff(result.sums.consumer) > 0).all()
        found.update(sums_of(result))
    assert {consumer: consumer % 1000 * 2 for consumer in consumers} == found


@pytest.mark.parametrize("threads", [1, 3])
def test_sums_beyond_64_bits(threads: int) -> None:
    """Sums are exact beyond 2^64 and 2^70, over threads and for several consumers."""
    largest = 10**18 - 1
    content = b"7 %d\n0 %d\n7 1\n5 5\n" % (largest, largest - 12345) * 5000
    result = sum_span(
        Bytes(content), Span(0, len(content)), threads=threads, max_keys=100, cutting=Cutting(4096)
    )
    expected = {7: (largest + 1) * 5000, 0: (largest - 12345) * 5000, 5: 25_000}
    assert expected == sums_of(result)
    assert 2**70 < sum(expected.values()) == result.total
    table = result.sums.to_arrow()
    assert expected == {row["consumer"]: int(row["amount"]) for row in table.to_pylist()}
    assert "decimal128(38, 0)" == str(table.schema.field("amount").type)


def test_carries_outgrow_their_log() -> None:
    """Some hundred thousand wraps of low words of many consumers are all counted."""
    largest = 10**18 - 1
    content = b"".join(b"%d %d\n" % (consumer, largest) for consumer in range(2000)) * 600
    result = sum_span(Bytes(content), Span(0, len(content)), threads=1, max_keys=2000)
    assert dict.fromkeys(range(2000), largest * 600) == sums_of(result)


def test_digests_are_those_of_the_file() -> None:
    """Whatever the threads, the chunk digests combine into the digest of the content."""
    content = b"12345 6789\n" * 300_000
    digest = ChunkDigest()
    digest.update(content)
    for source in (Bytes(content), Stream(content)):
        for threads in (1, 2):
            if not (source.sequential and threads == 2):
                result = sum_span(source, Span(0, source.size), threads=threads, max_keys=10)
                assert digest.hexdigest() == combine_digests(result.digests, result.stop)


def test_empty_file() -> None:
    """A file of zero bytes has no lines, no digests and no sums."""
    result = sum_span(Bytes(b""), Span(0, 0), threads=2, max_keys=10)
    assert (0, 0, 0, b"", 0) == (
        result.lines_good,
        result.lines_bad,
        result.total,
        result.digests,
        len(result.sums),
    )
    assert 0 == result.sums.to_arrow().num_rows


@pytest.mark.parametrize(
    ("source", "span"),
    [
        (Bytes(b"1 2\n" * 10), Span(3, 40)),
        (Bytes(b"1 2\n" * 10), Span(0, 39)),
        (Stream(b"1 2\n" * 10), Span(8, None)),
    ],
)
def test_span_that_is_none(source: Bytes, span: Span) -> None:
    """A span begins and ends at chunks, and a stream is one."""
    with pytest.raises(ValueError, match="doesn't begin"):
        sum_span(source, span, threads=1, max_keys=10, cutting=Cutting(8))


def test_as_many_keys_as_allowed() -> None:
    """`max_keys` consumers are fine; one more isn't, and is told with how many there may be."""
    content = b"".join(b"%d 1\n" % consumer for consumer in range(5000))
    fine = sum_span(Bytes(content), Span(0, len(content)), threads=1, max_keys=5000)
    assert 5000 == len(fine.sums)
    with pytest.raises(KeysExceeded):
        sum_span(Bytes(content), Span(0, len(content)), threads=1, max_keys=4999)


@pytest.mark.parametrize("ranges", [1, 4])
def test_estimate_of_keys(ranges: int) -> None:
    """Given up early, the number of consumers in the whole file is told within a quarter, not too low."""
    random = np.random.default_rng(5)
    consumers = 200_000
    lines = random.integers(0, consumers, 600_000)
    content = b"".join(b"%d 1\n" % consumer for consumer in lines.tolist())
    actual = len(np.unique(lines))
    with pytest.raises(KeysExceeded) as exceeded:
        sum_span(
            Bytes(content),
            Span(0, len(content)),
            threads=2,
            max_keys=60_000 // ranges,
            key_range=KeyRange(0, ranges),
            cutting=Cutting(1 << 16),
        )
    assert actual <= exceeded.value.keys_estimated < actual * 1.25


def test_estimate_when_each_line_is_another_consumer() -> None:
    """There can't be more consumers than lines, and there may be as many."""
    content = b"".join(b"%d 1\n" % (consumer * 7919) for consumer in range(100_000))
    with pytest.raises(KeysExceeded) as exceeded:
        sum_span(Bytes(content), Span(0, len(content)), threads=1, max_keys=3000)
    assert 90_000 < exceeded.value.keys_estimated < 140_000
    with pytest.raises(KeysExceeded):
        sum_span(Stream(content), Span(0, None), threads=1, max_keys=3000)


class Truncated(Bytes):
    """Ends before its size."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size


@pytest.mark.parametrize("missing", [1, 5, 100, 2001, 9000])
@pytest.mark.parametrize("threads", [1, 3])
def test_truncated_while_it_is_read(missing: int, threads: int) -> None:
    """A file shorter than its size is told as changed, wherever it ends."""
    content = b"12 34\n" * 2000
    source = Truncated(content[:-missing], len(content))
    with pytest.raises(SourceChanged, match="truncated") as changed:
        sum_span(
            source, Span(0, len(content)), threads=threads, max_keys=10, cutting=Cutting(1000, 2)
        )
    assert isinstance(changed.value, FileChanged)


class Stop(Exception):
    """Raised by callbacks."""


@pytest.mark.parametrize("threads", [1, 3])
def test_callback_ends_all_threads(threads: int) -> None:
    """What on_block raises is raised, and no thread goes on for long."""
    content = b"12 34\n" * 200_000
    reads = []
    before = threading.active_count()

    def on_block(count: int) -> None:
        reads.append(count)
        if len(reads) == 5:
            raise Stop

    with pytest.raises(Stop):
        sum_span(
            Bytes(content),
            Span(0, len(content)),
            threads=threads,
            max_keys=10,
            on_block=on_block,
            cutting=Cutting(1000, 4),
        )
    assert len(reads) < 5 + 2 * threads
    assert before == threading.active_count()


def test_bytes_told_add_up() -> None:
    """on_block tells each byte of the span once."""
    content = b"12 34\n" * 20_000 + b"5 6"
    told: list[int] = []
    sum_span(
        Bytes(content),
        Span(0, len(content)),
        threads=2,
        max_keys=10,
        on_block=told.append,
        cutting=Cutting(1000, 4),
    )
    assert len(content) == sum(told)


def test_callback_for_bad_lines_ends_all_threads() -> None:
    """What on_bad raises is raised, also while other threads wait for it."""
    content = b"x\n" * 400_000

    def on_bad(bad: BadLines) -> None:
        if bad.lines[0] > 10_000:
            raise Stop

    with pytest.raises(Stop):
        sum_span(
            Bytes(content),
            Span(0, len(content)),
            threads=3,
            max_keys=10,
            on_bad=on_bad,
            cutting=Cutting(30_000, 1),
        )


def test_bad_lines_wait_for_a_slow_block() -> None:
    """While the first block is read slowly, the bad lines of later ones wait; they come in order, none is lost."""
    content = b"y\n" * 300_000
    gate = threading.Event()

    class Slow(Bytes):
        def read_into(self, view: memoryview, offset: int) -> int:
            if offset == 1000:
                gate.wait(20)
            elif offset >= 30_000:
                gate.set()
            return super().read_into(view, offset)

    batches: list[BadLines] = []
    result = sum_span(
        Slow(content),
        Span(0, len(content)),
        threads=3,
        max_keys=10,
        on_bad=batches.append,
        cutting=Cutting(1000, 4),
    )
    assert 300_000 == result.lines_bad
    lines = np.concatenate([bad.lines for bad in batches])
    assert (np.arange(300_000) == lines).all()


def test_bad_lines_as_columns() -> None:
    """Bad lines become the columns of dead letters."""
    content = b"1 2\nx\n 3\n"
    batches: list[BadLines] = []
    sum_span(Bytes(content), Span(0, 9), threads=1, max_keys=10, on_bad=batches.append)
    (bad,) = batches
    expected = [
        {
            "line": 1,
            "byte_offset": 4,
            "reason": "the consumer has other characters than digits",
            "length": 1,
            "raw": b"x",
        },
        {
            "line": 2,
            "byte_offset": 6,
            "reason": "the line begins with a space instead of a consumer",
            "length": 2,
            "raw": b" 3",
        },
    ]
    assert expected == bad.to_arrow().to_pylist()


def test_a_file_on_disk(tmp_path: Path) -> None:
    """Several threads read one real file, each at its own places."""
    content = b"".join(b"%d %d\n" % (index % 977, index) for index in range(400_000))
    path = tmp_path / "lines"
    path.write_bytes(content)
    lock = threading.Lock()
    with path.open("rb", buffering=0) as file:

        class OnDisk(Bytes):
            def read_into(self, view: memoryview, offset: int) -> int:
                with lock:
                    file.seek(offset)
                    return file.readinto(view)

        result = sum_span(OnDisk(content), Span(0, len(content)), threads=3, max_keys=5000)
    assert parse(content).sums == sums_of(result)


def test_tables_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are too many consumers, the full tables go at once: they may be as large as all that is allowed."""
    released: list[Summing] = []

    def release(summing: Summing) -> None:
        released.append(summing)

    monkeypatch.setattr(Summing, "release", release)
    content = b"".join(b"%d 1\n" % consumer for consumer in range(20_000))
    with pytest.raises(KeysExceeded):
        sum_span(
            Bytes(content), Span(0, len(content)), threads=2, max_keys=4000, cutting=Cutting(4096)
        )
    assert 2 == len(released)
