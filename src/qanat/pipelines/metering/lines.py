"""The grammar of a line, and what becomes of a line that isn't one.

A line is `CONSUMER SPACE AMOUNT`, both 1 to 18 decimal digits, ended by LF or CR LF. The last line of a file may lack its
end; a CR before the end of the file then belongs to the line. Every other line, an empty one too, is bad.

A `Grammar` may allow more of an amount: a minus sign in front, and decimals. It then has at most 18 digits with all its
decimals, written out or not, and counts in units of the last: with three decimals `-1.5` is -1500.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS_MAX = 18


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
    AMOUNT_NEGATIVE = 10
    AMOUNT_TOO_GREAT = 11
    POINT_ALONE = 12
    DECIMALS_TOO_MANY = 13

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
    BadReason.AMOUNT_NEGATIVE: "the amount is negative, and amounts aren't signed here",
    BadReason.AMOUNT_TOO_GREAT: "the amount has more than 18 digits with all its decimals",
    BadReason.POINT_ALONE: "the decimal point has no digit before or behind it",
    BadReason.DECIMALS_TOO_MANY: "the amount has more decimals than are counted here",
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an amount may be.

    Attributes:
        signed: It may begin with one minus sign.
        decimals: It may have so many digits, 0 to 9, behind a decimal point.
    """

    signed: bool = False
    decimals: int = 0

    @property
    def text(self) -> str:
        """What the numbers are, for a person."""
        if not self.signed and not self.decimals:
            return "each 1 to 18 digits"
        sign = ", with a minus sign or without" if self.signed else ""
        decimals = f", {self.decimals} of them or fewer behind a point" if self.decimals else ""
        return f"each 1 to 18 digits; the amount{sign}{decimals}"

    def read(self, line: bytes) -> tuple[int, int] | None:
        """Return consumer and amount of a single line without its end; None for a bad one."""
        sign = b"-?" if self.signed else b""
        point = rb"(?:\.([0-9]{1,%d}))?" % self.decimals if self.decimals else b"()"
        amount = rb"(%s[0-9]{1,%d})%s" % (sign, _DIGITS_MAX - self.decimals, point)
        match = re.fullmatch(rb"([0-9]{1,%d}) " % _DIGITS_MAX + amount, line)
        if match is None:
            return None
        fraction = (match[3] or b"").ljust(self.decimals, b"0")
        return int(match[1]), int(match[2] + fraction)


PLAIN: Final = Grammar()
"""Whole amounts, none of them negative."""


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
