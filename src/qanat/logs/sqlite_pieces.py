"""Reading stored batches: whole ones are fetched and unpacked, then cut to what was asked for."""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from qanat.errors import Fatal

if TYPE_CHECKING:
    import pyarrow as pa

# What one poll unpacks, as stored: about five times as much in memory.
FETCH_BYTES_MAX: Final = 16 << 20

# Pieces of fewer rows on average are copied into one: what follows works piece by piece.
PIECE_ROWS_MIN: Final = 1_000


class Piece(NamedTuple):
    """Records from offset `first` to before `next`: unpacked, or as stored."""

    first: int
    next: int
    rows: "pa.Table | None"
    content: bytes = b""


class Fetched(NamedTuple):
    """Pieces that follow each other; those records are wanted that are before the offset `end`."""

    pieces: list[Piece]
    end: int


_BATCHES: Final = """
-- One row per batch, from the one that holds an offset on.
select id, first, next, bytes
from batches
where partition_id = :partition_id
    and first >= (
        select max(first)
        from batches
        where partition_id = :partition_id and first <= :begin
    )
order by first
"""


_CONTENT: Final = "select content from batches where id = ?"


class Wanted(NamedTuple):
    """Which records are to be fetched: from offset `at` on, which is there, at most `rows_max`.

    Attributes:
        rest: What was unpacked already and not used up.
        recent: Returns a batch by its first offset that is still there unpacked.
    """

    partition_id: int
    at: int
    rows_max: int
    rest: Piece | None
    recent: "Callable[[int], pa.Table | None]"


def fetch(connection: sqlite3.Connection, wanted: Wanted) -> Fetched:
    """Fetch the batches that hold the wanted records."""
    at, rows_max, rest = wanted.at, wanted.rows_max, wanted.rest
    pieces: list[Piece] = []
    begin = at
    if rest is not None and rest.first <= at < rest.next:
        pieces.append(rest)
        begin = rest.next
    if begin - at < rows_max:
        pieces += _stored(connection, wanted, begin, at + rows_max)
    if not pieces:
        raise Fatal(f"the log is damaged: it has no batch with the offset {at}")
    return Fetched(pieces, min(pieces[-1].next, at + rows_max))


def _stored(connection: sqlite3.Connection, wanted: Wanted, begin: int, end: int) -> list[Piece]:
    found: list[Piece] = []
    stored = 0
    rows = connection.execute(_BATCHES, {"partition_id": wanted.partition_id, "begin": begin})
    for number, first, following, size in rows:
        if following <= begin:
            break  # the last batch, which was used up
        recent = wanted.recent(first)
        content = b"" if recent is not None else _content(connection, number)
        found.append(Piece(first, following, recent, content))
        stored += size
        if following >= end or stored >= FETCH_BYTES_MAX:
            break
    rows.close()
    return found


def _content(connection: sqlite3.Connection, number: int) -> bytes:
    content: bytes = connection.execute(_CONTENT, (number,)).fetchone()[0]
    return content


def unpack(fetched: Fetched, at: int) -> tuple["pa.Table", Piece | None]:
    """Return the records from offset `at` on, and the last piece if some of it is left."""
    import pyarrow as pa

    unpacked = [_unpacked(piece) for piece in fetched.pieces]
    whole = pa.concat_tables(piece.rows for piece in unpacked)
    rows = whole.slice(at - unpacked[0].first, fetched.end - at)
    last = unpacked[-1]
    return _compact(rows, len(unpacked)), last if last.next > fetched.end else None


def _unpacked(piece: Piece) -> Piece:
    """Unpack; doesn't hold the interpreter meanwhile."""
    import pyarrow as pa

    if piece.rows is not None:
        return piece
    try:
        options = pa.ipc.IpcReadOptions(use_threads=False)
        rows = pa.ipc.open_stream(pa.py_buffer(piece.content), options=options).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise Fatal(f"the log is damaged at offset {piece.first}: {error}") from error
    if rows.num_rows != piece.next - piece.first:
        raise Fatal(f"the log is damaged at offset {piece.first}: it holds {rows.num_rows} records")
    return Piece(piece.first, piece.next, rows)


def _compact(rows: "pa.Table", pieces: int) -> "pa.Table":
    return rows.combine_chunks() if pieces > 1 and rows.num_rows < PIECE_ROWS_MIN * pieces else rows


def joined(tables: list["pa.Table"]) -> "pa.Table":
    """Return the records of several partitions, one after the other."""
    import pyarrow as pa

    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)
