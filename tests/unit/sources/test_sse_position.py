"""Positions of Kafka's servers: what is sent back, what is kept, and what tells that history is lost."""

import json

import pytest

from qanat.sources.sse_position import (
    DISORDER_MS_MAX,
    QUIET_MS,
    Gap,
    Reach,
    merged,
    resume_header,
)

T = 1_757_129_333_323


def kafka(**topics: int | str) -> str:
    """An id: a number is a time, a text an offset."""
    return json.dumps(
        [
            {
                "topic": topic,
                "partition": 0,
                **({"offset": int(at)} if isinstance(at, str) else {"timestamp": at}),
            }
            for topic, at in topics.items()
        ],
        separators=(",", ":"),
    )


OPAQUE = ["", "42", "[]", "[1]", "[broken", '[{"topic":"a"}]', '{"a":1}', '["a"]', "[null]", "é"]


@pytest.mark.parametrize("position", OPAQUE)
def test_opaque_ids(position: str) -> None:
    """Other ids go back as they came, the newest counts, and nothing is told of them."""
    assert position == resume_header(position)
    assert position == merged(kafka(a=T), position)
    assert kafka(a=T) == merged(position, kafka(a=T))
    reach = Reach.back_to(position)
    assert reach.see([kafka(a=T)], kafka(a=T)) is None
    assert not reach.doubt


@pytest.mark.parametrize(
    ("position", "sent"),
    [
        (kafka(a=T), kafka(a=T - 1)),
        (kafka(a=T, b=T + 5), kafka(a=T - 1, b=T + 4)),
        (kafka(a=T, b="-1"), kafka(a=T - 1, b=T - DISORDER_MS_MAX)),
        (kafka(a=T, b="17"), kafka(a=T - 1, b="17")),
        (kafka(a="17"), kafka(a="17")),
        (kafka(a="-1"), kafka(a="-1")),
    ],
)
def test_resume_header(position: str, sent: str) -> None:
    """The event at the position is asked for again; for the end of a silent topic a time is sent."""
    assert sent == resume_header(position)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        (kafka(a=T), kafka(a=T + 1), kafka(a=T + 1)),
        (kafka(a=T, b=T), kafka(a=T + 1, b="-1"), kafka(a=T + 1, b=T)),
        (kafka(a=T, b=T), kafka(a=T + 1, b="170"), kafka(a=T + 1, b=T)),
        (kafka(a=T, b="-1"), kafka(a=T + 1, b="-1"), kafka(a=T + 1, b="-1")),
        (kafka(a=T), kafka(b=T), kafka(b=T)),
        ("", kafka(a=T), kafka(a=T)),
    ],
)
def test_merged(known: str, new: str, expected: str) -> None:
    """A topic that has had no event on this connection keeps its time."""
    assert expected == merged(known, new)


def see(position: str, *ids: str) -> tuple[Gap | None, bool]:
    reach = Reach.back_to(position)
    return reach.see(ids, ids[-1]), bool(reach.doubt)


LATE = T + DISORDER_MS_MAX + 1


@pytest.mark.parametrize(
    ("position", "ids"),
    [
        (kafka(a=T), [kafka(a=T)]),
        (kafka(a=T), [kafka(a=T - 1), kafka(a=LATE)]),
        (kafka(a=T), [kafka(a=T + 500), kafka(a=T), kafka(a=LATE)]),
        (kafka(a=T, b="-1"), [kafka(a=T, b="-1"), kafka(a=T, b=LATE)]),
        (kafka(a=T, b="7"), [kafka(a=T, b="7"), kafka(a=T, b=LATE)]),
        (kafka(a="-1"), [kafka(a=LATE)]),
        (kafka(a=T, b=T), [kafka(a=T, b="12"), kafka(a=LATE, b="12")]),
        (kafka(a=T, b=T), [kafka(a=T, b="-1"), kafka(a=LATE, b="-1"), kafka(a=LATE, b=T)]),
        (kafka(a=T, b=T - QUIET_MS), [kafka(a=T, b="9"), kafka(a=T, b=LATE)]),
        (kafka(a=T), [kafka(c=LATE)]),
    ],
)
def test_reaches_back(position: str, ids: list[str]) -> None:
    """No alarm where the position was found, where it can't be told, and while a topic was silent."""
    assert (None, False) == see(position, *ids)


@pytest.mark.parametrize(
    ("position", "ids", "gap"),
    [
        (kafka(a=T), [kafka(a=LATE)], Gap("a", T, LATE)),
        (kafka(a=T), [kafka(a=T + 9), kafka(a=LATE)], Gap("a", T, T + 9)),
        (kafka(a=T, b=T), [kafka(a=T, b="3"), kafka(a=T, b=LATE)], Gap("b", T, LATE)),
        (kafka(a=T, b="-1"), [kafka(a=LATE, b="-1")], Gap("a", T, LATE)),
    ],
)
def test_lost(position: str, ids: list[str], gap: Gap) -> None:
    """Beyond doubt once an event came that is too late for disorder."""
    assert gap == see(position, *ids)[0]


def test_doubt() -> None:
    """An event that may just be out of order is doubtful until the one at the position comes."""
    reach = Reach.back_to(kafka(a=T))
    assert reach.see([kafka(a=T + 5)], kafka(a=T + 5)) is None
    assert Gap("a", T, T + 5) == reach.gap()
    assert reach.see([kafka(a=T)], kafka(a=T)) is None
    assert reach.gap() is None
    assert not reach.open
