"""Where the kernel writes bad lines, a batch at a time."""

import numpy as np

from qanat.pipelines.metering.kernel import layout
from qanat.pipelines.metering.lines import BadLines


class BadColumns:
    """Memory for `BAD_CAPACITY` bad lines."""

    def __init__(self) -> None:
        self._lines = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._offsets = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._lengths = np.zeros(layout.BAD_CAPACITY, np.int64)
        self._reasons = np.zeros(layout.BAD_CAPACITY, np.uint8)
        self._raw_ends = np.zeros(layout.BAD_CAPACITY + 1, np.int32)
        self._raw = np.zeros(layout.BAD_RAW_BYTES, np.uint8)

    def addresses(self) -> list[int]:
        """In the order of the fields from BAD_LINE on."""
        columns = (
            self._lines,
            self._offsets,
            self._lengths,
            self._reasons,
            self._raw_ends,
            self._raw,
        )
        return [column.ctypes.data for column in columns]

    def take(self, count: int) -> BadLines:
        """Copy the first `count` entries."""
        return BadLines(
            lines=self._lines[:count].copy(),
            offsets=self._offsets[:count].copy(),
            lengths=self._lengths[:count].copy(),
            reasons=self._reasons[:count].copy(),
            raw_ends=self._raw_ends[: count + 1].copy(),
            raw=self._raw[: self._raw_ends[count]].tobytes(),
        )
