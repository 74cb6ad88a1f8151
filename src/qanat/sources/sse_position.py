"""Positions in a stream of server-sent events, and whether its history reaches back to one.

A position is the last event id, whose text only its server understands. Wikimedia's, and those of every server on KafkaSSE,
are JSON: a list of the Kafka topics that the connection reads, each with a partition and a `timestamp` (ms) or an `offset`. What
follows was read from KafkaSSE's code and compared with recorded events:

* The timestamp is that of the last event of this topic **plus 1**, and reading goes on with the first record at or after it.
  So a client that sends the id back loses those siblings of the last event that share its millisecond. We send one less: the
  last event comes again, and all its siblings.
* A topic of which the connection has had no event yet has the offset at which it began, -1 for "the end": sent back, events
  of that topic that came since are lost. We send a time for such a topic, shortly before the newest time of the others.
* Such an offset holds in one data centre only. So a time that is known already is kept until there is a newer one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

DISORDER_MS_MAX = 60_000
"""Records of a topic may lie so far from the order of their times; Wikimedia's lie some seconds apart."""

QUIET_MS = 7 * 86_400_000
"""A topic that was silent for so long before the position isn't judged: history is kept 7 days or longer, and its last event
may be forgotten although none is missing."""

Place = Mapping[str, object]
"""One topic's element of an id."""


class Gap(NamedTuple):
    """Events may be missing: those of `topic` between two times, in ms since 1970."""

    topic: str
    from_ms: int
    to_ms: int


def places(position: str) -> dict[tuple[str, int], Place] | None:
    """Return the elements of an id by topic and partition; None when it isn't such an id."""
    if not position.startswith("["):
        return None
    try:
        found = json.loads(position)
        return {(place["topic"], place["partition"]): place for place in found}
    except (ValueError, TypeError, KeyError):
        return None


def merged(known: str, new: str) -> str:
    """Return the position after `known` when `new` came: a time that is known stays until there is another."""
    old, now = places(known), places(new)
    if not old or not now:
        return new
    better = {
        key: old[key]
        for key, place in now.items()
        if _time(place) is None and key in old and _time(old[key]) is not None
    }
    return _text({**now, **better}) if better else new


def resume_header(position: str) -> str:
    """Return what to send as Last-Event-ID, so that the event at the position and its siblings come again."""
    found = places(position)
    times = [at for place in (found or {}).values() if (at := _time(place)) is not None]
    if not found or not times:
        return position
    sent: dict[tuple[str, int], Place] = {}
    for (topic, partition), place in found.items():
        at = _time(place)
        if at is None and place.get("offset") != -1:
            sent[topic, partition] = place
            continue
        begin = max(times) - DISORDER_MS_MAX if at is None else at - 1
        sent[topic, partition] = {"topic": topic, "partition": partition, "timestamp": begin}
    return _text(sent)


@dataclass(slots=True)
class Reach:
    """Watches the first events after a resume: do they reach back to the position?

    They do for a topic when one of its events has the position's time, or an earlier one. As records may lie out of order, it
    needn't be the first; but when one comes that is later by more than `disorder_ms` and none did before, history is lost.
    Nothing can be told of a topic whose place is an offset, or which was silent for `QUIET_MS`; nor of ids that aren't Kafka's.

    Attributes:
        doubt: The first event that is later than it should be, for each topic of which none has come that isn't.
    """

    open: dict[tuple[str, int], int]
    disorder_ms: int
    doubt: dict[tuple[str, int], int]

    @classmethod
    def back_to(cls, position: str, disorder_ms: int = DISORDER_MS_MAX) -> "Reach":
        """Watch for `position`."""
        found = places(position) or {}
        times = {key: at for key, place in found.items() if (at := _time(place)) is not None}
        newest = max(times.values(), default=0)
        return cls(
            {key: at for key, at in times.items() if at > newest - QUIET_MS}, disorder_ms, {}
        )

    def see(self, ids: Iterable[str], last: str) -> Gap | None:
        """Look at the ids of further events, of which `last` is the last; return what is lost beyond doubt."""
        if not self._told_by(last):
            return None
        for text in ids:
            for key, place in (places(text) or {}).items():
                at, begin = _time(place), self.open.get(key)
                if at is None or begin is None:
                    continue
                if at <= begin:
                    del self.open[key]
                    self.doubt.pop(key, None)
                    continue
                first = self.doubt.setdefault(key, at)
                if at > begin + self.disorder_ms:
                    return Gap(key[0], begin, first)
            if not self.open:
                break
        return None

    def gap(self) -> Gap | None:
        """Return what is lost if nothing else comes."""
        for key, first in self.doubt.items():
            return Gap(key[0], self.open[key], first)
        return None

    def _told_by(self, last: str) -> bool:
        """Whether any of the events can tell: once a topic had one, all later ids have its time."""
        return bool(self.open) and any(
            key in self.open and _time(place) is not None
            for key, place in (places(last) or {}).items()
        )


def _time(place: Place) -> int | None:
    """Return the time of an element; where there is an offset too, the server goes by that."""
    at = place.get("timestamp")
    return at if isinstance(at, int) and place.get("offset", -1) == -1 else None


def _text(found: Mapping[tuple[str, int], Place]) -> str:
    return json.dumps(list(found.values()), separators=(",", ":"))
