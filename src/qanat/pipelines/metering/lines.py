"""The grammar of a line, and what becomes of a line that isn't one.

A line is `CONSUMER SPACE AMOUNT`, both 1 to 18 decimal digits, ended by LF or CR LF. The last line of a file may lack its
end; a CR before the end of the file then belongs to the line. Every other line, an empty one too, is bad.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


class BadReason(IntEnum):
    """Why a line is bad: the first thing wrong with it, read from the left."""

    EMPTY = 1
    CONSUMER_MISSING = 2
    CONSUMER_NOT_DIGITS = 3
    CONSUMER_TOO_LONG = 4
    SPACE_MISSING = 5
    AMOUNT_MISSING = 6
    AMOUNT_NOT_DIGITS = 7
    AMOUNT_TOO_LONG = 8
    AMOUNT_FOLLOWED = 9

    @property
    def text(self) -> str:
        """The reason for a person."""
        return _TEXTS[self]


_TEXTS = {
    BadReason.EMPTY: "the line is empty",
    BadReason.CONSUMER_MISSING: "the line begins with a space instead of a consumer",
    BadReason.CONSUMER_NOT_DIGITS: "the consumer has other characters than digits",
    BadReason.CONSUMER_TOO_LONG: "the consumer has more than 18 digits",
    BadReason.SPACE_MISSING: "the line ends after the consumer",
    BadReason.AMOUNT_MISSING: "the line ends where the amount should be",
    BadReason.AMOUNT_NOT_DIGITS: "what follows the space isn't a digit",
    BadReason.AMOUNT_TOO_LONG: "the amount has more than 18 digits",
    BadReason.AMOUNT_FOLLOWED: "the amount has other characters than digits",
}


@dataclass(frozen=True, slots=True)
class BadLines:
    """Some bad lines of one span, in the order of the file.

    Attributes:
        lines: int64, the lines' numbers, from 0 at the span's first line.
        offsets: int64, where they begin in the file, in bytes.
        lengths: int64, their bytes without LF or CR LF.
        reasons: uint8, codes of `BadReason`.
        raw: The first `RAW_BYTES_MAX` bytes of each, one after the other.
        raw_ends: int32, where in `raw` each line's bytes end; one more, of 0, before the first.
    """

    lines: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    reasons: npt.NDArray[np.uint8]
    raw: bytes
    raw_ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """How many lines."""
        return len(self.lines)

    def to_arrow(self) -> "pa.Table":
        """Return the lines as rows.

        Columns: line, byte_offset, length (int64), reason (string, see `BadReason.text`), raw
        (binary).
        """
        import pyarrow as pa

        texts = pa.array(["", *(reason.text for reason in BadReason)])
        reasons = pa.DictionaryArray.from_arrays(pa.array(self.reasons), texts)
        buffers = [None, pa.py_buffer(self.raw_ends), pa.py_buffer(self.raw)]
        return pa.table(
            {
                "line": self.lines,
                "byte_offset": self.offsets,
                "length": self.lengths,
                "reason": reasons.dictionary_decode(),
                "raw": pa.Array.from_buffers(pa.binary(), len(self), buffers),
            }
        )
