"""What the generator writes, and what it says that this adds up to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.pipelines.metering.generate.lines import LineMaker
from qanat.pipelines.metering.generator import (
    MALFORMED_KINDS,
    BadLine,
    Expected,
    GeneratedFile,
    GeneratorOptions,
    expect,
    generate,
    generate_stream,
)
from qanat.pipelines.metering.lines import Grammar
from tests.unit.pipelines.metering.reference import amount_of, good_line

PLAIN_KINDS = tuple(kind for kind in MALFORMED_KINDS if kind not in {"sign", "decimal-point"})
SMALL = GeneratorOptions(
    files=3, size_bytes_min=20_000, size_bytes_max=40_000, consumers=500, durable=False, seed=11
)
EVERYTHING = replace(
    SMALL,
    bad_share=0.2,
    crlf_share=0.3,
    padded_share=0.4,
    unterminated_share=1.0,
    distribution="zipf",
    amount_min=0,
    amount_max=10**18 - 1,
    consumer_digits=17,
)


def lines_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line without terminator), as the rules for readers say."""
    offset = 0
    for line in content.split(b"\n"):
        terminated = offset + len(line) < len(content)
        if terminated or line:
            yield offset, line.removesuffix(b"\r") if terminated else line
        offset += len(line) + 1


class Reference:
    """Counts files in plain Python."""

    def __init__(self, options: GeneratorOptions) -> None:
        self.grammar = Grammar(signed=options.signed_share > 0, decimals=options.decimals)
        self.totals: Counter[int] = Counter()
        self.bad: list[tuple[str, int, int, bytes]] = []
        self.good = 0

    def count(self, name: str, content: bytes) -> None:
        for number, (offset, line) in enumerate(lines_of(content), start=1):
            if match := good_line(self.grammar).fullmatch(line):
                self.totals[int(match[1])] += amount_of(match[2], self.grammar)
                self.good += 1
            else:
                self.bad.append((name, number, offset, line))


def positions(lines: tuple[BadLine, ...]) -> list[tuple[str, int, int, bytes]]:
    return [(line.file, line.line, line.offset_bytes, line.raw) for line in lines]


def stream(options: GeneratorOptions, index: int = 0) -> bytes:
    return b"".join(generate_stream(options, index))


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        EVERYTHING,
        replace(EVERYTHING, distribution="uniform", consumer_digits=None, padded_share=0.0),
        replace(SMALL, bad_share=1.0, unterminated_share=1.0, crlf_share=0.5),
        replace(SMALL, consumers=1, amount_min=10**18 - 1, amount_max=10**18 - 1),
        replace(SMALL, consumers=3, first_consumer=10**18 - 3, amount_max=0, amount_min=0),
        replace(SMALL, size_bytes_min=0, size_bytes_max=12, bad_share=0.5, files=20),
        # Several blocks, and a block that ends because of its malformed lines.
        replace(SMALL, size_bytes_min=3 << 20, size_bytes_max=3 << 20, bad_share=0.01, files=1),
        replace(
            SMALL, size_bytes_min=40_000, bad_share=1.0, bad_kinds=("empty",), bad_lines_kept=10**6
        ),
        replace(SMALL, signed_share=0.3),
        replace(SMALL, decimals=3, padded_share=0.2),
        replace(EVERYTHING, signed_share=0.6, decimals=9, bad_kinds=PLAIN_KINDS),
        replace(SMALL, signed_share=1.0, consumers=2, amount_min=10**18 - 1, amount_max=10**18 - 1),
    ],
    ids=lambda options: f"{options.distribution}-{options.bad_share}-{options.size_bytes_max}",
)
def test_the_expected_result_is_that_of_a_count_in_plain_python(
    options: GeneratorOptions, tmp_path: Path
) -> None:
    """Totals, good lines and every malformed line agree, by number, offset and bytes."""
    options = replace(options, bad_lines_kept=10**6)
    expected = generate(options, tmp_path)

    reference = Reference(options)
    for path in sorted(tmp_path.iterdir()):
        reference.count(path.name, path.read_bytes())
    assert dict(reference.totals) == expected.totals()
    assert reference.bad == positions(expected.bad_lines)
    assert reference.good == expected.lines_good
    assert len(reference.bad) == expected.lines_bad == sum(expected.bad_by_kind.values())
    assert sum(reference.totals.values()) == expected.amount_sum
    assert list(expected.rows()) == sorted(reference.totals.items())


