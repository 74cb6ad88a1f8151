"""The parser of server-sent events follows the specification, however the bytes are split."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qanat.sources import sse_parser
from qanat.sources.sse_blocks import SLACK_BYTES, read_block
from qanat.sources.sse_parser import SseParser
from tests.unit.sources.sse_reference import Event, reference

FIELDS = st.sampled_from(
    [b"data", b"event", b"id", b"retry", b"", b"other", b"data ", b"dat", b"\xef\xbb\xbfdata"]
)
VALUES = st.one_of(
    st.sampled_from(
        [b"", b" ", b"  two", b":", b"nul\0", b"\xff\xfe", "é→".encode(), b"12", b"1a"]
    ),
    st.binary(max_size=12).map(lambda raw: raw.translate(None, b"\r\n")),
)
LINES = st.one_of(
    st.just(b""),
    st.just(b""),
    st.builds(lambda name, value: name + b":" + value, FIELDS, VALUES),
    st.builds(lambda name, value: name + b": " + value, FIELDS, VALUES),
    FIELDS,
)
ENDS = st.one_of(
    st.just([b"\n"]), st.just([b"\r\n"]), st.just([b"\r"]), st.just([b"\n", b"\r\n", b"\r"])
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Streams with every field, line end and oddity, perhaps cut."""
    ends = draw(ENDS)
    mark = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]))
    lines = draw(st.lists(LINES, max_size=30))
    stream = mark + b"".join(line + draw(st.sampled_from(ends)) for line in lines)
    return stream[: draw(st.integers(0, len(stream)))] if draw(st.booleans()) else stream


@st.composite
def usual_streams(draw: st.DrawFn) -> bytes:
    """Streams of one line of data an event, as servers send them, with what may lie between."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    values = st.binary(max_size=12).map(lambda raw: raw.translate(None, b"\r\n\0"))
    stream = b""
    for _ in range(draw(st.integers(0, 12))):
        fields = [b"data: " + draw(values)]
        fields += [b"id: " + draw(values)] * draw(st.integers(0, 2))
        fields += [b"event:" + draw(values)] * draw(st.integers(0, 1))
        fields += [b": comment"] * draw(st.integers(0, 1))
        stream += end.join(draw(st.permutations(fields))) + end * draw(st.integers(2, 3))
    return stream


def parsed(pieces: Iterable[bytes], parser: SseParser | None = None) -> list[Event]:
    parser = parser or SseParser()
    return [
        (row["id"], row["event"], row["data"])
        for piece in pieces
        for batch in parser.feed(piece)
        for row in batch.to_pylist()
    ]


def split(stream: bytes, places: Iterable[int]) -> list[bytes]:
    cuts = sorted({0, len(stream), *(min(place, len(stream)) for place in places)})
    return [stream[start:end] for start, end in pairwise(cuts)]


@pytest.fixture(params=["usual", "always fast"], autouse=True, scope="module")
def fast_from(request: pytest.FixtureRequest) -> Iterable[None]:
    """Each test also with the fast reading at its smallest."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "always fast":
            patch.setattr(sse_parser, "_FAST_FROM_BYTES", 0)
        yield


@given(st.one_of(streams(), usual_streams()), st.lists(st.integers(0, 300), max_size=12))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 10])
@example(b"data: a\r\r\ndata: b\r\r", [8, 9])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_agrees_with_the_specification(stream: bytes, places: list[int]) -> None:
    """For every split of the bytes: the events and the last id of the specification."""
    expected, last_id = reference(stream)
    parser = SseParser()
    assert expected == parsed(split(stream, places), parser)
    assert last_id == parser.last_event_id


@given(st.one_of(streams(), usual_streams()))
def test_byte_by_byte(stream: bytes) -> None:
    """Bytes that come one at a time make the same events."""
    assert reference(stream)[0] == parsed(split(stream, range(len(stream))))


@given(
    st.one_of(streams(), usual_streams()),
    st.lists(st.integers(0, 300), max_size=12),
    st.integers(1, 40),
)
def test_limit_is_exact(stream: bytes, places: list[int], size_max: int) -> None:
    """What is cut depends on the bytes alone, not on how they came."""
    whole = SseParser(event_size_max_bytes=size_max)
    pieces = SseParser(event_size_max_bytes=size_max)
    assert parsed([stream], whole) == parsed(split(stream, places), pieces)
    assert (whole.cut, whole.last_event_id) == (pieces.cut, pieces.last_event_id)


@given(usual_streams())
def test_usual_streams_are_fast(stream: bytes) -> None:
    """What servers send usually needs no careful reading."""
    if not stream or b"event:\n" in stream or b"event:\r" in stream or b"event: \n" in stream:
        return
    buffer = bytearray(stream + bytes(SLACK_BYTES))
    if b"event: \r" not in stream:
        assert read_block(buffer, len(stream), b"", 1 << 20) is not None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", "message", b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [
                ("1", "message", b"first event"),
                ("", "message", b"second event"),
                ("", "message", b" third event"),
            ],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("", "message", b""), ("", "message", b"\n")]),
        (b"data:test\n\ndata: test\n\n", [("", "message", b"test"), ("", "message", b"test")]),
        (b"id: 1\0\ndata: a\n\n", [("", "message", b"a")]),
        (b"id: 1\n\nevent: x\n\ndata: a\n\n", [("1", "message", b"a")]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("", "message", b"a")]),
        (b"data: \xff\xfe\n\n", [("", "message", b"\xff\xfe")]),
        (b"id: \xff\ndata: a\n\n", [("\ufffd", "message", b"a")]),
        (b"data: a\n\ndata: b\n", [("", "message", b"a")]),
    ],
)
def test_examples(stream: bytes, expected: list[Event]) -> None:
    """The specification's own examples, and what is easily missed."""
    assert expected == reference(stream)[0] == parsed([stream])


def test_retry() -> None:
    """The wait is what the last whole number said; what isn't one is ignored."""
    parser = SseParser()
    assert parser.retry_ms is None
    parsed([b"retry: 3000\n\nretry: 1.5\n\nretry: -1\n\nretry\n\n"], parser)
    assert 3000 == parser.retry_ms
    parsed([b"retry: " + b"9" * 400 + b"\n\n"], parser)
    assert 999_999_999 == parser.retry_ms


def test_last_id_goes_on() -> None:
    """A parser begins with the id that the connection before came to."""
    assert [("7", "message", b"a")] == parsed([b"data: a\n\n"], SseParser("7"))


def test_too_large() -> None:
    """An event beyond the limit is told, cut, with its id; the next one is whole."""
    parser = SseParser(event_size_max_bytes=100)
    large = b"id: 1\ndata: " + b"x" * 1000 + b"\n\n"
    found = parsed([large + b"id: 2\ndata: y\n\n"], parser)
    assert [("1", "qanat.too_large", b"x" * 88), ("2", "message", b"y")] == found
    assert 1 == parser.cut


def test_memory_is_bounded() -> None:
    """Neither an endless event nor endless comments fill the memory, and both may end well."""
    parser = SseParser(event_size_max_bytes=1000)
    pieces = [b"id: 1\ndata: ", *[b"x" * 1000] * 3000, b"\n\n", *[b": ping\n"] * 3000]
    pieces += [b":", *[b"c" * 1000] * 3000, b"\ndata: end\n\n"]
    found = parsed(pieces, parser)
    assert [("1", "qanat.too_large"), ("1", "message")] == [event[:2] for event in found]
    assert b"end" == found[1][2]
    assert len(parser._buffer) < 3 << 20
