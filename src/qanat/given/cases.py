"""What is given to a pipeline, and what it is asked then."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.given.events import AnyEvent, Event, Row, event_of
from qanat.pipeline import Pipeline

if TYPE_CHECKING:
    from qanat.given.trial import Outcome

BATCH_ROWS = (1, 2, 7)
"""The sizes of batches that `check_batches` compares with one batch of everything."""


DIFFERING_MAX = 3
"""Rows of each side that are shown where tables differ."""


@dataclass(frozen=True, slots=True)
class Given:
    """A pipeline, the events that it gets, and when. Each method that adds something returns another one.

    Attributes:
        clock: At what time everything happens; it stands still.
        batch_rows: Rows of a batch at most.
        kept: Where runs stay open until; None: each question is a run of its own.
    """

    pipeline: Pipeline
    given: tuple[Event, ...] = ()
    clock: Clock | None = None
    batch_rows: int = 50_000
    kept: ExitStack | None = None
    _ran: "list[Outcome]" = field(default_factory=list, compare=False)

    def events(
        self, events: "Iterable[AnyEvent]", *, received_at: datetime | None = None
    ) -> "Given":
        """Add events, in the order in which the source gives them.

        Args:
            events: Mappings (written as JSON), texts, bytes, or `Event`.
            received_at: When, with its zone; the time at which they are judged, unless it is said.
        """
        more = tuple(event_of(each, received_at) for each in events)
        return replace(self, given=(*self.given, *more), _ran=[])

    def at(self, clock: Clock | datetime) -> "Given":
        """Say what time it is: a moment with its zone, or a clock."""
        if isinstance(clock, datetime):
            from qanat.testing.clock import FakeClock

            clock = FakeClock(clock)
        return replace(self, clock=clock, _ran=[])

    def in_batches_of(self, rows: int) -> "Given":
        """Say how many records a stage takes at once at most."""
        if rows < 1:
            raise ConfigError("in_batches_of", rows, "a whole number of at least 1")
        return replace(self, batch_rows=rows, _ran=[])

    @contextmanager
    def ran(self) -> "Iterator[Outcome]":
        """Run the pipeline on what is given, until all of it is in the tables; ask within the context.

        Raises:
            ConfigError: The pipeline's declaration doesn't fit.
            Exception: What a transform raises.
        """
        from qanat.given.trial import trial

        if self._ran:
            yield self._ran[0]
            return
        running = trial(self.pipeline, self.given, self._clock(), self.batch_rows)
        if self.kept is None:
            with running as outcome:
                yield outcome
            return
        self._ran.append(self.kept.enter_context(running))
        yield self._ran[0]

    def tables(self) -> dict[str, list[Row]]:
        """Return every declared table, and `dead_letters`; rows ordered by their key."""
        with self.ran() as outcome:
            return outcome.tables()

    def letters(self) -> list[Row]:
        """Return the rejected records: `stage`, `reason` and `raw` of each, in the order of the events."""
        with self.ran() as outcome:
            return outcome.letters()

    def report(self, name: str, **parameters: object) -> list[Row]:
        """Ask a report as of the clock; parameters as a user writes them, or as values."""
        with self.ran() as outcome:
            return outcome.report(name, **parameters)

    def lookup(self, name: str, **parameters: object) -> list[Row]:
        """Ask a look-up; all its rows."""
        with self.ran() as outcome:
            return outcome.lookup(name, **parameters)

    def check_batches(self, sizes: Sequence[int] = BATCH_ROWS) -> dict[str, list[Row]]:
        """Check that the tables are the same however the records fall into batches; return them.

        Raises:
            AssertionError: They aren't: says which table, and in which rows.
        """
        expected = replace(self, batch_rows=max(len(self.given), 1), _ran=[]).tables()
        for size in sizes:
            found = self.in_batches_of(size).tables()
            _compare("in one batch", expected, f"in batches of {size}", found)
        return expected

    def check_repeats(self) -> dict[str, list[Row]]:
        """Check that events which the source gives twice count once; return the tables.

        Dead letters aren't compared: what can't be read can't be told apart.

        Raises:
            AssertionError: A table differs.
        """
        expected = self.tables()
        twice = tuple(event for event in self.given for _ in range(2))
        found = replace(self, given=(*twice, *self.given), _ran=[]).tables()
        for tables in (expected, found):
            tables.pop("dead_letters", None)
        _compare("as given", expected, "with events given again", found)
        return expected

    def _clock(self) -> Clock:
        from qanat.testing.clock import FakeClock

        return self.clock or FakeClock()


Giving: TypeAlias = Callable[[Pipeline | str], Given]
"""The type of the fixture `qanat_pipeline`, and of `given`."""


def given(pipeline: Pipeline | str, kept: ExitStack | None = None) -> Given:
    """Begin a test of a pipeline.

    Args:
        pipeline: The declaration, or how the command names it: a name, or a file such as `./shop.py`.
        kept: Closes the runs; None: each question is a run of its own.

    Raises:
        ConfigError: There is no such pipeline, or it isn't one of streams.
    """
    from qanat.wiring import is_of_streams, pipeline_named

    declared = pipeline_named(pipeline) if isinstance(pipeline, str) else pipeline
    if not is_of_streams(declared):
        raise ConfigError("the pipeline", declared.name, "one of streams")
    return Given(declared, kept=kept)


def _compare(
    first: str, expected: Mapping[str, list[Row]], second: str, found: Mapping[str, list[Row]]
) -> None:
    for name, rows in expected.items():
        if rows == found[name]:
            continue
        told = [f"{name} differs, between what comes {first} and what comes {second}."]
        for where, ours, theirs in ((first, rows, found[name]), (second, found[name], rows)):
            told += [f"only {where}: {row}" for row in ours if row not in theirs][:DIFFERING_MAX]
        raise AssertionError("\n".join(told))
