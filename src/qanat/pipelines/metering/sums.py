"""What summing comes to: consumers in ascending order, each with its exact 128-bit sum."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL_DIGITS: Final = 38
# The weight of the sign of 128 bits, read without it.
_MODULUS: Final = 1 << 128


@dataclass(frozen=True, slots=True)
class Carries:
    """How often the low 64 bits of a consumer's sum, a signed number, wrapped around; nearly always empty.

    Attributes:
        consumers: uint64, ascending, each once.
        counts: int64, how many more times upwards than downwards.
    """

    consumers: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """No carries at all."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.int64))

    def joined(self, other: "Carries") -> "Carries":
        """Return both together; `other` may be in any order and name a consumer more than once."""
        if len(other.consumers) == 0:
            return self
        consumers = np.concatenate((self.consumers, other.consumers))
        counts = np.concatenate((self.counts, other.counts))
        order = np.argsort(consumers, kind="stable")
        consumers = consumers[order]
        firsts = np.flatnonzero(np.diff(consumers, prepend=consumers[0] ^ np.uint64(1)))
        return Carries(consumers[firsts], np.add.reduceat(counts[order], firsts))


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums per consumer, at 24 bytes each.

    Attributes:
        consumer: int64, ascending, each once.
        words: uint64 of the shape (consumers, 2), C-contiguous: low and high word of each sum; both together are a signed
            number of 128 bits.
    """

    consumer: npt.NDArray[np.int64]
    words: npt.NDArray[np.uint64]

    @classmethod
    def from_records(cls, records: npt.NDArray[np.uint64], carries: Carries) -> Self:
        """Take over `records`: consumer + 1 and low word, ascending. Their memory is used again."""
        consumer = (records[:, 0] - np.uint64(1)).view(np.int64)
        records[:, 0] = records[:, 1]
        # The low word's sign, repeated, and what wrapped around.
        signed = records.view(np.int64)
        np.right_shift(signed[:, 0], 63, out=signed[:, 1])
        if len(carries.consumers):
            places = np.searchsorted(consumer, carries.consumers.view(np.int64))
            signed[places, 1] += carries.counts
        return cls(consumer, records)

    @property
    def low(self) -> npt.NDArray[np.uint64]:
        """The lower 64 bits of each sum, uint64."""
        return self.words[:, 0]

    @property
    def high(self) -> npt.NDArray[np.uint64]:
        """The upper 64 bits of each sum, uint64; the highest is its sign."""
        return self.words[:, 1]

    def __len__(self) -> int:
        """How many consumers."""
        return len(self.consumer)

    def total(self) -> int:
        """Return the sum of all sums, exactly."""
        # 32 bits at a time: so many of them never overflow 64 bits, and nothing is copied.
        parts = self.words.view(np.uint32).sum(axis=0, dtype=np.uint64)
        unsigned = sum(int(part) << (32 * place) for place, part in enumerate(parts))
        negative = int(np.count_nonzero(self.words.view(np.int64)[:, 1] < 0))
        return unsigned - _MODULUS * negative

    def to_arrow(self) -> "pa.Table":
        """Return the columns consumer (int64) and amount (decimal128(38, 0)), sharing this memory."""
        import pyarrow as pa

        # Not `pa.array`, which imports numpy.ma: 10 ms.
        consumers = pa.Array.from_buffers(
            pa.int64(), len(self), [None, pa.py_buffer(np.ascontiguousarray(self.consumer))]
        )
        amounts = pa.Array.from_buffers(
            pa.decimal128(_DECIMAL_DIGITS), len(self), [None, pa.py_buffer(self.words)]
        )
        return pa.table({"consumer": consumers, "amount": amounts})