def test_each_file_has_its_own_result(tmp_path: Path) -> None:
    """What `on_file` gets, and `expect` of one file, equal a count of that file alone."""
    files: list[GeneratedFile] = []
    generate(EVERYTHING, tmp_path, on_file=files.append)

    assert [0, 1, 2] == [file.index for file in files]
    for file in files:
        content = (tmp_path / file.name).read_bytes()
        reference = Reference(EVERYTHING)
        reference.count(file.name, content)
        alone = expect(replace(EVERYTHING, files=1, first_index=file.index))
        assert dict(reference.totals) == alone.totals()
        assert reference.bad == positions(file.bad_lines)
        assert (reference.good, len(reference.bad)) == (file.lines_good, file.lines_bad)
        assert sum(reference.totals.values()) == file.amount_sum
        assert len(content) == file.size_bytes == file.stored_bytes


def test_expecting_and_writing_agree(tmp_path: Path) -> None:
    """`expect` says without writing what `generate` says."""
    written, said = generate(EVERYTHING, tmp_path), expect(EVERYTHING)

    assert written.totals() == said.totals()
    assert written.files == said.files
    assert written.bad_lines == said.bad_lines


def test_same_seed_same_bytes_and_another_seed_other_bytes() -> None:
    """The bytes are a function of seed, options and index."""
    assert stream(EVERYTHING) == stream(replace(EVERYTHING))
    assert stream(EVERYTHING) != stream(replace(EVERYTHING, seed=12))
    assert stream(EVERYTHING) != stream(EVERYTHING, 1)


@pytest.mark.parametrize("kind", MALFORMED_KINDS)
def test_every_kind_of_malformed_line_is_malformed(kind: str) -> None:
    """Whatever the numbers and the terminator, none of its lines obeys the grammar."""
    options = replace(
        SMALL, bad_share=1.0, bad_kinds=(kind,), crlf_share=0.5, unterminated_share=1.0
    )
    reference = Reference(options)
    reference.count("", stream(options))

    assert reference.good == 0
    assert len(reference.bad) > 10


def test_all_kinds_occur_by_default_and_only_chosen_ones_otherwise() -> None:
    """Kinds are drawn from those that were asked for."""
    assert set(MALFORMED_KINDS) == set(expect(replace(SMALL, bad_share=0.9)).bad_by_kind)
    chosen = expect(replace(SMALL, bad_share=0.5, bad_kinds=("tab", "nul")))
    assert {"tab", "nul"} == set(chosen.bad_by_kind)
    assert {"tab", "nul"} == {line.kind for line in chosen.bad_lines}


def test_shares_are_met() -> None:
    """Shares of malformed lines, CRLF and leading zeros lie near the wish."""
    options = replace(
        SMALL, size_bytes_min=10**6, size_bytes_max=10**6, crlf_share=0.25, padded_share=0.5
    )
    lines = stream(options).split(b"\n")[:-1]
    assert sum(line.endswith(b"\r") for line in lines) / len(lines) == pytest.approx(0.25, abs=0.02)
    # A line has no leading zero in spite of padding if both widths drawn are smaller than needed.
    assert sum(b" 0" in line or line[:1] == b"0" for line in lines) / len(lines) > 0.4

    expected = expect(replace(SMALL, bad_share=0.1, files=30))
    assert expected.lines_bad / (expected.lines_good + expected.lines_bad) == pytest.approx(
        0.1, abs=0.02
    )


def test_a_last_line_without_newline_is_asked_for() -> None:
    """Every file ends with a newline, or none does, as the share says."""
    for index in range(20):
        assert stream(replace(SMALL, bad_share=0.1), index).endswith(b"\n")
        options = replace(SMALL, bad_share=0.1, unterminated_share=1.0, crlf_share=0.5)
        content = stream(options, index)
        assert not content.endswith(b"\n") or content.endswith((b"\n\n", b"\n\r\n"))


