"""Amounts with a sign and with decimals: every path of the kernel agrees with the plain parser about every line."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.lines import BadReason, Grammar
from qanat.pipelines.metering.spans import Cutting
from tests.unit.pipelines.metering.reference import (
    Bytes,
    Stream,
    amount_of,
    good_line,
    listed,
    sums_of,
)
from tests.unit.pipelines.metering.test_kernel_grammar import BAD, GOOD, PIECES, agree, summed

SIGNED = Grammar(signed=True)
THREE = Grammar(decimals=3)
BOTH = Grammar(signed=True, decimals=3)
GRAMMARS = [
    Grammar(signed=signed, decimals=decimals) for signed in (False, True) for decimals in range(10)
]

READ = [
    (SIGNED, b"-5", -5),
    (SIGNED, b"-0", 0),
    (SIGNED, b"-" + b"9" * 18, -(10**18 - 1)),
    (THREE, b"12.345", 12345),
    (THREE, b"12.3", 12300),
    (THREE, b"12", 12000),
    (THREE, b"007.050", 7050),
    (THREE, b"9" * 15 + b".999", 10**18 - 1),
    (THREE, b"9" * 15, 10**18 - 1000),
    (BOTH, b"-0.5", -500),
    (BOTH, b"-0.000", 0),
    (BOTH, b"-1", -1000),
    (BOTH, b"-" + b"9" * 15 + b".999", -(10**18 - 1)),
    (Grammar(decimals=9), b"1.123456789", 1123456789),
    (Grammar(decimals=9), b"999999999.999999999", 10**18 - 1),
    (Grammar(decimals=9), b"5.12345678", 5123456780),
]
REFUSED = [
    (SIGNED, b"--5", BadReason.AMOUNT_NOT_DIGITS),
    (SIGNED, b"+5", BadReason.AMOUNT_NOT_DIGITS),
    (SIGNED, b"-", BadReason.AMOUNT_MISSING),
    (SIGNED, b"- 5", BadReason.AMOUNT_NOT_DIGITS),
    (SIGNED, b"5-", BadReason.AMOUNT_FOLLOWED),
    (SIGNED, b"1.5", BadReason.AMOUNT_FOLLOWED),
    (SIGNED, b"-" + b"1" * 19, BadReason.AMOUNT_TOO_LONG),
    (THREE, b"-1.5", BadReason.AMOUNT_NEGATIVE),
    (THREE, b".5", BadReason.POINT_ALONE),
    (THREE, b".", BadReason.POINT_ALONE),
    (THREE, b"5.", BadReason.POINT_ALONE),
    (THREE, b"5.x", BadReason.POINT_ALONE),
    (THREE, b"5..5", BadReason.POINT_ALONE),
    (THREE, b"5.5.5", BadReason.AMOUNT_FOLLOWED),
    (THREE, b"5.5 ", BadReason.AMOUNT_FOLLOWED),
    (THREE, b"5,5", BadReason.AMOUNT_FOLLOWED),
    (THREE, b"5.1234", BadReason.DECIMALS_TOO_MANY),
    (THREE, b"5.1230", BadReason.DECIMALS_TOO_MANY),
    (THREE, b"1" * 16, BadReason.AMOUNT_TOO_GREAT),
    (THREE, b"0" * 16 + b".1", BadReason.AMOUNT_TOO_GREAT),
    (THREE, b"1" * 19, BadReason.AMOUNT_TOO_LONG),
    (BOTH, b"-.5", BadReason.POINT_ALONE),
    (BOTH, b"5.-5", BadReason.POINT_ALONE),
    (BOTH, b"1.5-", BadReason.AMOUNT_FOLLOWED),
    (BOTH, b"-5.1234", BadReason.DECIMALS_TOO_MANY),
]
NASTY = [text for _, text, _ in READ] + [text for _, text, _ in REFUSED]
# Points and signs where none may be: as many in all as where they may be.
MISPLACED = [b"1.5 25\n", b"-1 5\n", b"1- 5\n", b"1 2 -3\n", b"-\n", b".\n", b"- -\n", b"1 -2 .3\n"]


@pytest.mark.parametrize(("grammar", "amount", "value"), READ)
@pytest.mark.parametrize("lines", [1, 1500])
def test_good_amount(grammar: Grammar, amount: bytes, value: int, lines: int) -> None:
    """An amount is exact in units of the last decimal, alone and in whole windows of its kind."""
    for end in (b"\n", b"\r\n"):
        source = Bytes((b"7 " + amount + end) * lines)
        result, batches = summed(source, grammar=grammar)
        assert (lines, 0, []) == (result.lines_good, result.lines_bad, batches)
        assert {7: value * lines} == sums_of(result)
        agree(source, grammar=grammar)
    assert (7, value) == grammar.read(b"7 " + amount)


@pytest.mark.parametrize(("grammar", "amount", "reason"), REFUSED)
def test_bad_amount(grammar: Grammar, amount: bytes, reason: BadReason) -> None:
    """Everything else is a bad line with a reason of its own."""
    for end in (b"\n", b"\r\n"):
        source = Bytes(b"7 " + amount + end)
        assert [reason] == [bad.reason for bad in listed(summed(source, grammar=grammar)[1])]
        agree(source, grammar=grammar)
    assert grammar.read(b"7 " + amount) is None


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_bad_line_at_the_end_of_a_window(grammar: Grammar) -> None:
    """Whether an odd line is the first, the last or the one across the end of a window, its neighbours are good."""
    amount = b"-" * grammar.signed + b"12" + (b".5" if grammar.decimals else b"")
    good = b"12345 " + amount + b"\n"
    before = layout.WINDOW_BYTES // len(good)
    odd = [*(b"1 " + text + b"\n" for text in NASTY), *MISPLACED]
    for line in odd:
        for lines in (before - 1, before, before + 1):
            agree(Bytes(good * lines + line + good * (before + 9)), grammar=grammar)


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5])
def test_windows_of_all_kinds(grammar: Grammar, share: float) -> None:
    """Amounts of all lengths, with and without sign and decimals, with none, a few or many bad lines between."""
    chance = random.Random(f"{grammar} {share}")
    bad = [
        *(b"1 " + text + b"\n" for text in NASTY),
        *MISPLACED,
        *(content for content, reason in BAD if content.endswith(b"\n") and reason),
    ]
    digits_max = chance.choice([5, 8, 16, 18])
    lines = []
    for _ in range(5000):
        if chance.random() < share:
            lines.append(chance.choice(bad))
            continue
        whole = chance.randrange(10 ** chance.randint(1, min(digits_max, 18 - grammar.decimals)))
        sign = b"-" * (grammar.signed and chance.random() < 0.3)
        point = b""
        if grammar.decimals and chance.random() < 0.8:
            count = chance.randint(1, grammar.decimals)
            point = b".%0*d" % (count, chance.randrange(10**count))
        consumer = chance.randrange(10 ** chance.randint(1, digits_max))
        end = b"\r\n" if chance.random() < share else b"\n"
        lines.append(b"%d %s%d%s%s" % (consumer, sign, whole, point, end))
    for cutting in (Cutting(), Cutting(5000, 2)):
        agree(Bytes(b"".join(lines)), cutting, threads=2, grammar=grammar)


ODD_BYTES = st.text("0123456789.- \r\n", max_size=12).map(str.encode)


@given(
    st.lists(
        PIECES
        | ODD_BYTES
        | st.sampled_from([*(b"1 " + text + b"\n" for text in NASTY), *MISPLACED, *GOOD]),
        max_size=40,
    ),
    st.sampled_from(GRAMMARS),
    st.integers(1, 700),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=300)
def test_any_bytes_cut_anyhow(
    pieces: list[bytes], grammar: Grammar, chunk: int, threads: int
) -> None:
    """Whatever the bytes and wherever they are cut, sums and bad lines are those of the plain parser."""
    content = b"".join(pieces)
    agree(Bytes(content), Cutting(chunk, 2), threads, grammar)
    agree(Stream(content), Cutting(chunk), grammar=grammar)


@given(st.lists(ODD_BYTES, max_size=9), st.sampled_from(GRAMMARS), st.integers(0, 9))
@settings(deadline=None, max_examples=500)
def test_any_bytes_among_good_lines(pieces: list[bytes], grammar: Grammar, before: int) -> None:
    """The quick path, too, takes nothing for a good line that isn't one."""
    good = [b"1 2\n", b"34 5\n"]
    if grammar.signed:
        good.append(b"6 -7\n")
    if grammar.decimals:
        good.append(b"8 9.1\n")
    filler = b"".join(good) * 300
    piece = b"\n".join(pieces) + b"\n"
    agree(Bytes(filler[: 4 * before] + piece + filler + piece + filler), grammar=grammar)


