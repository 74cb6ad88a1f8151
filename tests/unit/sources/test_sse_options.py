"""What is asked of a stream is checked before any connection."""

import pytest

from qanat.errors import ConfigError
from qanat.sources.sse import SseOptions


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://stream.example/v2/stream/a,b", "https://stream.example/v2/stream/a,b"),
        ("http://name:secret@host:8080/s?token=secret#x", "http://host:8080/s"),
    ],
)
def test_incarnation(url: str, expected: str) -> None:
    """It is the URL without what is secret or changes."""
    assert expected == SseOptions(url).incarnation


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("", None),
        ("1757129333000", 1_757_129_333_000),
        ("2025-09-06T03:28:53Z", 1_757_129_333_000),
        ("2025-09-06T05:28:53.5+02:00", 1_757_129_333_500),
        ("2025-09-06T03:28:53", 1_757_129_333_000),
    ],
)
def test_since(since: str, expected: int | None) -> None:
    """A moment, or ms; UTC where nothing else is said."""
    assert expected == SseOptions("http://host/", since=since).since_ms()


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"url": "ftp://user:secret@host/"}, "URL"),
        ({"url": "stream"}, "URL"),
        ({"url": "http://host/", "user_agent": " "}, "user agent"),
        ({"url": "http://host/", "user_agent": "a\r\nX: b"}, "user agent"),
        ({"url": "http://host/", "since": "yesterday"}, "since"),
    ],
)
def test_refused(options: dict[str, str], setting: str) -> None:
    """What can't be used is named, without a password in it."""
    with pytest.raises(ConfigError, match=setting) as refused:
        SseOptions(**options)  # type: ignore[arg-type]  # all are texts
    assert "secret" not in str(refused.value)


def test_user_agent() -> None:
    """Without another one it names the program and its version."""
    assert SseOptions("http://host/").user_agent.startswith("qanat/")
