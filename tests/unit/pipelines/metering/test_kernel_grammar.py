"""What is a line, what isn't, and what is told about it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qanat.pipelines.metering.lines import PLAIN, BadLines, BadReason, Grammar
from qanat.pipelines.metering.spans import Cutting, Span, SpanResult, sum_span
from tests.unit.pipelines.metering.reference import (
    Bytes,
    Stream,
    listed,
    parse,
    reason_of,
    sums_of,
)

# Cut as in real life: small content is one block.
WHOLE = Cutting()


def summed(
    source: Bytes, cutting: Cutting = WHOLE, threads: int = 1, grammar: Grammar = PLAIN
) -> tuple[SpanResult, list[BadLines]]:
    """Sum a whole source."""
    batches: list[BadLines] = []
    result = sum_span(
        source,
        Span(0, source.size),
        threads=threads,
        max_keys=1_000_000,
        on_bad=batches.append,
        cutting=replace(cutting, grammar=grammar),
    )
    return result, batches


def agree(
    source: Bytes, cutting: Cutting = WHOLE, threads: int = 1, grammar: Grammar = PLAIN
) -> None:
    """Assert that the kernel and the plain parser agree about everything."""
    expected = parse(source.content, grammar=grammar)
    result, batches = summed(source, cutting, threads, grammar)
    assert expected.sums == sums_of(result)
    assert expected.bad == listed(batches)
    assert (expected.good, len(expected.bad)) == (result.lines_good, result.lines_bad)
    assert expected.sums.total() == result.total
    assert result.stop == len(source.content)
    assert result.ends_with_newline == (source.content[-1:] in (b"", b"\n"))


GOOD = [b"1 2\n", b"007 08\n", b"1 2\r\n", b"1 2", b"9" * 18 + b" " + b"9" * 18 + b"\n", b"0 0\n"]
BAD = [
    (b"", None),
    (b"\n", BadReason.EMPTY),
    (b"\r\n", BadReason.EMPTY),
    (b"\r", BadReason.CONSUMER_NOT_DIGITS),
    (b" 1 2\n", BadReason.CONSUMER_MISSING),
    (b" \n", BadReason.CONSUMER_MISSING),
    (b"-1 2\n", BadReason.CONSUMER_NOT_DIGITS),
    (b"1\t2\n", BadReason.CONSUMER_NOT_DIGITS),
    (b"\xef\xbb\xbf1 2\n", BadReason.CONSUMER_NOT_DIGITS),
    (b"\xff\x00\n", BadReason.CONSUMER_NOT_DIGITS),
    (b"1" * 19 + b" 2\n", BadReason.CONSUMER_TOO_LONG),
    (b"12\n", BadReason.SPACE_MISSING),
    (b"12", BadReason.SPACE_MISSING),
    (b"12 \n", BadReason.AMOUNT_MISSING),
    (b"12 \r\n", BadReason.AMOUNT_MISSING),
    (b"12  3\n", BadReason.AMOUNT_NOT_DIGITS),
    (b"12 +3\n", BadReason.AMOUNT_NOT_DIGITS),
    (b"12 .5\n", BadReason.AMOUNT_NOT_DIGITS),
    (b"12 -3\n", BadReason.AMOUNT_NEGATIVE),
    (b"12 -\n", BadReason.AMOUNT_NEGATIVE),
    (b"12 " + b"3" * 19 + b"\n", BadReason.AMOUNT_TOO_LONG),
    (b"12 3 \n", BadReason.AMOUNT_FOLLOWED),
    (b"12 3.5\n", BadReason.AMOUNT_FOLLOWED),
    (b"12 3\r", BadReason.AMOUNT_FOLLOWED),
    (b"12 3\r\r\n", BadReason.AMOUNT_FOLLOWED),
    (b"12 3\x00\n", BadReason.AMOUNT_FOLLOWED),
]


@pytest.mark.parametrize("content", GOOD)
def test_good_line(content: bytes) -> None:
    """Leading zeros, 18 digits, both line ends and a missing last one are fine."""
    result, batches = summed(Bytes(content))
    assert (1, 0) == (result.lines_good, result.lines_bad)
    assert not batches
    agree(Bytes(content))


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_bad_line(content: bytes, reason: BadReason | None) -> None:
    """Everything else is one bad line with its reason; nothing at all is no line."""
    _, batches = summed(Bytes(content))
    assert [reason] * (reason is not None) == [bad.reason for bad in listed(batches)]
    agree(Bytes(content))


def test_every_reason_has_a_text() -> None:
    """A person is told what is wrong, each reason in other words."""
    assert len(BadReason) == len({reason.text for reason in BadReason})


# Pieces that make nasty neighbours: what is left over at borders, and what only looks like the end of a line.
PIECES = st.sampled_from(
    [
        *(content for content, _ in BAD),
        *GOOD,
        b"12345678 12345678\n",
        b"123456789 1234567\r\n",
        b"12345678901234567 1\n",
        b"\r",
        b" ",
        b"\x00",
        b"\xff" * 3,
        b"1" * 70,
        b"5" * 300 + b" 1\n",
        b"x" * 600 + b"\r\n",
        b"\n" * 5,
    ]
) | st.binary(max_size=12)


@given(
    st.lists(PIECES, max_size=40),
    st.integers(1, 700),
    st.integers(1, 4),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=300)
def test_any_bytes_cut_anyhow(pieces: list[bytes], chunk: int, block: int, threads: int) -> None:
    """Whatever the bytes and wherever they are cut, sums and bad lines are those of the plain parser."""
    agree(Bytes(b"".join(pieces)), Cutting(chunk, block), threads)


@given(st.lists(PIECES, max_size=40), st.integers(1, 700))
@settings(deadline=None, max_examples=100)
def test_stream_of_unknown_size(pieces: list[bytes], chunk: int) -> None:
    """A source that can only be read in order comes to the same."""
    agree(Stream(b"".join(pieces)), Cutting(chunk), threads=3)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_many_lines_with_few_bad_ones(data: st.DataObject) -> None:
    """Whole windows of plain lines, of all lengths and both line ends, with and without a bad one between."""
    digits = data.draw(st.integers(1, 18))
    end = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    count = data.draw(st.integers(1, 1500))
    seed = data.draw(st.integers(0, 10**18))
    lines = []
    for index in range(count):
        number = seed * (index + 1) * 6364136223846793005
        lines.append(b"%d %d" % (number % 10**digits, number // 7 % 10 ** (1 + index % 18)))
    for place in data.draw(st.lists(st.integers(0, count - 1), max_size=3)):
        lines[place] = data.draw(PIECES)
    agree(Bytes(end.join(lines)), Cutting(data.draw(st.sampled_from([1000, 8192, 1 << 20]))))


def test_more_bad_lines_than_a_batch_holds() -> None:
    """Thousands of bad lines arrive in bounded batches, in order, numbered through, each once."""
    source = Bytes(b"\n" * 5000 + b"1 2\nx\n" * 3000)
    for cutting in (Cutting(), Cutting(777, 2)):
        for threads in (1, 3):
            agree(source, cutting, threads)
            assert max(map(len, summed(source, cutting, threads)[1])) <= 1024


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"", b"\r"])
def test_line_of_many_blocks(end: bytes) -> None:
    """A bad line that spans many blocks is one bad line with its full length and its first bytes."""
    long = b"7 8\n" + bytes(range(128, 256)) * 400 + end + (b"1 1\n" if end else b"")
    for cutting in (Cutting(), Cutting(1000, 3), Cutting(64, 1)):
        agree(Bytes(long), cutting, threads=2)
        agree(Stream(long), cutting)


def test_plain_parser_tells_the_reasons_apart() -> None:
    """The plain parser itself: its reasons are those of the table above."""
    for content, reason in BAD:
        if reason is not None:
            line = content.removesuffix(b"\n")
            line = line.removesuffix(b"\r") if content.endswith(b"\r\n") else line
            assert reason == reason_of(line), content
