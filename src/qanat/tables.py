"""Tables and topics as they are declared: columns, keys, and the modes in which rows are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa


class ColumnType(StrEnum):
    """The types that every store has, with one meaning everywhere (Arrow type; DuckDB; PostgreSQL)."""

    INT64 = "int64"  # int64; BIGINT; bigint
    INT128 = "int128"  # decimal128(38, 0); HUGEINT; numeric(38, 0): exact sums beyond 64 bits
    FLOAT64 = "float64"  # float64; DOUBLE; double precision
    TEXT = "text"  # string; VARCHAR; text
    BYTES = "bytes"  # binary; BLOB; bytea
    BOOLEAN = "boolean"  # bool; BOOLEAN; boolean
    TIMESTAMP = "timestamp"  # timestamp[us, UTC]; TIMESTAMPTZ; timestamptz


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a declared table."""

    name: str
    type: ColumnType
    nullable: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a pipeline keeps, or the shape of what it stages.

    Attributes:
        key: The columns that identify a row; empty for a table that is only appended to.
        unique: Further sets of columns whose values occur once.
        indexes: Further sets of columns by which rows are looked up, the most selective first; their values may occur often. For
            a large table DuckDB makes the first of them alone: it holds indexes in memory, and each costs as much as the rows.
        large: Added to by the million: on DuckDB it has no index (random keys exhaust memory at commit) and its key is
            kept by the merge alone; elsewhere the key is enforced.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    large: bool = False
    about: str = ""

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}; it has {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Topic:
    """An ordered log between stages: partitions of records with increasing offsets.

    Attributes:
        columns: What a record consists of.
        key: The column whose value picks the partition, so that equal keys stay in order; None: record by record in turn.
        keep_s: Records older than this may go once every reader is past them.
        keep_bytes: Beyond this size (compressed) the oldest records may go once every reader is past them; 0 for no limit.
    """

    name: str
    columns: tuple[Column, ...]
    key: str | None = None
    partitions: int = 1
    keep_s: float = 7 * 86_400.0
    keep_bytes: int = 0
    about: str = ""

    @property
    def shape(self) -> Table:
        """The columns as a table's, for `arrow_schema`."""
        return Table(self.name, self.columns)


@dataclass(frozen=True, slots=True)
class Append:
    """Every row is a new row."""


@dataclass(frozen=True, slots=True)
class Upsert:
    """A row replaces the one with its key."""

    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Add:
    """Sums are added to the row with the key, or begin a new row.

    Attributes:
        sums: The columns that add up. Columns that are neither key nor sum are those of the row that came first.
        drop_when_zero: A column of `sums`: a touched row in which it comes to 0 is removed (an undo leaves no trace).
    """

    key: tuple[str, ...]
    sums: tuple[str, ...]
    drop_when_zero: str | None = None


@dataclass(frozen=True, slots=True)
class InsertNew:
    """A row whose key is there already is left out; `write` returns the rows that were new."""

    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """A row replaces the one with its key if its `version` is greater.

    Attributes:
        deleted: A boolean column: a row that carries true removes (and stays as a mark, so that older ones stay away).
    """

    key: tuple[str, ...]
    version: str
    deleted: str | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """The rows whose columns equal `where` are removed, then the given rows are appended."""

    where: Mapping[str, int | str | bool] = field(default_factory=dict)


WriteMode: TypeAlias = Append | Upsert | Add | InsertNew | Latest | Replace


DEAD_LETTERS = Table(
    name="dead_letters",
    columns=(
        Column(
            "id", ColumnType.TEXT, about="stage, origin and place: the same record has the same id"
        ),
        Column("stage", ColumnType.TEXT),
        Column("origin", ColumnType.TEXT, about="where it came from: a file's name, a topic"),
        Column("origin_id", ColumnType.INT64, nullable=True, about="the file's number"),
        Column(
            "line",
            ColumnType.INT64,
            nullable=True,
            about="of a file, from 1; of a topic, the record's offset",
        ),
        Column("byte_offset", ColumnType.INT64, nullable=True, about="from 0"),
        Column("reason", ColumnType.TEXT),
        Column("length", ColumnType.INT64, about="of the whole record, in bytes"),
        Column("raw", ColumnType.BYTES, about="its first bytes"),
        Column("rejected_at", ColumnType.TIMESTAMP),
        Column(
            "state",
            ColumnType.TEXT,
            about="open, replayed, dropped, or superseded: its file was undone or requeued",
        ),
    ),
    about="one row per record that was rejected; never removed by a run",
)
"""What every pipeline has: the records that couldn't be counted, kept with their bytes and the reason."""


def arrow_schema(table: Table) -> "pa.Schema":
    """Return the Arrow schema of a declared table."""
    import pyarrow as pa

    types = {
        ColumnType.INT64: pa.int64(),
        ColumnType.INT128: pa.decimal128(38, 0),
        ColumnType.FLOAT64: pa.float64(),
        ColumnType.TEXT: pa.string(),
        ColumnType.BYTES: pa.binary(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(c.name, types[c.type], c.nullable) for c in table.columns])
