"""The careful reading of server-sent events: line by line, every rule of the specification.

Rests on the WHATWG's HTML standard, §9.2.6 "Interpreting an event stream".
"""

from dataclasses import dataclass, field

MESSAGE = b"message"
"""The type of an event that names none."""

TOO_LARGE = b"qanat.too_large"
"""The type given to an event that was cut because it is larger than the limit."""


@dataclass(slots=True)
class Found:
    """What a block of whole events comes to.

    Attributes:
        ids: The last event id as it was when the event ended; empty for none yet.
        events: The event's type.
        data: Its lines, joined by a line feed.
        last_id: The last event id after the block.
        retry_ms: The wait before a new connection that the block asked for last; None if it didn't.
        cut: How many of the events were larger than the limit.
    """

    last_id: bytes
    ids: list[bytes] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    retry_ms: int | None = None
    cut: int = 0


def read_lines(block: bytes, last_id: bytes, size_max: int) -> Found:
    """Read a block that begins where an event may begin, and ends behind the blank line of its last one.

    Args:
        block: The bytes.
        last_id: The last event id before the block.
        size_max: Of an event, in bytes on the wire from its first field on to its blank line. Of a larger one that much is
            read, and its type is TOO_LARGE.
    """
    found = Found(last_id)
    event = _Event()
    at, began = 0, -1
    for line in block.splitlines(keepends=True):
        bare = line.rstrip(b"\r\n")
        if not bare:
            if began >= 0 and at - began > size_max:
                cut_event(block[began : began + size_max], found)
            else:
                event.dispatch(found)
            event, began = _Event(), -1
        elif began < 0 and not bare.startswith(b":"):
            began = at
        if bare and not (began >= 0 and at + len(line) - began > size_max):
            event.field(bare, found)
        at += len(line)
    return found


def cut_event(start: bytes, found: Found) -> None:
    """Dispatch an event of which only the start is to be read, if any data is in there."""
    event = _Event()
    for line in start.splitlines(keepends=True):
        bare = line.rstrip(b"\r\n")
        # Half an id would be a wrong place to resume from.
        if bare != line or bare.startswith(b"data:"):
            event.field(bare, found)
    found.cut += 1
    event.type = TOO_LARGE
    event.dispatch(found)


@dataclass(slots=True)
class _Event:
    """An event in the making."""

    data: list[bytes] = field(default_factory=list)
    type: bytes = b""

    def field(self, line: bytes, found: Found) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self.data.append(value)
        elif name == b"event":
            self.type = value
        elif name == b"id":
            if b"\0" not in value:
                found.last_id = value
        elif name == b"retry" and value.isdigit():
            # A longer number would be a wait of more than 11 days.
            found.retry_ms = int(value[:9])

    def dispatch(self, found: Found) -> None:
        if not self.data:
            return
        found.ids.append(found.last_id)
        found.events.append(self.type or MESSAGE)
        found.data.append(b"\n".join(self.data))
