"""What a pipeline's events come to in a run to which nothing is done: the measure where nobody computes it another way."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from qanat.clock import Clock
from qanat.errors import QanatError
from qanat.pipeline import Pipeline
from qanat.prove.processes import Children
from qanat.prove.streams.history import Sent
from qanat.prove.streams.tally import rows, written
from qanat.prove.streams.truth import Expected, Row
from qanat.reports.answer import compute, report_named
from qanat.runtime.lateness import TOO_LATE
from qanat.runtime.registry import Queries
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.testing.sse_events import SseEvent
from qanat.testing.sse_server import SseServer

_STORE = "duckdb:"
_IDLE = "2s"


class Undisturbed:
    """Runs a pipeline on events, into a store of its own."""

    def __init__(
        self, pipeline: Pipeline, reference: str, children: Children, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._reference = reference
        self._children = children
        self._clock = clock
        self._numbers = itertools.count(1)

    @contextmanager
    def of(
        self,
        place: Path,
        events: Iterator[Sent],
        received_at: datetime,
    ) -> Iterator[Expected]:
        """Run it, and look at its tables."""
        folder = place / f"undisturbed-{next(self._numbers)}"
        folder.mkdir()
        told = [SseEvent(one.data, event=one.type.encode(), id=one.id.encode()) for one in events]
        with SseServer(told) as server:
            arguments = ["run", self._reference, "--once", "--idle", _IDLE]
            arguments += ["--input", server.url, "--data-dir", str(folder)]
            log = folder / "run.log"
            child = self._children.start(arguments, log, {"QANAT_STORE": _STORE}, "")
            code = child.wait()
        if code != 0:
            raise QanatError(f"the run that wasn't disturbed ended with {code}: {child.said()}")
        settings = CommonSettings(store=_STORE, data_dir=folder)
        with open_session(self._pipeline, settings, self._clock) as session:
            yield _Found(self._pipeline, session)


class _Found:
    """What it came to."""

    def __init__(self, pipeline: Pipeline, asked: Queries) -> None:
        self._pipeline = pipeline
        self._asked = asked

    @property
    def tables(self) -> Mapping[str, Iterable[Row]]:
        found = written(self._pipeline)
        return {name: rows(self._asked, table) for name, (table, _) in found.items()}

    @property
    def rejected(self) -> Sequence[bytes]:
        return self._raw("select raw from dead_letters where reason <> $reason")

    @property
    def late(self) -> Sequence[Row]:
        raw = self._raw("select raw from dead_letters where reason = $reason")
        return [msgspec.json.decode(each) for each in raw]

    def report(self, report: str, end: datetime) -> Sequence[Row]:
        found: Sequence[Row] = compute(
            report_named(self._pipeline, report), self._asked, end
        ).to_pylist()
        return found

    def _raw(self, sql: str) -> Sequence[bytes]:
        found: Sequence[bytes] = (
            self._asked.query(sql, {"reason": TOO_LATE}).column("raw").to_pylist()
        )
        return found
