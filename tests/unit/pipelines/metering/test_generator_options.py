"""Which options the generator accepts, and how it refuses the others."""

import subprocess
import sys

import pytest

from qanat.errors import ConfigError
from qanat.pipelines.metering.generator import GeneratorOptions


@pytest.mark.parametrize(
    ("option", "got"),
    [
        ("seed", -1),
        ("seed", 2**64),
        ("files", -1),
        ("first_index", -1),
        ("size_bytes_min", -1),
        ("size_bytes_max", 5),
        ("consumers", 0),
        ("consumers", 2**28 + 1),
        ("first_consumer", 10**18),
        ("consumer_digits", 4),
        ("consumer_digits", 19),
        ("distribution", "normal"),
        ("zipf_exponent", -0.1),
        ("zipf_exponent", float("nan")),
        ("amount_min", -1),
        ("amount_max", 10**18),
        ("signed_share", 1.1),
        ("decimals", -1),
        ("decimals", 10),
        ("bad_share", 1.1),
        ("bad_kinds", ()),
        ("bad_kinds", ("tab", "nonsense")),
        ("crlf_share", -0.1),
        ("padded_share", 2),
        ("unterminated_share", 2),
        ("compression", "bz2"),
        ("compression_level", 3),
        ("pattern", "always-the-same"),
        ("pattern", "{index}/a"),
        ("pattern", ".{index}"),
        ("pattern", "{index}.part"),
        ("pattern", "{index}.meta.json"),
        ("pattern", "{number}"),
        ("pattern", "{index:x!}"),
        ("pattern", "{index"),
        ("pattern", "{index:.0s}"),
        ("bytes_per_s", 0.0),
        ("files_per_s", -1.0),
        ("bad_lines_kept", -1),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(option: str, got: object) -> None:
    """The error names the option and what is valid."""
    with pytest.raises(ConfigError) as caught:
        GeneratorOptions(**{option: got})  # type: ignore[arg-type]
    assert option == caught.value.setting
    assert caught.value.valid


def test_only_one_rate_is_accepted() -> None:
    """Two rates would contradict each other."""
    with pytest.raises(ConfigError, match="files_per_s"):
        GeneratorOptions(bytes_per_s=1.0, files_per_s=1.0)


def test_names_follow_the_pattern_and_the_compression() -> None:
    """The suffix of the compression comes last, where readers look for it."""
    options = GeneratorOptions(pattern="{seed}-{index:03d}.log", seed=9, compression="zst")
    assert "9-007.log.zst" == options.file_name(7)


def test_options_cost_no_heavy_import() -> None:
    """A command can declare the generator's options without loading numpy or numba."""
    program = (
        "import sys, qanat.pipelines.metering.generator\n"
        "print(sorted({'numpy', 'numba', 'zstandard'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "[]" == said.stdout.strip()
