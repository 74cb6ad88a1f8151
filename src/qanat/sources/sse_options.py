"""What can be asked of a source of server-sent events, and the checks that come before any connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from qanat.errors import ConfigError
from qanat.sources.sse_parser import EVENT_SIZE_MAX_BYTES
from qanat.sources.sse_position import DISORDER_MS_MAX

READ_TIMEOUT_S = 30.0
"""Wikimedia's page-create has an event a second, and comments between; a connection without a byte for so long is dead."""

PREFETCH_BYTES_MAX = 32 << 20
"""Received and not asked for yet. Beyond it nothing is read, and TCP holds the server back."""

PREFETCH_ROWS_MAX = 100_000
"""Likewise in events, for small ones."""


def default_user_agent() -> str:
    """Return the name of this program. A public server wants a contact besides: an address of whoever runs it."""
    return f"qanat/{version('qanat')}"


@dataclass(frozen=True, slots=True)
class SseOptions:
    """Which stream, and how patiently.

    Attributes:
        url: Of the stream; several of Wikimedia's are joined by commas in its path. It may hold a name and a password.
        user_agent: Who asks. Wikimedia's policy: `client/version (contact)`; without one it answers 403.
        since: Where the very first start begins, for servers that know `?since=`: a moment (ISO 8601; UTC where it says nothing
            else), or ms since 1970. Empty for what the server does by itself, which is "from now on" at Wikimedia's.
        read_timeout_s: A connection on which no byte comes for so long is given up, and made anew.
        backoff_first_s: Before the second attempt after a failure; it doubles, with jitter.
        backoff_max_s: At most so long; a `Retry-After` of the server may be longer.
        headers: Sent besides.
        event_size_max_bytes: Larger events are cut, and given with the type `qanat.too_large`.
        prefetch_bytes_max: Of data received and not polled, about.
        prefetch_rows_max: Likewise in events.
        accept_gap: Go on where the server's history begins when it doesn't reach back; what was lost is logged.
        disorder_s: So far a topic's events may be from the order of their times; see `sse_position.Reach`.
    """

    url: str
    user_agent: str = field(default_factory=default_user_agent)
    since: str = ""
    read_timeout_s: float = READ_TIMEOUT_S
    connect_timeout_s: float = 10.0
    backoff_first_s: float = 0.5
    backoff_max_s: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    event_size_max_bytes: int = EVENT_SIZE_MAX_BYTES
    prefetch_bytes_max: int = PREFETCH_BYTES_MAX
    prefetch_rows_max: int = PREFETCH_ROWS_MAX
    accept_gap: bool = False
    disorder_s: float = DISORDER_MS_MAX / 1000

    def __post_init__(self) -> None:
        """Check what can be checked without a connection."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("the stream's URL", self.incarnation, "http://… or https://…")
        if not self.user_agent.strip() or not self.user_agent.isprintable():
            raise ConfigError(
                "the user agent",
                self.user_agent,
                "a name with a contact",
                hint="Such as: qanat/1.0 (you@example.org). Servers turn away whoever has none.",
            )
        self.since_ms()

    @property
    def incarnation(self) -> str:
        """The URL without what changes from start to start, or is secret: query, fragment, name and password."""
        parts = urlsplit(self.url)
        return parts._replace(
            query="", fragment="", netloc=parts.netloc.rpartition("@")[2]
        ).geturl()

    def since_ms(self) -> int | None:
        """Return `since` in ms since 1970; None for none."""
        if not self.since:
            return None
        if self.since.isascii() and self.since.isdigit():
            return int(self.since)
        try:
            moment = datetime.fromisoformat(self.since)
        except ValueError:
            raise ConfigError(
                "since", self.since, "a moment such as 2026-03-17T10:20:30Z, or ms since 1970"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
