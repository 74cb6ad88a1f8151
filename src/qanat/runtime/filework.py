"""What a pipeline says about a finite input: how a part of a file becomes rows, and where these rows go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from qanat.errors import QanatError
from qanat.interfaces import Scalar, Transaction
from qanat.runtime.registry import FileRow
from qanat.tables import Table, WriteMode

if TYPE_CHECKING:
    import pyarrow as pa


class ByteSource(Protocol):
    """The bytes of one opened file."""

    size: int | None
    sequential: bool

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset` on; return the bytes read, fewer than asked only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One part of a file: the bytes from `start` to `stop`, and of their keys the range `index` of `of`.

    Attributes:
        stop: None for the end of the file (of a compressed one it isn't known before).
    """

    number: int
    start: int
    stop: int | None
    index: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a transform calls while it works.

    Attributes:
        on_block: After every read, with its bytes: paces, shows progress; raises to end the work.
        on_rejected: With bounded batches of dead letters: columns `line` (from 0 within the part), `byte_offset`, `reason`,
            `length`, `raw`.
    """

    on_block: Callable[[int], None]
    on_rejected: Callable[["pa.Table"], None]


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What a part came to.

    Attributes:
        rows: In the shape of the transform's staging table, each key once.
        lines_good: Lines of the part that were summed; 0 in key ranges after the first, so that each line is told once.
        lines_bad: Lines that were rejected, likewise.
        total: The sum of what was counted, in this part and key range.
        digests: The chunk digests of the part's bytes (`qanat.digests`), computed from the buffers that were summed.
        size: Bytes that were read as content (of a compressed file, after decompression).
        disk_digest: Of a compressed file, the digest of its bytes on disk.
    """

    rows: "pa.Table"
    lines_good: int
    lines_bad: int
    total: int
    digests: bytes
    size: int
    disk_digest: str | None = None
    staged_letters: int = field(default=0)


class KeysExceeded(QanatError):
    """More distinct keys than the memory allows; the file is planned anew as key ranges.

    Attributes:
        keys_estimated: How many the whole file may have; rather too many than too few.
    """

    def __init__(self, keys_estimated: int) -> None:
        self.keys_estimated = keys_estimated
        super().__init__(f"about {keys_estimated} distinct keys")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a file's staged rows go when it is counted."""

    table: Table
    mode: WriteMode
    constants: Mapping[str, Scalar]


class FileTransform(Protocol):
    """A pipeline's own part of a stage on files."""

    @property
    def staging(self) -> Table:
        """The shape of what `compute` returns."""
        ...

    def prepare(self) -> None:
        """Begin to load, in a thread of its own, what `compute` needs. Called when a file was found, to save the time of
        registering it; may be called again, or never. What goes wrong is for `compute` to raise.
        """
        ...

    def compute(self, source: ByteSource, part: PartPlan, hooks: Hooks) -> PartOutcome:
        """Read one part and make rows of it. Called outside any transaction; deterministic.

        Raises:
            KeysExceeded: Plan the file as key ranges.
        """
        ...

    def ranges(self, keys_estimated: int) -> int:
        """Return into how many key ranges a file with so many keys is to be cut."""
        ...

    def targets(self, file: FileRow, transaction: Transaction) -> Sequence[Target]:
        """Say where the rows of `file` go, in the order of writing (the same for every file, against deadlocks)."""
        ...

    def reversed(self, rows: "pa.Table") -> "pa.Table":
        """Return the rows that undo `rows`."""
        ...

    def reversing(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Return the targets for undoing: those of `targets` with modes that leave no trace."""
        ...
