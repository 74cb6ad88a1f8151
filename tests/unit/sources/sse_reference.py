"""The specification of server-sent events, word by word and slowly: what the parser has to agree with."""

import re

Event = tuple[str, str, bytes]


def reference(stream: bytes, last_id: str = "") -> tuple[list[Event], str]:
    """Return the events (id, type, data) of a whole stream, and the last event id."""
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    lines = re.split(rb"\r\n|\r|\n", stream)
    lines.pop()  # behind the last line end: nothing, or a line that didn't end
    found: list[Event] = []
    id_buffer = last_id
    data, kind = b"", ""
    for line in lines:
        if line == b"":
            last_id = id_buffer
            if data:
                found.append((last_id, kind or "message", data.removesuffix(b"\n")))
            data, kind = b"", ""
        elif not line.startswith(b":"):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"event":
                kind = value.decode(errors="replace")
            elif name == b"data":
                data += value + b"\n"
            elif name == b"id" and b"\0" not in value:
                id_buffer = value.decode(errors="replace")
    return found, last_id
