"""What the tables have to hold, from whom: the pipeline's own computation, or a run to which nothing is done."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from qanat.pipeline import Pipeline, Report
from qanat.prove.streams.history import Sent

Row: TypeAlias = Mapping[str, object]


class Expected(Protocol):
    """What a stream comes to.

    Attributes:
        tables: The rows of every table that is to be compared, by its name.
        rejected: The bytes of each event that can't be used, each time it stands in the stream.
        late: Each record that came too late, as a row of the de-duplicating table; each time.
    """

    @property
    def tables(self) -> Mapping[str, Iterable[Row]]:
        """See above."""
        ...

    @property
    def rejected(self) -> Iterable[bytes]:
        """See above."""
        ...

    @property
    def late(self) -> Iterable[Row]:
        """See above."""
        ...

    def report(self, report: str, end: datetime) -> Sequence[Row]:
        """Return the rows of a report, with the defaults of its parameters, for the window that ends then."""
        ...


class Event(NamedTuple):
    """An event, in the order of the stream."""

    type: str
    data: bytes
    received_at: datetime


@runtime_checkable
class StreamProof(Protocol):
    """What a pipeline of streams may bring to its proof (`Pipeline.proof` names it)."""

    def write_input(self, path: Path, count: int, seed: int, now: datetime) -> None:
        """Write a recording (`.sse`) of about `count` events, of which the last came about before `now`."""
        ...

    def expect(self, events: Iterable[Event]) -> Expected:
        """Compute, in another way than the pipeline does, what a stream comes to. Shares nothing with it but names."""
        ...


class Truth(Protocol):
    """Says what is expected."""

    def of(
        self, place: Path, events: Iterator[Sent], received_at: datetime
    ) -> AbstractContextManager[Expected]:
        """Return what `events` come to when they are received at that time. `place` is a folder to work in."""
        ...


class Computed:
    """The pipeline's own computation."""

    def __init__(self, proof: StreamProof) -> None:
        self._proof = proof

    @contextmanager
    def of(
        self,
        place: Path,
        events: Iterator[Sent],
        received_at: datetime,
    ) -> Iterator[Expected]:
        """Have it computed."""
        yield self._proof.expect(Event(one.type, one.data, received_at) for one in events)


def receipts_of(pipeline: Pipeline) -> frozenset[str]:
    """Return the columns that say when a record was received: no two runs agree on them."""
    return frozenset(
        stage.deduplicate.received for stage in pipeline.stages if stage.deduplicate is not None
    )


def windowed(pipeline: Pipeline) -> Sequence[Report]:
    """Return the reports that cover a window of time."""
    return [report for report in pipeline.reports if report.window_s]
