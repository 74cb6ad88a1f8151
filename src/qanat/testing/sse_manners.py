"""How a local server of server-sent events behaves to everybody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manners:
    """How the server behaves to everybody.

    Attributes:
        streams: The names that are known, below /v2/stream/; several may be joined by commas. Others are answered with 400.
        rate: Events a second; 0 for as fast as they go.
        from_start: A reader that asks for no place begins with the oldest event; otherwise with what comes.
        end_after_s: Each connection ends after so long; 0 for never. Wikimedia's end after 900.
        end_after_events: Likewise after so many events.
        end_at_last: Each connection ends behind the last event, instead of waiting for more.
        keep_alive_s: A comment comes when there is nothing else for so long; 0 for none.
        connections_max: More at a time are answered with 429; 0 for any number.
        newline: Between the lines of events that aren't a recording's.
        chunked: The body comes in HTTP's chunks, as Wikimedia's does; otherwise as it is.
        retry_ms: What the server asks for as the wait before a new connection; 0 for nothing.
    """

    streams: tuple[str, ...] = ("page-create",)
    rate: float = 0.0
    from_start: bool = True
    end_after_s: float = 0.0
    end_after_events: int = 0
    end_at_last: bool = False
    keep_alive_s: float = 0.0
    connections_max: int = 0
    newline: bytes = b"\n"
    chunked: bool = False
    retry_ms: int = 0
