"""Events that can't be used, and those that aren't meant to be."""

import re
from collections.abc import Callable
from random import Random
from typing import TypeAlias

ERROR = "error"
MESSAGE = "message"

_CANARY = (
    '{"$schema":"/mediawiki/revision/create/2.0.0","meta":{"uri":"https://placeholder","request_id":"canary",'
    '"id":"%s","domain":"canary","stream":"mediawiki.page-create","dt":"%s"},"database":"examplewiki","page_id":123,'
    '"page_title":"TestPage10","page_namespace":0,"page_is_redirect":false,"rev_id":123,'
    '"rev_timestamp":"2020-06-10T18:57:16Z"}'
)


Way: TypeAlias = Callable[[str, Random], bytes]


def canary(event_id: str, produced: str) -> bytes:
    """Return a sign of life."""
    return (_CANARY % (event_id, produced)).encode()


def example(text: str) -> bytes:
    """Make an event one of the wiki of examples."""
    return re.sub('"database":"[^"]*"', '"database":"examplewiki"', text, count=1).encode()


def spoiled(text: str, random: Random) -> tuple[str, bytes]:
    """Spoil an event in one of many ways; return its type and its bytes."""
    if random.random() < 0.05:
        return ERROR, b'{"message":"Kafka consumer is disconnected","origin":"rdkafka"}'
    return MESSAGE, random.choice(_WAYS)(text, random)


def _cut(text: str, random: Random) -> bytes:
    return text.encode()[: random.randrange(len(text) // 2)]


def _not_utf8(text: str, _: Random) -> bytes:
    return text.encode().replace(b'"page_title":"', b'"page_title":"\xff\xfe', 1)


def _no_object(_: str, random: Random) -> bytes:
    return random.choice((b"[]", b"null", b"<html>502 Bad Gateway</html>", b"", b"{}"))


def _without(name: str) -> Way:
    def spoil(text: str, _: Random) -> bytes:
        return text.replace(f'"{name}":', f'"{name}_":', 1).encode()

    return spoil


def _set(name: str, *values: str) -> Way:
    pattern = re.compile(f'"{name}":("(?:[^"\\\\]|\\\\.)*"|[-0-9a-z]+)')

    def spoil(text: str, random: Random) -> bytes:
        value = random.choice(values)
        return pattern.sub(lambda _: f'"{name}":{value}', text, count=1).encode()

    return spoil


_WAYS: tuple[Way, ...] = (
    _cut,
    _not_utf8,
    _no_object,
    *map(_without, ("database", "page_id", "page_title", "rev_id", "dt", "id", "domain")),
    _set(
        "dt",
        '"yesterday"',
        '"2025-02-30T00:00:00Z"',
        '"2025-09-06T03:28:53"',
        "1757129333322",
        '""',
    ),
    _set("rev_timestamp", '"2025-13-01T00:00:00Z"', "17"),
    _set("page_id", "99999999999999999999", "-5", '"174482800"', "1.5", "null"),
    _set("rev_id", "18446744073709551616", "true"),
    _set("page_title", '""', "null", "17", '"a\\u0000b"', '"\\ud800"'),
    _set("page_namespace", '"0"'),
    _set("page_is_redirect", '"no"', "0"),
    _set("database", '""', "null"),
)
