"""What the peers of bench/events.py have in common: reading server-sent events off a socket, and the columns that are kept.

They do less than Qanat, so that nobody can say they were held back: no log in between, no record told from its repeats, nothing
kept of a record that can't be read.
"""

import socket
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

import orjson

COLUMNS = ("event_id", "created_at", "domain", "wiki", "page_id", "title", "user_name", "is_bot")
RECEIVE_BYTES = 1 << 20

Row = tuple[str, datetime, str, str, int, str, str | None, bool]


def events(url: str) -> Iterator[list[bytes]]:
    """Yield the data of events as they come, all of one read at once; ends with the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        request = f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nUser-Agent: bench (bench@localhost)\r\n\r\n"
        connection.sendall(request.encode())
        rest = b""
        while piece := connection.recv(RECEIVE_BYTES):
            *frames, rest = (rest + piece).split(b"\n\n")
            found = [data for frame in frames if (data := _data(frame))]
            if found:
                yield found


def row(data: bytes) -> Row | None:
    """Return the columns of one event; None for what isn't one."""
    try:
        event = orjson.loads(data)
        meta, by, page_id = event["meta"], event.get("performer") or {}, event["page_id"]
        if type(page_id) is not int or not -(2**63) <= page_id < 2**63:
            return None
        return (
            str(meta["id"]),
            datetime.fromisoformat(meta["dt"].replace("Z", "+00:00")),
            str(meta["domain"]),
            str(event["database"]),
            page_id,
            str(event["page_title"]),
            by.get("user_text"),
            bool(by.get("user_is_bot")),
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _data(frame: bytes) -> bytes:
    place = frame.find(b"data: ")
    return frame[place + 6 :] if place >= 0 else b""
