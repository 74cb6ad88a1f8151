"""The lines that everybody reads."""

from dataclasses import dataclass
from pathlib import Path

from metering_tables import CONSUMER_DIGITS

from qanat.pipelines.metering.generator import Expected, GeneratorOptions, generate

# With consumers of twelve digits a line has 16 bytes.
AMOUNT_MAX = 100


@dataclass(frozen=True, slots=True)
class Input:
    """Generated files, and what they add up to."""

    files: tuple[Path, ...]
    expected: Expected


def generated(folder: Path, size_bytes: int, consumers: int, files: int = 1) -> Input:
    """Generate files of `size_bytes` each; they are on disk and in the page cache."""
    options = GeneratorOptions(
        files=files,
        size_bytes_min=size_bytes,
        size_bytes_max=size_bytes,
        consumers=consumers,
        consumer_digits=CONSUMER_DIGITS,
        amount_max=AMOUNT_MAX,
        pattern="lines-{index}.txt",
    )
    expected = generate(options, folder)
    return Input(tuple(folder / file.name for file in expected.files), expected)
