"""Key ranges: which consumers belong to one, and how many consumers a file may have."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qanat.pipelines.metering.kernel import layout

# What an estimate may be wrong by when consumers are spread evenly over the file.
_SLACK: Final = 1.05
# An estimate is at least so many times what was found before giving up: a file whose later lines bring more new consumers
# than its first ones then takes a few attempts, each with larger steps, but no endless number.
_GROWTH_MIN: Final = 1.25
_STEPS: Final = 60


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The consumers whose mixed key begins with the bits of `index`: about one in `of`.

    Attributes:
        index: From 0 to `of` - 1.
        of: A power of two.
    """

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: There is no such range.
        """
        if self.of < 1 or self.of & (self.of - 1) or not 0 <= self.index < self.of:
            raise ValueError(
                f"key range {self.index} of {self.of}: the number has to be a power of two"
            )

    @property
    def bits(self) -> int:
        """The logarithm of `of`."""
        return self.of.bit_length() - 1

    def contains(self, consumers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell for each consumer whether it is in the range, as the kernel decides it (`table.mixed`)."""
        if self.of == 1:
            return np.ones(len(consumers), np.bool_)
        mixed = consumers.astype(np.uint64) * np.uint64(layout.MIX_FIRST)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(layout.MIX_SECOND)
        found: npt.NDArray[np.bool_] = mixed >> np.uint64(64 - self.bits) == np.uint64(self.index)
        return found


def estimate_keys(found: int, lines: int, share: float | None) -> int:
    """Estimate how many distinct consumers a file has, from `found` ones in `lines` of its lines.

    It supposes that all consumers are equally frequent. Of N such consumers, n lines hold N (1 - exp(-n / N)).

    Args:
        found: Distinct consumers, at least 1.
        lines: Lines looked at, at least `found`.
        share: Which part of the file they are, of 0 to 1; None if that isn't known.
    """
    least = _GROWTH_MIN * found
    ratio = found / lines
    total_lines = lines / share if share else math.inf
    # x = lines / N solves (1 - exp(-x)) / x = ratio; the left side falls from 1 to 0.
    low, high = 0.0, 1 / ratio
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if -math.expm1(-middle) > ratio * middle:
            low = middle
        else:
            high = middle
    # Nearly every line has a consumer of its own: there may be as many as lines.
    consumers = lines / high
    if math.isfinite(total_lines):
        consumers *= -math.expm1(-total_lines / consumers)
    return math.ceil(max(least, _SLACK * consumers))
