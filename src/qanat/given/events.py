"""Events as a test gives them, and rows as it expects them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

Row: TypeAlias = dict[str, object]
"""A row by column; whole numbers are Python's, a timestamp is a `datetime` in UTC."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the source gives it.

    Attributes:
        data: The bytes.
        id: The stream's own position of it; empty for none.
        event: Its type.
        received_at: None for the moment at which everything is judged.
    """

    data: bytes
    id: str = ""
    event: str = "message"
    received_at: datetime | None = None


AnyEvent: TypeAlias = "Event | bytes | str | Mapping[str, object]"
"""An event: complete, its bytes or text, or what is written as its JSON."""


def event_of(event: "AnyEvent", received_at: datetime | None) -> Event:
    """Return an event in full; one that doesn't say when it was received gets `received_at`."""
    if isinstance(event, Event):
        return event if event.received_at else replace(event, received_at=received_at)
    if isinstance(event, str):
        event = event.encode()
    elif not isinstance(event, bytes):
        event = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return Event(event, received_at=received_at)
