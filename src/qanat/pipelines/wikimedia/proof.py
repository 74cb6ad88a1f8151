"""What `wikimedia` brings to `qanat prove`: made-up input, and what it comes to by a computation of its own."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from qanat.clock import hour_of
from qanat.pipelines.wikimedia.expected import Judged, Received, Row, judged, tables_of
from qanat.pipelines.wikimedia.expected_answers import expected_reports
from qanat.pipelines.wikimedia.generator import Frame, Options, frames, write

# The events lie in the six hours that the reports of this hour tell of, so that all that comes changes them.
_SPAN: Final = timedelta(hours=5, minutes=30)
# One event in so many is older than the horizon, and one is from the future: neither may do harm to the others.
_OLD_EVERY: Final = 400
_OLD: Final = timedelta(days=40)
_AHEAD_EVERY: Final = 1_000
_AHEAD: Final = timedelta(days=2)

_PRODUCED: Final = re.compile(rb'"dt":"([^"]{1,40})"')


class Event(Protocol):
    """An event as it is received."""

    @property
    def type(self) -> str:
        """`message` or `error`."""
        ...

    @property
    def data(self) -> bytes:
        """As it stands in the stream."""
        ...

    @property
    def received_at(self) -> datetime:
        """When it came."""
        ...


@dataclass
class WikimediaExpected:
    """What a stream comes to (see `qanat.prove.streams.truth.Expected`)."""

    judged: Judged
    _reports: dict[datetime, dict[str, list[Row]]] = field(default_factory=dict)

    @cached_property
    def tables(self) -> Mapping[str, Sequence[Row]]:
        """The rows of every table."""
        return tables_of(self.judged.creations)

    @property
    def rejected(self) -> Sequence[bytes]:
        """The bytes of each event that can't be used."""
        return self.judged.rejected

    @property
    def late(self) -> Sequence[Row]:
        """The creations that came too late."""
        return [creation._asdict() for creation in self.judged.too_late]

    def report(self, report: str, end: datetime) -> Sequence[Row]:
        """Return the rows of a report."""
        if end not in self._reports:
            self._reports[end] = expected_reports(self.judged.creations, end)
        return self._reports[end][report]


class WikimediaProof:
    """See `qanat.prove.streams.truth.StreamProof`."""

    def write_input(self, path: Path, count: int, seed: int, now: datetime) -> None:
        """Write events of the hours before `now`: 1 % come twice, 1 % are bad, 0.5 % are signs of life, and the order is shuffled
        within 10 s.
        """
        start = hour_of(now.astimezone(UTC)) - _SPAN
        rate = count / _SPAN.total_seconds()
        options = Options(count=count, seed=seed, start=start, rate_per_s=rate)
        write(path, _displaced(frames(options)))

    def expect(self, events: Iterable[Event]) -> WikimediaExpected:
        """Compute what a stream comes to."""
        return WikimediaExpected(
            judged(Received(one.type, one.data, one.received_at) for one in events)
        )


def _displaced(stream: Iterable[Frame]) -> Iterator[Frame]:
    """Give some events a time of long ago, and some one that is still to come."""
    for number, frame in enumerate(stream, start=1):
        if number % _OLD_EVERY == 0:
            yield frame._replace(data=_moved(frame.data, -_OLD))
        elif number % _AHEAD_EVERY == 1:
            yield frame._replace(data=_moved(frame.data, _AHEAD))
        else:
            yield frame


def _moved(data: bytes, by: timedelta) -> bytes:
    """Move the time at which an event came about; one that is no time stays as it is."""

    def moved(match: re.Match[bytes]) -> bytes:
        try:
            moment = datetime.fromisoformat(match[1].decode()) + by
        except ValueError:
            return match[0]
        return b'"dt":"%b"' % moment.isoformat(timespec="milliseconds").encode()

    return _PRODUCED.sub(moved, data, count=1)


PROOF = WikimediaProof()
