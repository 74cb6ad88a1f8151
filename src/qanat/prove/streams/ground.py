"""A place to run in: a server of events, a log, a store, and what is expected of them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from qanat.clock import Clock
from qanat.pipeline import Pipeline
from qanat.prove.streams.faults import TURNED_AWAY, Disturbing, Littering
from qanat.prove.streams.history import Shown, Stock
from qanat.prove.streams.tally import DUE, Tally, tally, waiting
from qanat.prove.streams.topic import Kept, first_topic, kept
from qanat.prove.streams.truth import Truth
from qanat.runtime.remakes import REMAKE_AFTER_S
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.testing.sse_faults import Answer, Fault
from qanat.testing.sse_server import Manners, SseServer
from qanat.wiring import scheme_of

USUAL: Final = "events"
REPORTS: Final = "reports"
LETTERS: Final = "letters"

# A connection without a byte for so long is dead; the server says something more often than that.
_READ_TIMEOUT: Final = "700ms"
_KEEP_ALIVE_S: Final = 0.2
# A run ends when nothing came for so long. Longer than a reconnect takes.
_IDLE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is proved, and on what.

    Attributes:
        reference: How `qanat run` is told which pipeline.
        stock: The events of all scenarios.
        truth: Says what they come to.
        items: They are handed over in so many pieces.
        clock: The time at which they are received, about.
        has_bad: Each piece of them has some that can't be used.
    """

    pipeline: Pipeline
    reference: str
    stock: Stock
    truth: Truth
    items: int
    clock: Clock
    has_bad: bool


class StreamGround:
    """A server whose history grows, and runs that read it (see `qanat.prove.proof.Ground`).

    Attributes:
        server: Outlives the runs.
        history: What it holds.
        accepts_gap: Runs go on where the history begins when it doesn't reach back.
        settles: Runs go on until every report that is due was made.
        read_to: How many events there were when everything had been read.
    """

    def __init__(self, subject: Subject, place: Path, store: str, workload: str) -> None:
        self._subject = subject
        self._place = place
        self._settings = CommonSettings(store=store, data_dir=place / "data")
        self._workload = workload
        self._chance = random.Random(f"{workload} {place.name}")
        self.item_events = max(1, subject.stock.count // subject.items)
        self.accepts_gap = False
        self.settles = workload == REPORTS
        self.read_to = 0
        self._missed: list[range] = []
        self.history = Shown(subject.stock)
        self.server = SseServer((), Manners(keep_alive_s=_KEEP_ALIVE_S))
        self.server.history = self.history
        if workload == LETTERS:
            self.server.faults = Littering()
        self.server.__enter__()

    def deliver(self, items: int) -> None:
        """Let the history grow."""
        self.history.show(items * self.item_events)

    def repeat(self) -> int:
        """Streams come again by faults; see `disturb`."""
        return 0

    def replace(self) -> None:
        """An event never changes."""

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Read from the server, at its pace."""
        rate = self.item_events / item_s if item_s else 0.0
        self.server.manners = replace(self.server.manners, rate=rate)
        idle_s = _IDLE_S + (REMAKE_AFTER_S if self.settles else 0.0)
        settings = {
            "input": self.server.url,
            "data-dir": self._settings.data_dir,
            "read-timeout": _READ_TIMEOUT,
            "idle": f"{idle_s}s",
            "threads": 2,
        }
        options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        options += ["--accept-gap"] if self.accepts_gap else []
        return ["run", self._subject.reference, *options, *([] if watching else ["--once"])]

    def prepare(self) -> None:
        """Nothing to prepare."""

    def announce(self) -> int:
        """Nothing is announced."""
        return 0

    @property
    def disturbed(self) -> int:
        """How many faults of the server came to pass, those left out that only prepare one."""
        return sum(1 for fault in self.server.suffered if self._is_wanted(fault))

    def disturb(self, times: int) -> None:
        """Disturb the connections to come."""
        self.server.faults = Disturbing(self._workload, times, self.item_events, self._chance)

    def forget(self) -> int:
        """Forget the older half of what nobody has read, and all before; return how many events are lost by that."""
        unread = len(self.history) - self.read_to
        first = self.read_to + unread // 2
        self._missed.append(range(self.read_to, first))
        self.history.forget(first - self.history.first)
        return unread // 2

    def close(self) -> None:
        """End the server."""
        self.server.close()

    def tally(self) -> Tally:
        """Compare everything with what the server's events come to."""
        now = self._subject.clock.now()
        found = self._kept()
        with (
            self._subject.truth.of(
                self._place, self._subject.stock.events(self._numbers()), now
            ) as expected,
            open_session(self._subject.pipeline, self._settings, self._subject.clock) as session,
        ):
            due = DUE[scheme_of(self._settings.store)]
            result = tally(
                self._subject.pipeline, session, expected, found, now, due, settled=self.settles
            )
        if found is None:
            return result
        missing = sum(1 for _ in self._numbers()) - len(found.numbers)
        told = (f"{missing} events never came into the first topic",) if missing else ()
        return replace(result, problems=(*result.problems, *told))

    def is_settled(self) -> bool:
        """Tell whether no report is due to be remade. Called when no run is going on."""
        with open_session(self._subject.pipeline, self._settings, self._subject.clock) as session:
            return not waiting(session, DUE[scheme_of(self._settings.store)])

    def _kept(self) -> Kept | None:
        topic = first_topic(self._subject.pipeline)
        if topic is None:
            return None
        stream, folder = self._subject.stock.events(self._numbers()), self._settings.data_dir
        return kept(self._subject.pipeline, topic, folder, self._subject.clock, stream)

    def _numbers(self) -> Iterator[int]:
        """Yield which events could be read."""
        for number in range(len(self.history)):
            if not any(number in missed for missed in self._missed):
                yield number

    def _is_wanted(self, fault: Answer | Fault) -> bool:
        """Tell whether a fault is the scenario's: one that is turned away had to be let in before, to be ended."""
        return self._workload != TURNED_AWAY or isinstance(fault, Answer)
