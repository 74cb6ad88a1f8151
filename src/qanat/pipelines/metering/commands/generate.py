"""`qanat generate metering`: the generator as a component of its own."""

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import msgspec

from qanat.errors import ConfigError
from qanat.options import settings_command
from qanat.pipelines.metering.generate.expected import GeneratedFile
from qanat.pipelines.metering.generate.malformed import MALFORMED_KINDS
from qanat.pipelines.metering.generate.options import GeneratorOptions
from qanat.pipelines.metering.generator import generate
from qanat.settings import Size


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class GenerateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of the generator."""

    output: Annotated[Path, _about("The folder to write into; made if absent.")]
    files: Annotated[int, _about("How many files; 0 for endless.")] = 1
    first_index: Annotated[
        int, _about("Index of the first file; a later run goes on at the next.")
    ] = 0
    size: Annotated[Size, _about("Size of a file, before compression.")] = Size(64_000_000)
    size_max: Annotated[
        Size, _about("With this, sizes are drawn from --size to here; 0 for one size.")
    ] = Size(0)
    consumers: Annotated[int, _about("How many consumers there are.")] = 100_000
    first_consumer: Annotated[int, _about("Consumers are numbered from here on.")] = 1
    consumer_digits: Annotated[
        int, _about("Spread the consumers over all numbers of up to so many digits; 0 for no.")
    ] = 0
    distribution: Annotated[str, _about("How often consumers occur: `uniform` or `zipf`.")] = (
        "uniform"
    )
    zipf_exponent: Annotated[
        float, _about("With zipf: rank k occurs in proportion to k^-exponent.")
    ] = 1.0
    amount_min: Annotated[int, _about("The smallest amount, without its sign.")] = 1
    amount_max: Annotated[int, _about("The largest amount, in units of the last decimal.")] = (
        100_000
    )
    signed_share: Annotated[float, _about("Share of amounts that are negative, 0 to 1.")] = 0.0
    decimals: Annotated[
        int, _about("Digits of an amount behind its decimal point; 0 for no point.")
    ] = 0
    bad_share: Annotated[float, _about("Share of malformed lines, 0 to 1.")] = 0.0
    bad_kinds: Annotated[
        str,
        _about(
            f"Which kinds of them, joined by commas; all that are malformed if empty: {', '.join(MALFORMED_KINDS)}."
        ),
    ] = ""
    crlf_share: Annotated[float, _about("Share of lines that end in CRLF.")] = 0.0
    padded_share: Annotated[float, _about("Share of lines with leading zeros.")] = 0.0
    unterminated_share: Annotated[
        float, _about("Share of files whose last line has no newline.")
    ] = 0.0
    compression: Annotated[str, _about("`none`, `gz` or `zst`.")] = "none"
    pattern: Annotated[str, _about("Names of the files; {index} is filled in.")] = (
        "metering-{index:06d}.txt"
    )
    side_files: Annotated[bool, _about("Write NAME.meta.json with size and digest first.")] = False
    rate: Annotated[Size, _about("Bytes per second over all files; 0 for as fast as possible.")] = (
        Size(0)
    )
    files_per_second: Annotated[
        float, _about("Files begun per second; 0 for as fast as possible.")
    ] = 0.0
    seed: Annotated[int, _about("The same seed and options give the same bytes.")] = 0
    expected: Annotated[
        Path | None,
        _about("Write the exact totals as CSV here, and the rest beside it as .summary.json."),
    ] = None


def run(settings: GenerateSettings) -> int:
    """Generate until done or stopped."""
    if settings.expected is not None and not settings.files:
        raise ConfigError("--expected", str(settings.expected), "left out with endless files")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    expected = generate(options_of(settings), settings.output, stop=stop, on_file=_tell)
    sys.stdout.write(
        f"{expected.file_count} files, {expected.size_bytes} bytes, {expected.lines_good} good and"
        f" {expected.lines_bad} malformed lines, sum {expected.amount_sum}\n"
    )
    if settings.expected is not None:
        summary = expected.write(settings.expected)
        sys.stdout.write(f"expected totals: {settings.expected}, {summary}\n")
    return 0


def options_of(settings: GenerateSettings) -> GeneratorOptions:
    """Return the generator's own options.

    Raises:
        ConfigError: One of them can't be used.
    """
    return GeneratorOptions(
        seed=settings.seed,
        files=settings.files or None,
        first_index=settings.first_index,
        size_bytes_min=int(settings.size),
        size_bytes_max=int(settings.size_max or settings.size),
        consumers=settings.consumers,
        first_consumer=settings.first_consumer,
        consumer_digits=settings.consumer_digits or None,
        distribution=settings.distribution,
        zipf_exponent=settings.zipf_exponent,
        amount_min=settings.amount_min,
        amount_max=settings.amount_max,
        signed_share=settings.signed_share,
        decimals=settings.decimals,
        bad_share=settings.bad_share,
        bad_kinds=_kinds(settings),
        crlf_share=settings.crlf_share,
        padded_share=settings.padded_share,
        unterminated_share=settings.unterminated_share,
        compression=settings.compression,
        pattern=settings.pattern,
        side_files=settings.side_files,
        bytes_per_s=float(settings.rate) or None,
        files_per_s=settings.files_per_second or None,
    )


def _kinds(settings: GenerateSettings) -> tuple[str, ...]:
    """Return the kinds that were chosen, or all but those of which some are good by the grammar."""
    chosen = tuple(filter(None, settings.bad_kinds.split(",")))
    good = {"sign": settings.signed_share > 0, "decimal-point": settings.decimals > 0}
    return chosen or tuple(kind for kind in MALFORMED_KINDS if not good.get(kind, False))


def _tell(file: GeneratedFile) -> None:
    sys.stdout.write(f"{file.name}  {file.stored_bytes} bytes  {file.lines_good} lines\n")
    sys.stdout.flush()


GENERATE = settings_command(
    "metering",
    GenerateSettings,
    run,
    help="Write files of `consumer amount` lines with an exactly known sum into a folder.",
    pipeline=None,
)
