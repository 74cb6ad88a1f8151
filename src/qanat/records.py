"""What moves through a pipeline: batches, items, positions, staged parts, dead letters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from qanat.tables import Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

Partition = str
"""The name of an ordered part of a source, such as `0` or `eqiad.page-create`."""

Position = str
"""A place in a partition, opaque to the runtime: only the source that made it can read it."""


class Progress(NamedTuple):
    """How far a stage has come in one partition.

    Attributes:
        position: Where to resume; None before the first batch.
        version: Grows by one with every move and is never reused, not even after a rewind.
        incarnation: The source's, as it was at the last move; None before the first batch.
    """

    position: Position | None
    version: int
    incarnation: str | None


class Move(NamedTuple):
    """One compare-and-set of progress: from the version that was read, to the batch's end."""

    expected: int
    incarnation: str
    to: Position


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of an ordered source, up to the position `ends[partition]` in each partition.

    Attributes:
        rows: Arrow table; its schema is the source's.
        ends: The position after the last row, for each partition that has rows or has moved on without any.
        judged_at: The time at which this batch is judged, fixed before its first attempt.
    """

    rows: "pa.Table"
    ends: Mapping[Partition, Position]
    judged_at: datetime


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a transform made of a batch's rows.

    Attributes:
        rows: What goes on, in the order in which it came; a row may be left out on purpose.
        rejected: The rows that can't be used: `row` (int64, the place among the given rows), `reason` (text), `raw` (binary,
            the record as it was received). None for none.
    """

    rows: "pa.Table"
    rejected: "pa.Table | None" = None

    @classmethod
    def of(
        cls,
        table: Table,
        rows: Iterable[Mapping[str, object]],
        rejected: Iterable[tuple[int, str, bytes]] = (),
    ) -> "Transformed":
        """Make it of Python's own values, for transforms that go record by record.

        Args:
            table: The shape of the rows; of a topic, its `shape`.
            rows: By column.
            rejected: The place among the given rows, the reason, and the record as it was received.
        """
        import pyarrow as pa

        made = pa.Table.from_pylist(list(rows), schema=arrow_schema(table))
        letters = [{"row": row, "reason": reason, "raw": raw} for row, reason, raw in rejected]
        shape = pa.schema([("row", pa.int64()), ("reason", pa.string()), ("raw", pa.binary())])
        return cls(made, pa.Table.from_pylist(letters, schema=shape) if letters else None)


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work, in no order with others unless `order_key` says so.

    Attributes:
        id: Unique in its queue for ever: it is what enters the ledger.
        scope: What it belongs to; a barrier asks whether anything of a scope is still open.
        payload: The item's own bytes (JSON, as a rule).
        attempt: 1 the first time it is claimed.
        due_at: Not claimed before this moment (UTC).
        order_key: Items with one order_key are claimed one at a time, in order of id.
    """

    id: str
    scope: str
    payload: bytes
    due_at: datetime
    attempt: int = 0
    order_key: str | None = None


class Worker(NamedTuple):
    """A process that works on what a store keeps.

    Attributes:
        host: Its machine's name.
        pid: Its number there.
        since: When it began to work there; None when the store won't tell us.
    """

    host: str
    pid: int
    since: datetime | None


class Staged(NamedTuple):
    """A part that a store holds, invisible until it is merged. The same (attempt, part) replaces."""

    table: str
    attempt: UUID
    part: int
    rows: int


class FileStat(NamedTuple):
    """A file as the file system tells it: the same five values mean the same file, untouched.

    Attributes:
        name: Relative to the folder.
        inode: Cut to 63 bits, which every store can hold.
    """

    name: str
    size: int
    mtime_ns: int
    inode: int
    device: int


class FoundFile(NamedTuple):
    """A finished file that was found, and looked at briefly.

    Attributes:
        sketch: Digest of its size, first and last chunk; with the name it tells files apart before they are read.
        promised_digest: What the writer's side file says, if there is one.
        compression: `none`, `gz` or `zst`.
    """

    stat: FileStat
    sketch: str
    promised_digest: str | None
    compression: str
