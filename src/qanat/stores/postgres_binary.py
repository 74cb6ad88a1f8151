"""Columns of fixed width as COPY's binary format, put together by numpy a block at a time.

Three million rows of two numbers a second on one core: ten times what a loop over rows reaches. Beside the columns themselves
only one block is in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from qanat.interfaces import Scalar
from qanat.stores.postgres_numbers import numeric_wire
from qanat.tables import ColumnType

# A block of a hundred bytes a row stays within a processor's cache.
_BLOCK_ROWS = 16_384
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What every binary COPY begins with: a signature, flags, and no extension."""
TRAILER = b"\xff\xff"
"""What every binary COPY ends with: a row of -1 columns."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_US = 946_684_800_000_000
_WIRES: dict[ColumnType, str] = {
    ColumnType.INT64: ">i8",
    ColumnType.FLOAT64: ">f8",
    ColumnType.BOOLEAN: "?",
    ColumnType.TIMESTAMP: ">i8",
}
WIDE = frozenset({*_WIRES, ColumnType.INT128})
"""The types whose values have one width; INT128 as long as 64 bits hold them."""

Wire = npt.NDArray[np.generic]
"""Values as the server reads them; of no dimension for a constant."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows for one COPY.

    Attributes:
        options: What stands after `with`.
        blocks: The bytes; can be read once.
    """

    options: str
    blocks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Wide:
    """A column without nulls.

    Attributes:
        kind: One of WIDE.
        values: int64 (a timestamp: microseconds since 1970), float64 or bool.
    """

    kind: ColumnType
    values: npt.NDArray[np.generic]

    def wire(self, part: slice, chosen: npt.NDArray[np.bool_] | None) -> Wire:
        """Return the chosen ones of some rows as the server reads them."""
        values = self.values[part] if chosen is None else self.values[part][chosen]
        if self.kind is ColumnType.INT128:
            return numeric_wire(np.asarray(values, dtype=np.int64))
        if self.kind is ColumnType.TIMESTAMP:
            values = np.asarray(values, dtype=np.int64) - _EPOCH_US
        return np.asarray(values, dtype=_WIRES[self.kind])


def binary(
    columns: Sequence[Wide],
    constants: Sequence[Wire],
    rows: int,
    chosen: npt.NDArray[np.bool_] | None = None,
) -> Encoded:
    """Encode columns of `rows` rows (or the chosen ones of them), and after them constants."""
    return Encoded("(format binary)", _blocks(columns, constants, rows, chosen))


def _blocks(
    columns: Sequence[Wide],
    constants: Sequence[Wire],
    rows: int,
    chosen: npt.NDArray[np.bool_] | None,
) -> Iterator[bytes]:
    yield HEADER
    for start in range(0, rows, _BLOCK_ROWS):
        part = slice(start, min(start + _BLOCK_ROWS, rows))
        choice = None if chosen is None else chosen[part]
        count = part.stop - start if choice is None else int(np.count_nonzero(choice))
        yield _rows([*(column.wire(part, choice) for column in columns), *constants], count)
    yield TRAILER


def _rows(wires: Sequence[Wire], count: int) -> bytes:
    """Interleave columns: each row is how many values it has, and before each value how long it is."""
    layout: list[tuple[str, object]] = [("columns", ">i2")]
    for number, wire in enumerate(wires):
        layout += [(f"bytes{number}", ">i4"), (f"value{number}", wire.dtype)]
    block = np.zeros(count, dtype=layout)
    block["columns"] = len(wires)
    for number, wire in enumerate(wires):
        block[f"bytes{number}"] = wire.dtype.itemsize
        block[f"value{number}"] = wire
    return block.tobytes()


def constant_wire(kind: ColumnType, value: Scalar) -> Wire | None:
    """Return a constant as the server reads it; None for null, for an empty text and for more than 64 bits."""
    if value is None:
        return None
    if kind is ColumnType.INT128:
        number = int(str(value))
        return numeric_wire(np.array([number]))[0] if abs(number) < 2**63 else None
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return np.array(value, dtype=f"V{len(value)}") if value else None
    if isinstance(value, datetime):
        since = value.astimezone(UTC) - _EPOCH
        value = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return np.array(value, dtype=_WIRES[kind])