@given(st.binary(max_size=30) | ODD_BYTES, st.sampled_from(GRAMMARS))
def test_single_line(line: bytes, grammar: Grammar) -> None:
    """A corrected dead letter is read by the same grammar."""
    match = good_line(grammar).fullmatch(line)
    expected = None if match is None else (int(match[1]), amount_of(match[2], grammar))
    assert expected == grammar.read(line)


@pytest.mark.parametrize("threads", [1, 3])
def test_sums_beyond_64_bits_in_both_directions(threads: int) -> None:
    """Negative sums, sums that turn around and sums that cross zero are exact, over threads and beyond 2^64."""
    largest = 10**18 - 1
    up, down = b"7 %d\n3 1\n" % largest, b"7 -%d\n3 -1\n0 -%d\n" % (largest, largest)
    for content in (
        down * 5000,
        up * 5000 + down * 9000,
        down * 9000 + up * 3000,
        (up + down) * 4000,
        (up * 20 + down * 25) * 300,
    ):
        source = Bytes(content)
        agree(source, Cutting(4096), threads, SIGNED)
        result, _ = summed(source, Cutting(4096), threads, SIGNED)
        table = result.sums.to_arrow()
        assert sums_of(result) == {row["consumer"]: int(row["amount"]) for row in table.to_pylist()}


def test_wraps_in_both_directions_outgrow_their_log() -> None:
    """Some hundred thousand wraps up and down of many consumers are all counted."""
    largest = 10**18 - 1
    up = b"".join(b"%d %d\n" % (consumer, largest) for consumer in range(2000))
    down = b"".join(b"%d -%d\n" % (consumer, largest) for consumer in range(2000))
    result, _ = summed(Bytes(up * 300 + down * 900), grammar=SIGNED)
    assert dict.fromkeys(range(2000), -largest * 600) == sums_of(result)
