"""Bad lines at every place of a window and of a buffer, above all at its end: where a fast path may look no further."""

import os
import random
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from qanat.pipelines.metering.generate.malformed import MALFORMED_KINDS
from qanat.pipelines.metering.generator import GeneratorOptions, generate
from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.lines import PLAIN, Grammar
from qanat.pipelines.metering.spans import Cutting
from tests.unit.pipelines.metering.reference import Bytes, listed, sums_of
from tests.unit.pipelines.metering.test_kernel_grammar import BAD, WHOLE, agree, summed

# Bad lines that are all digits, spaces and line feeds, as the fast path expects them; and short enough to pass for a number.
NEARLY_PLAIN = [
    b"1 2 3\n",
    b"1 2 \n",
    b"1  2\n",
    b" 1 2\n",
    b"12\n",
    b" \n",
    b"  \n",
    b"\n",
    b"1 \n",
    b" 1\n",
    b"1234567890123456 1 2\n",
    b"1 1234567890123456 2\n",
    b"1 2 3 4\n",
]


@pytest.mark.parametrize("digits", [3, 8, 9, 16, 17, 18])
@pytest.mark.parametrize("line", NEARLY_PLAIN)
def test_bad_line_at_the_end_of_a_window(line: bytes, digits: int) -> None:
    """Whether a bad line is the first, the last or the one across the end of a window, it is bad, and its neighbours are good."""
    good = b"%d %d\n" % (10**digits - 7, 10 ** (digits - 1) + 3)
    before = layout.WINDOW_BYTES // len(good)
    for lines in range(before - 3, before + 2):
        for shift in (0, 1, 5, len(good) // 2, len(good) - 1):
            head = b"1" * shift + b" 1\n" if shift else b""
            agree(Bytes(head + good * lines + line + good * (before + 9)))


@pytest.mark.parametrize("seed", range(12))
def test_windows_of_all_kinds(seed: int) -> None:
    """Lines of changing lengths with a few, some, or many bad ones between: all agree with the plain parser."""
    chance = random.Random(seed)
    bad = [
        *NEARLY_PLAIN,
        *(content for content, reason in BAD if content.endswith(b"\n") and reason),
    ]
    share = chance.choice([0.001, 0.01, 0.1, 0.5])
    lines = []
    for _ in range(6000):
        if chance.random() < share:
            lines.append(chance.choice(bad))
        else:
            consumer, amount = (chance.randrange(10 ** chance.randint(1, 18)) for _ in range(2))
            lines.append(b"%d %d%s\n" % (consumer, amount, b"\r" * (chance.random() < share)))
    for cutting in (WHOLE, Cutting(5000, 2), Cutting(64 << 10, 1)):
        agree(Bytes(b"".join(lines)), cutting, threads=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("digits", "grammar"),
    [
        (None, PLAIN),
        (12, PLAIN),
        (None, Grammar(signed=True)),
        (None, Grammar(decimals=3)),
        (12, Grammar(signed=True, decimals=9)),
    ],
)
def test_against_the_generator(digits: int | None, grammar: Grammar, tmp_path: Path) -> None:
    """128 MB with malformed lines of every kind: each sum and each bad line is the one that the generator knows."""
    size = 128_000_000
    well_formed = {"sign": grammar.signed, "decimal-point": grammar.decimals > 0}
    kinds = tuple(kind for kind in MALFORMED_KINDS if not well_formed.get(kind, False))
    options = GeneratorOptions(
        seed=digits or 1,
        size_bytes_min=size,
        size_bytes_max=size,
        consumers=100_000,
        consumer_digits=digits,
        signed_share=0.3 if grammar.signed else 0.0,
        decimals=grammar.decimals,
        bad_share=0.002,
        bad_kinds=kinds,
        bad_lines_kept=1_000_000,
        durable=False,
        pattern="lines-{index}.txt",
    )
    expected = generate(options, tmp_path)
    source = Bytes((tmp_path / "lines-0.txt").read_bytes())
    result, batches = summed(source, threads=2, grammar=grammar)
    assert expected.lines_bad == len(expected.bad_lines) > 10_000
    assert set(kinds) == expected.bad_by_kind.keys()
    assert (expected.lines_good, expected.lines_bad) == (result.lines_good, result.lines_bad)
    assert [
        (bad.line - 1, bad.offset_bytes, len(bad.raw), bad.raw[:256]) for bad in expected.bad_lines
    ] == [(bad.line, bad.offset, bad.length, bad.raw) for bad in listed(batches)]
    assert expected.totals() == sums_of(result)


def test_portable_machine_code() -> None:
    """Processors that can't compress vectors get other instructions, with the same results: numba's own choice of a processor
    leads to them.
    """
    folder = Path(__file__).parent
    names = ("test_kernel_grammar.py", "test_kernel_windows.py", "test_kernel_scaled.py")
    files = [folder / name for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    choice = ["-m", "not slow", "-k", "not portable", "-n", "0"]
    environment = {**os.environ, "NUMBA_CPU_NAME": llvm.get_host_cpu_name()}
    done = subprocess.run(
        [*command, *choice],
        cwd=folder.parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
