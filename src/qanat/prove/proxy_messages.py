"""Messages of PostgreSQL's wire protocol (version 3), as far as a proxy has to tell them apart."""

import re
from collections.abc import Collection, Iterator

# A startup message has no type; ours is a byte that none of the real types is.
STARTUP = b"\0"
_HEADER_BYTES = 5
_WRITES = re.compile(rb"\b(insert into|update|merge into|delete from|copy)\b", re.IGNORECASE)


class Messages:
    """Cuts one direction of a connection into messages.

    Args:
        startup: It begins with a message that has no type, as what a client sends does.
    """

    def __init__(self, *, startup: bool) -> None:
        self._buffer = bytearray()
        self._startup = startup

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (type, whole message) for every message that is complete by now."""
        self._buffer += data
        while (size := self._size()) and len(self._buffer) >= size:
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield (STARTUP if self._startup else message[:1]), message
            self._startup = False

    def _size(self) -> int:
        """The size of the next message; 0 while it isn't known."""
        before = 0 if self._startup else 1  # the type, which the length doesn't count
        if len(self._buffer) < before + 4:
            return 0
        return before + int.from_bytes(self._buffer[before : before + 4], "big")


def is_commit(kind: bytes, message: bytes) -> bool:
    """Tell whether a client's message asks for COMMIT."""
    statement = _statement(kind, message).strip().rstrip(b";").strip().upper()
    return statement in {b"COMMIT", b"END", b"COMMIT WORK", b"COMMIT TRANSACTION"}


def writes_to(kind: bytes, message: bytes, tables: Collection[str]) -> bool:
    """Tell whether a client's message writes to one of `tables`."""
    statement = _statement(kind, message)
    return bool(_WRITES.search(statement)) and any(
        re.search(rb"\b" + table.encode() + rb"\b", statement) for table in tables
    )


def is_committed(kind: bytes, message: bytes) -> bool:
    """Tell whether a server's message says that COMMIT was carried out (and not that it rolled back)."""
    return kind == b"C" and message[_HEADER_BYTES:].startswith(b"COMMIT")


def _statement(kind: bytes, message: bytes) -> bytes:
    """The text of a simple query, or of a statement to be parsed; empty for other messages."""
    body = message[_HEADER_BYTES:]
    if kind == b"P":  # the name of the prepared statement comes first
        body = body.partition(b"\0")[2]
    elif kind != b"Q":
        return b""
    return body.partition(b"\0")[0]