def test_sizes_are_within_one_line_of_the_wish() -> None:
    """A file ends with the last line that fits."""
    longest = len(b"500 100000\n")
    fixed = replace(SMALL, size_bytes_min=30_000, files=30)
    ranged = [file.size_bytes for file in expect(replace(SMALL, files=30)).files]

    for file in expect(replace(fixed, size_bytes_max=30_000)).files:
        assert 30_000 - longest < file.size_bytes <= 30_000
    assert all(20_000 - longest < size <= 40_000 for size in ranged)
    assert min(ranged) < 25_000
    assert max(ranged) > 35_000


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    """A size of 0 makes a file of 0 bytes and 0 lines."""
    expected = generate(replace(SMALL, size_bytes_min=0, size_bytes_max=0, files=1), tmp_path)

    assert [b""] == [path.read_bytes() for path in tmp_path.iterdir()]
    assert (1, 0, 0, {}) == (
        expected.file_count,
        expected.lines_good,
        expected.lines_bad,
        expected.totals(),
    )


def test_sums_beyond_64_bits_are_exact() -> None:
    """Carries aren't lost: a consumer's sum and the sum of all exceed 2^64 many times over."""
    options = replace(SMALL, files=1, consumers=1, amount_min=10**18 - 1, amount_max=10**18 - 1)
    expected = expect(options)

    assert expected.amount_sum == expected.lines_good * (10**18 - 1) > 2**69
    assert {1: expected.amount_sum} == expected.totals()


def test_signs_and_decimals_are_drawn_as_asked() -> None:
    """The shares are met, every amount has all its decimals, and otherwise the lines stay the same."""
    plain, scaled = (
        [line for _, line in lines_of(stream(options))]
        for options in (SMALL, replace(SMALL, signed_share=0.25, decimals=2))
    )
    negative = [line for line in scaled if b" -" in line]
    assert 0.2 < len(negative) / len(scaled) < 0.3
    for before, line in zip(plain, scaled, strict=False):
        consumer, amount = before.split(b" ")
        whole, fraction = divmod(int(amount), 100)
        assert b"%s %d.%02d" % (consumer, whole, fraction) == line.replace(b"-", b"")


@pytest.mark.parametrize(
    ("options", "kind"), [({"signed_share": 0.1}, "sign"), ({"decimals": 1}, "decimal-point")]
)
def test_kinds_that_are_well_formed_are_refused(options: dict[str, int], kind: str) -> None:
    """A line that is good by the grammar isn't handed out as a malformed one."""
    with pytest.raises(ConfigError, match=f"without {kind}"):
        replace(SMALL, bad_share=0.1, **options)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("signed_share", [0.0, 0.4])
def test_a_file_that_is_given_up_is_taken_back(signed_share: float) -> None:
    """Nothing of it stays in the totals, negative amounts and sums beyond 64 bits included."""
    options = replace(
        SMALL, consumers=3, amount_max=10**18 - 1, size_bytes_min=9 << 20, size_bytes_max=9 << 20
    )
    maker = LineMaker(replace(options, signed_share=signed_share))
    for number, _ in enumerate(maker.blocks(0)):
        if number == 2:
            break
    assert maker.totals.any()
    maker.take_back(0)
    assert not maker.totals.any()
    assert not maker.carries.any()


def test_malformed_lines_are_kept_up_to_a_limit_and_counted_beyond() -> None:
    """Memory stays bounded, counts exact."""
    everything = expect(replace(SMALL, bad_share=0.5))
    limited = expect(replace(SMALL, bad_share=0.5, bad_lines_kept=7))

    assert everything.bad_lines[:7] == limited.bad_lines
    assert everything.lines_bad == limited.lines_bad > 7


def test_endless_files_have_no_known_sum() -> None:
    """`expect` refuses them instead of never returning."""
    with pytest.raises(ConfigError, match="files"):
        expect(replace(SMALL, files=None))


def test_the_expected_result_can_be_written(tmp_path: Path) -> None:
    """Sorted totals as CSV, the rest as JSON beside it."""
    import json

    expected: Expected = expect(EVERYTHING)
    summary = expected.write(tmp_path / "expected.csv")

    rows = [f"{consumer},{amount}" for consumer, amount in sorted(expected.totals().items())]
    assert ["consumer,amount", *rows] == (tmp_path / "expected.csv").read_text().splitlines()
    said = json.loads(summary.read_text())
    assert tmp_path / "expected.summary.json" == summary
    assert (expected.lines_good, expected.lines_bad) == (said["lines_good"], said["lines_bad"])
    assert expected.amount_sum == said["amount_sum"]
    assert [line.raw.hex() for line in expected.bad_lines] == [
        line["raw_hex"] for line in said["bad_lines"]
    ]
