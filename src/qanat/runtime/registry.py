"""The register of finite inputs: which files there are, what became of each, and the parts of the large ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, cast

from qanat.interfaces import Scalar
from qanat.records import FileStat
from qanat.tables import Add, Column, ColumnType, Table, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    import pyarrow as pa

    from qanat.interfaces import Transaction


class FileState(StrEnum):
    """What became of a file."""

    REGISTERED = "registered"  # known, not yet ended
    COUNTED = "counted"
    HELD = "held"  # its content was counted before, as another file; waits for the user
    FAILED = "failed"  # none of its lines count
    UNDONE = "undone"  # was counted, and taken out again


FILES = Table(
    name="files",
    columns=(
        Column("id", ColumnType.INT64),
        Column("name", ColumnType.TEXT, about="relative to the folder"),
        Column("size", ColumnType.INT64, about="bytes on disk"),
        Column("mtime_ns", ColumnType.INT64),
        Column("inode", ColumnType.INT64),
        Column("device", ColumnType.INT64),
        Column("sketch", ColumnType.TEXT, about="digest of size, first and last chunk"),
        Column("compression", ColumnType.TEXT, about="none, gz or zst"),
        Column("promised_digest", ColumnType.TEXT, nullable=True, about="from the side file"),
        Column("digest", ColumnType.TEXT, nullable=True, about="of the content that was summed"),
        Column("state", ColumnType.TEXT, about="registered, counted, held, failed or undone"),
        Column("reason", ColumnType.TEXT, nullable=True, about="why it is held or failed"),
        Column("registered_at", ColumnType.TIMESTAMP, about="its hour is the period of its usage"),
        Column("ended_at", ColumnType.TIMESTAMP, nullable=True),
        Column("lines_good", ColumnType.INT64, nullable=True),
        Column("lines_bad", ColumnType.INT64, nullable=True),
        Column("total", ColumnType.INT128, nullable=True, about="sum of its amounts"),
        Column("attempt", ColumnType.TEXT, nullable=True, about="of staging its parts"),
        Column("parts", ColumnType.INT64, about="0: one transaction"),
        Column("ranges", ColumnType.INT64, about="key ranges; 1 when its keys fit in memory"),
        Column("forced", ColumnType.BOOLEAN, about="count it though its content was counted"),
        Column("number", ColumnType.INT64, nullable=True, about="the how-manieth counted file"),
        Column("settled", ColumnType.BOOLEAN, about="moved, kept or deleted as was asked"),
        Column("settled_as", ColumnType.TEXT, nullable=True, about="where it lies now"),
    ),
    key=("id",),
    unique=(("name", "sketch"),),
    about="one row per file that was ever found",
)

PARTS = Table(
    name="parts",
    columns=(
        Column("file_id", ColumnType.INT64),
        Column("attempt", ColumnType.TEXT),
        Column("part", ColumnType.INT64),
        Column("start", ColumnType.INT64),
        Column("lines_good", ColumnType.INT64),
        Column("lines_bad", ColumnType.INT64),
        Column("total", ColumnType.INT128),
        Column("digests", ColumnType.BYTES),
        Column("size", ColumnType.INT64),
        Column("rows", ColumnType.INT64),
        Column("disk_digest", ColumnType.TEXT, nullable=True),
    ),
    key=("file_id", "attempt", "part"),
    about="one row per staged part of a file that isn't ended yet",
)

COUNTERS = Table(
    name="counters",
    columns=(Column("name", ColumnType.TEXT), Column("value", ColumnType.INT64)),
    key=("name",),
    about="numbers that only grow: file ids, counted files",
)

WATCH = Table(
    name="watch",
    columns=(Column("name", ColumnType.TEXT), Column("value", ColumnType.TEXT, about="JSON")),
    key=("name",),
    about="what the last run was told to watch for, so that whoever looks judges as it does",
)

REGISTRY_TABLES = (FILES, PARTS, COUNTERS)


class Queries(Protocol):
    """What both a reader and a transaction can do."""

    def query(self, sql: str, parameters: "Mapping[str, Scalar] | None" = None) -> "pa.Table":
        """Read."""
        ...


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of `files`; the columns' meaning is told there."""

    id: int
    name: str
    size: int
    mtime_ns: int
    inode: int
    device: int
    sketch: str
    compression: str
    promised_digest: str | None
    digest: str | None
    state: str
    reason: str | None
    registered_at: datetime
    ended_at: datetime | None
    lines_good: int | None
    lines_bad: int | None
    total: int | None
    attempt: str | None
    parts: int
    ranges: int
    forced: bool
    number: int | None
    settled: bool
    settled_as: str | None

    @property
    def stat(self) -> FileStat:
        """The file as it was when it was registered."""
        return FileStat(self.name, self.size, self.mtime_ns, self.inode, self.device)


def files_where(store: Queries, condition: str, **parameters: Scalar) -> list[FileRow]:
    """Return the files for which `condition` holds, in order of id.

    Args:
        store: Where to look.
        condition: SQL over the columns of `files`, its parameters written `$name`.
        **parameters: Their values.
    """
    sql = f"select {', '.join(FILES.names)} from files where {condition} order by id"
    rows = store.query(sql, parameters).to_pylist()
    return [FileRow(**{**row, "total": _whole(row["total"])}) for row in rows]


def file_by_id(store: Queries, file_id: int) -> FileRow:
    """Return the file with this id; KeyError when there is none."""
    found = files_where(store, "id = $id", id=file_id)
    if not found:
        raise KeyError(file_id)
    return found[0]


def files_named(store: Queries, names: Iterable[str]) -> list[FileRow]:
    """Return the files that have one of these names."""
    listed = list(names)
    if not listed:
        return []
    parameters = {f"n{index}": name for index, name in enumerate(listed)}
    return files_where(
        store, f"name in ({', '.join('$' + key for key in parameters)})", **parameters
    )


def next_numbers(transaction: "Transaction", counter: str, count: int) -> int:
    """Take `count` numbers of a counter in this transaction; return the first. Numbers of a rollback are given again."""
    import pyarrow as pa

    rows = pa.table({"name": [counter], "value": pa.array([count], pa.int64())})
    transaction.write(COUNTERS, rows, Add(key=("name",), sums=("value",)))
    value = transaction.query("select value from counters where name = $name", {"name": counter})
    last: int = value.column("value")[0].as_py()
    return last - count + 1


def update_file(transaction: "Transaction", file_id: int, **values: Scalar) -> None:
    """Set columns of one file's row."""
    settings = ", ".join(f"{name} = ${name}" for name in values)
    sql = f"update files set {settings} where id = $id"
    transaction.execute(sql, {**values, "id": file_id})


def file_rows(rows: Sequence[FileRow]) -> "pa.Table":
    """Return rows of `files` as Arrow, in the declared types."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [{name: getattr(row, name) for name in FILES.names} for row in rows],
        schema=arrow_schema(FILES),
    )


def _whole(value: object) -> int | None:
    return None if value is None else int(cast("Decimal", value))
