"""One scenario in progress: its ground, its runs, and what is noted for the ledger."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from qanat.errors import QanatError
from qanat.prove.ledger import Line
from qanat.prove.processes import Child, Children, was_killed
from qanat.prove.proof import Ground, Proof
from qanat.prove.servers import OwnServer

# A run that stops because a fault was met is started again, so often at most.
DRAINS_MAX = 4


@dataclass(slots=True)
class Bout:
    """What a scenario works with. One thread uses it.

    Attributes:
        place: The folder of the ground, and of the runs' logs.
        store: The URL of its database.
        server: The database's server, if it may be killed.
        wanted: How often the fault has to happen.
        faults: How often it did.
    """

    name: str
    proof: Proof
    ground: Ground
    store: str
    server: OwnServer | None
    children: Children
    place: Path
    chance: random.Random
    wanted: int
    runs: int = 0
    faults: int = 0
    points: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    resumed_s: float | None = None

    def start(
        self,
        *,
        failpoints: str = "",
        item_s: float = 0.0,
        store: str = "",
        watching: bool = False,
    ) -> Child:
        """Start a run.

        Args:
            failpoints: Faults to inject (see `qanat.failpoints`).
            item_s: Seconds per item on average; 0 for as fast as it can.
            store: Another way to the same database.
            watching: It goes on until it is stopped, instead of ending when everything was read.
        """
        self.runs += 1
        return self.children.start(
            self.ground.arguments(item_s=item_s, watching=watching),
            self.place / f"run-{self.runs}.log",
            {"QANAT_STORE": store or self.store},
            failpoints,
        )

    def run(self, *, failpoints: str = "", item_s: float = 0.0) -> tuple[int, Child]:
        """Run to the end, whatever it is; return the exit code."""
        self.ground.prepare()
        child = self.start(failpoints=failpoints, item_s=item_s)
        return child.wait(), child

    def drain(self, exit_code: int = 0) -> None:
        """Run without faults until everything is read and the run ends with `exit_code`."""
        code, child = self.run()
        if code != exit_code:
            self.problem(
                f"a run without faults ended with {code} instead of {exit_code}: {child.said()}"
            )

    def compare(self, when: str) -> None:
        """Compare in between, when everything was drained; note what isn't as it should be by then."""
        tally = self.ground.tally()
        wrong = [*tally.problems]
        if tally.duplicated or tally.lost:
            wrong.append(f"{tally.duplicated} records duplicated, {tally.lost} lost")
        for text in wrong:
            self.problem(f"{when}: {text}")

    def problem(self, text: str) -> None:
        """Note what isn't as it should be; each only once."""
        if text not in self.problems:
            self.problems.append(text)

    def unexpected(self, code: int, child: Child) -> None:
        """Note that a run ended in a way that no fault of ours explains."""
        name = "was killed" if was_killed(code) else f"ended with {code}"
        self.problem(f"a run {name} unexpectedly: {child.said()}")

    def resumed(self, seconds: float) -> None:
        """Note how long work took to go on after a kill."""
        self.resumed_s = max(seconds, self.resumed_s or 0.0)

    def line(self, seconds: float) -> Line:
        """Compare the store with what it should hold; return the line for the ledger."""
        line = Line(
            scenario=self.name,
            runs=self.runs,
            faults=self.faults,
            wanted=self.wanted,
            seconds=seconds,
            resumed_s=self.resumed_s,
            points=dict(self.points),
            problems=tuple(self.problems),
            notes=tuple(self.notes),
        )
        try:
            tally = self.ground.tally()
        except (QanatError, OSError) as error:
            return replace(line, problems=(*line.problems, f"can't be compared: {error}"))
        return replace(
            line,
            read=tally.read,
            written=tally.written,
            duplicated=tally.duplicated,
            lost=tally.lost,
            problems=(*line.problems, *tally.problems),
        )
