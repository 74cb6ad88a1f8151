"""Opening what a stage reads from outside."""

from collections.abc import Callable
from dataclasses import dataclass

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.interfaces import Source
from qanat.pipeline import Input, Pipeline
from qanat.streaming.settings import StreamSettings


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source, and what it says is in its way.

    Attributes:
        condition: Empty while nothing is.
        heard: Whether anything of it was ever heard, be it a comment.
        outside: Whether it is a source from outside, whose silence may be a fault; a topic may be silent.
    """

    source: Source
    condition: Callable[[], str] = str
    heard: Callable[[], bool] = lambda: True
    outside: bool = False

    def silent_after_s(self, settings: StreamSettings) -> float:
        """Return after what time without a record the source counts as silent; 0 for never."""
        return float(settings.silence) if self.outside else 0.0


def open_source(
    pipeline: Pipeline, declared: Input, settings: StreamSettings, clock: Clock
) -> OpenedSource:
    """Open the source that the settings name, or the declared one.

    Raises:
        ConfigError: Its kind isn't known, or its location can't be read.
    """
    location = str(settings.input) or declared.location
    if declared.kind != "sse":
        raise ConfigError("the input", declared.kind, "sse or topic")
    if not location:
        raise ConfigError(
            "--input", "", "the URL of a stream", hint=f"{pipeline.name} declares none of its own."
        )
    return _sse(location, settings, clock)


def _sse(location: str, settings: StreamSettings, clock: Clock) -> OpenedSource:
    from qanat.sources.sse import SseOptions, SseSource
    from qanat.sources.sse_options import default_user_agent

    options = SseOptions(
        url=location,
        since=settings.since,
        accept_gap=settings.accept_gap,
        read_timeout_s=float(settings.read_timeout),
        user_agent=settings.user_agent or default_user_agent(),
    )
    source = SseSource(options, clock)

    def condition() -> str:
        told = source.condition()
        return "" if told.connected else f"the source can't be reached: {told.problem}"

    def heard() -> bool:
        return source.condition().heard_at is not None

    return OpenedSource(source, condition, heard, outside=True)
