"""One event that is given to a pipeline, and one row that comes of it."""

from dataclasses import dataclass
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
