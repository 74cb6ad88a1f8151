"""What the generator is asked for: checked once, when the options are made. Loads neither numpy nor
numba.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from qanat.errors import ConfigError
from qanat.pipelines.metering.generate.malformed import MALFORMED_KINDS

DISTRIBUTIONS: Final = ("uniform", "zipf")
COMPRESSIONS: Final = ("none", "gz", "zst")
# The suffix by which readers recognise a compression.
SUFFIXES: Final = {"none": "", "gz": ".gz", "zst": ".zst"}
SIDE_FILE_SUFFIX: Final = ".meta.json"

# The grammar's limit: 1 to 18 decimal digits.
NUMBER_MAX: Final = 10**18 - 1
DECIMALS_MAX: Final = 9
# Totals take 16 bytes per consumer: 4 GiB at this limit.
CONSUMERS_MAX: Final = 1 << 28
ZIPF_EXPONENT_MAX: Final = 8.0
_LEVELS: Final = {"none": range(0), "gz": range(1, 10), "zst": range(1, 20)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorOptions:
    """Options of the generator. The same seed and options give the same lines on every machine.

    (Compressed files have the same lines; their compressed bytes depend on the version of the
    compressor.)

    Attributes:
        seed: 0 to 2^64 - 1.
        files: how many files; None: endless.
        first_index: index of the first file. A file depends on its index and not on those before
            it, so a later run goes on where an earlier one ended by beginning at the next index.
        size_bytes_min: smallest size of a file before compression. The size of each is drawn evenly
            from the range; a file ends with the last line that fits, so that it's smaller than the
            size drawn by less than a line.
        size_bytes_max: largest size.
        consumers: how many consumers there are.
        first_consumer: the consumers are numbered from here on; not used with `consumer_digits`.
        consumer_digits: spreads the consumers evenly over all numbers of up to so many digits
            instead.
        distribution: "uniform" or "zipf": how often the consumers occur.
        zipf_exponent: the consumer of rank k occurs in proportion to k^-exponent.
        amount_min: smallest amount.
        amount_max: largest amount; amounts are drawn evenly. Both are in units of the last decimal.
        signed_share: share of good lines whose amount is negative.
        decimals: digits of an amount behind its decimal point, 0 to 9; 0 for no point.
        bad_share: share of malformed lines, 0 to 1.
        bad_kinds: which kinds of them, out of MALFORMED_KINDS, equally often.
        crlf_share: share of lines that end in CRLF.
        padded_share: share of good lines whose numbers have leading zeros, up to 18 digits.
        unterminated_share: share of files whose last line has no newline (a last line that is empty
            keeps it, because without it there would be no line).
        compression: "none", "gz" or "zst"; adds its suffix to the name.
        compression_level: 1 to 9 for gz, 1 to 19 for zst; None: 1, the fastest.
        pattern: names of the files; has to contain {index} (as in `{index:06d}`) and may contain
            {seed}.
        side_files: write NAME.meta.json with size and digest before NAME appears.
        bytes_per_s: rate over all files, before compression; None: as fast as possible.
        files_per_s: rate at which files are begun; None: as fast as possible. Only one of the
            rates.
        durable: fsync files and folder. False is for input of benchmarks, which needn't survive a
            power failure.
        bad_lines_kept: how many malformed lines are kept with their bytes, per file and over all;
            all are counted.

    Raises:
        ConfigError: an option can't be used.
    """

    seed: int = 0
    files: int | None = 1
    first_index: int = 0
    size_bytes_min: int = 64 << 20
    size_bytes_max: int = 64 << 20
    consumers: int = 100_000
    first_consumer: int = 1
    consumer_digits: int | None = None
    distribution: str = "uniform"
    zipf_exponent: float = 1.0
    amount_min: int = 1
    amount_max: int = 100_000
    signed_share: float = 0.0
    decimals: int = 0
    bad_share: float = 0.0
    bad_kinds: tuple[str, ...] = MALFORMED_KINDS
    crlf_share: float = 0.0
    padded_share: float = 0.0
    unterminated_share: float = 0.0
    compression: str = "none"
    compression_level: int | None = None
    pattern: str = "metering-{index:06d}.txt"
    side_files: bool = False
    bytes_per_s: float | None = None
    files_per_s: float | None = None
    durable: bool = True
    bad_lines_kept: int = 10_000

    def __post_init__(self) -> None:
        """Check every option."""
        self._check_counts()
        self._check_consumers()
        self._check_lines()
        self._check_output()

    def file_name(self, index: int) -> str:
        """Return the name of the file with `index`, with the suffix of its compression."""
        return self.pattern.format(index=index, seed=self.seed) + SUFFIXES[self.compression]

    def indexes(self) -> Iterator[int]:
        """Return the indexes of all files, without end if they aren't counted."""
        if self.files is None:
            return count(self.first_index)
        return iter(range(self.first_index, self.first_index + self.files))

    def _check_counts(self) -> None:
        _check("seed", self.seed, 0, 2**64 - 1)
        if self.files is not None:
            _check("files", self.files, 0, 2**63 - 1)
        _check("first_index", self.first_index, 0, 2**63 - 1)
        _check("size_bytes_min", self.size_bytes_min, 0, 2**62)
        _check("size_bytes_max", self.size_bytes_max, self.size_bytes_min, 2**62)
        _check("bad_lines_kept", self.bad_lines_kept, 0, 2**31)

    def _check_consumers(self) -> None:
        _check("consumers", self.consumers, 1, CONSUMERS_MAX)
        _check("first_consumer", self.first_consumer, 0, NUMBER_MAX - self.consumers + 1)
        if self.consumer_digits is not None:
            digits_min = len(str(self.consumers - 1))
            hint = f"{self.consumers} consumers don't fit into fewer digits."
            _check("consumer_digits", self.consumer_digits, digits_min, 18, hint)
        _choose("distribution", self.distribution, DISTRIBUTIONS)
        _check("zipf_exponent", self.zipf_exponent, 0.0, ZIPF_EXPONENT_MAX)

    def _check_lines(self) -> None:
        _check("amount_min", self.amount_min, 0, NUMBER_MAX)
        _check("amount_max", self.amount_max, self.amount_min, NUMBER_MAX)
        _check("decimals", self.decimals, 0, DECIMALS_MAX)
        for share in (
            "signed_share",
            "bad_share",
            "crlf_share",
            "padded_share",
            "unterminated_share",
        ):
            _check(share, getattr(self, share), 0.0, 1.0)
        if not self.bad_kinds:
            raise ConfigError(
                "bad_kinds", self.bad_kinds, "at least one kind", "Use bad_share 0 for none."
            )
        for kind in self.bad_kinds:
            _choose("bad_kinds", kind, MALFORMED_KINDS)
        if self.bad_share:
            self._check_kind("sign", well_formed=self.signed_share > 0, option="signed_share")
            self._check_kind("decimal-point", well_formed=self.decimals > 0, option="decimals")

    def _check_kind(self, kind: str, *, well_formed: bool, option: str) -> None:
        """Refuse a kind of malformed lines some of which are well-formed by the grammar."""
        if well_formed and kind in self.bad_kinds:
            hint = f"With {option} some of those lines are good ones."
            raise ConfigError("bad_kinds", ",".join(self.bad_kinds), f"without {kind}", hint)

    def _check_output(self) -> None:
        _choose("compression", self.compression, COMPRESSIONS)
        levels = _LEVELS[self.compression]
        if self.compression_level is not None and self.compression_level not in levels:
            valid = (
                f"from {levels[0]} to {levels[-1]}" if levels else "left out without a compression"
            )
            raise ConfigError("compression_level", self.compression_level, valid)
        _check_pattern(self)
        for name in ("bytes_per_s", "files_per_s"):
            rate = getattr(self, name)
            if rate is not None and not rate > 0:
                raise ConfigError(name, rate, "above 0, or left out for no limit")
        if self.bytes_per_s is not None and self.files_per_s is not None:
            hint = "bytes_per_s is set already."
            raise ConfigError("files_per_s", self.files_per_s, "left out", hint)


def _check(name: str, got: float, low: float, high: float, hint: str = "") -> None:
    if not low <= got <= high:
        raise ConfigError(name, got, f"from {low} to {high}", hint)


def _choose(name: str, got: str, valid: tuple[str, ...]) -> None:
    if got not in valid:
        raise ConfigError(name, got, f"one of {', '.join(valid)}")


def _check_pattern(options: GeneratorOptions) -> None:
    """Refuse names that collide, leave the folder, or that readers take for something else."""
    valid = "a file name with {index}, as in 'metering-{index:06d}.txt'; the other field is {seed}"
    try:
        names = {options.file_name(index) for index in (0, 1, 11)}
    except (LookupError, ValueError, AttributeError) as error:
        raise ConfigError(
            "pattern", options.pattern, valid, f"It can't be filled in: {error}."
        ) from error
    reserved = any(
        name.startswith(".") or name.endswith((".part", SIDE_FILE_SUFFIX)) for name in names
    )
    outside = any("/" in name or "\\" in name or "\0" in name for name in names)
    if len(names) < 3 or reserved or outside:
        hint = f"No folder, no dot in front, and neither .part nor {SIDE_FILE_SUFFIX} at the end."
        raise ConfigError("pattern", options.pattern, valid, hint)
