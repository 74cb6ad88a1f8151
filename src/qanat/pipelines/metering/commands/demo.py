"""`qanat demo metering`: generates files, sums them, checks every total, says what it proved."""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from qanat.clock import SystemClock
from qanat.options import settings_command
from qanat.pipelines.metering.assembly import assembled
from qanat.pipelines.metering.display import display
from qanat.pipelines.metering.generator import Expected, GeneratorOptions, generate
from qanat.pipelines.metering.kernel.native import load
from qanat.pipelines.metering.settings import Progress, RunSettings
from qanat.runtime.registry import Queries
from qanat.settings import CommonSettings, Place, Size
from qanat.telemetry import Telemetry

# A kernel that was compiled before is loaded in a twentieth of a second.
COMPILED_S_MIN = 1.0


class DemoSettings(CommonSettings, frozen=True, kw_only=True):
    """What the demo can be told."""

    files: Annotated[int, msgspec.Meta(description="How many files are generated.", ge=1)] = 8
    size: Annotated[Size, msgspec.Meta(description="Size of each file.")] = Size(32_000_000)
    consumers: Annotated[int, msgspec.Meta(description="How many consumers there are.", ge=1)] = (
        100_000
    )
    seed: Annotated[int, msgspec.Meta(description="Of the generator.")] = 1
    keep: Annotated[
        bool, msgspec.Meta(description="Keep files and database in --data-dir, to look around in.")
    ] = False


def run(settings: DemoSettings) -> int:
    """Run the demo; 0 when everything is exactly as expected."""
    with _place(settings) as place:
        incoming = place / "incoming"
        options = GeneratorOptions(
            seed=settings.seed,
            files=settings.files,
            size_bytes_min=int(settings.size),
            size_bytes_max=int(settings.size),
            consumers=settings.consumers,
            bad_share=0.0005,
            crlf_share=0.001,
            unterminated_share=0.5,
            durable=False,
            bad_lines_kept=10_000_000,
        )
        _say(f"Generating {settings.files} files of {int(settings.size) / 1e6:.0f} MB …")
        expected = generate(options, incoming)
        _load_kernel()
        started_s = time.monotonic()
        problems = _count(settings, place, incoming, expected)
        _conclude(expected, time.monotonic() - started_s, problems)
        if settings.keep:
            _say(
                f'Look around: qanat sql metering "select * from totals" --data-dir {place / "data"}'
            )
    return 1 if problems else 0


def _load_kernel() -> None:
    """Compile the kernel if this machine hasn't done so before, and say so: it takes longer than all the counting."""
    started_s = time.monotonic()
    load()
    took_s = time.monotonic() - started_s
    if took_s > COMPILED_S_MIN:
        _say(f"Compiled the summing kernel for this processor in {took_s:.0f} s; it is kept.")


def _count(settings: DemoSettings, place: Path, incoming: Path, expected: Expected) -> list[str]:
    run_settings = RunSettings(
        input=Place(str(incoming)),
        once=True,
        data_dir=place / "data",
        store=settings.store,
        progress=Progress.AUTO,
    )
    with assembled(run_settings, SystemClock(), Telemetry(), threading.Event()) as parts:
        with display(parts.run.progress, run_settings.progress):
            summary = parts.run.run()
        with parts.store.snapshot() as reader:
            return [*summary.problems, *_differences(reader, expected)]


def _differences(reader: Queries, expected: Expected) -> list[str]:
    """Compare everything that was counted with what the generator knows."""
    found = reader.query("select consumer, amount from totals order by consumer")
    totals = zip(
        found.column("consumer").to_pylist(),
        map(int, found.column("amount").to_pylist()),
        strict=True,
    )
    problems = []
    if list(totals) != list(expected.rows()):
        problems.append("the totals differ")
    usage = reader.query("select cast(sum(amount) as numeric(38, 0)) as amount from usage")
    if int(usage.column("amount")[0].as_py()) != expected.amount_sum:
        problems.append("usage doesn't add up to the totals")
    letters = reader.query("select origin, line, byte_offset, raw from dead_letters")
    kept = {tuple(row.values()) for row in letters.to_pylist()}
    bad = {(line.file, line.line, line.offset_bytes, line.raw[:256]) for line in expected.bad_lines}
    if kept != bad or letters.num_rows != len(bad):
        problems.append("the dead letters differ")
    return problems


def _conclude(expected: Expected, seconds: float, problems: list[str]) -> None:
    lines = expected.lines_good + expected.lines_bad
    _say(
        f"Counted {lines:,} lines ({expected.size_bytes / 1e6:,.0f} MB) in {seconds:.1f} s:"
        f" {lines / seconds / 1e6:.1f} M lines/s, start and checks included."
    )
    if problems:
        _say("NOT as expected: " + "; ".join(problems))
        return
    consumers = sum(1 for _ in expected.rows())
    _say(
        f"Equal to what the generator knows: {consumers:,} totals, sum {expected.amount_sum:,};"
        f" {expected.lines_bad:,} malformed lines, each with its place and bytes; usage by hour. Lost 0, duplicated 0."
    )
    _say("Kill it, repeat it, race it yourself: qanat prove metering")


@contextmanager
def _place(settings: DemoSettings) -> Iterator[Path]:
    if settings.keep:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        yield settings.data_dir
        return
    with tempfile.TemporaryDirectory(prefix="qanat-demo-") as name:
        yield Path(name)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


DEMO = settings_command(
    "metering",
    DemoSettings,
    run,
    help="Generate files, sum them, and check every total against what is known.",
    pipeline=None,
)
