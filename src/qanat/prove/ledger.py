"""The ledger: one line per scenario, and their sum."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from qanat.output import Form, print_json, print_rows

COLUMNS = (
    "scenario", "runs", "faults", "read", "written", "duplicated", "lost", "seconds", "",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """What one scenario came to.

    Attributes:
        runs: Processes that were started.
        faults: How often the fault was really seen to happen.
        wanted: How often it had to happen.
        resumed_s: The longest time from a kill to the next commit of work; None where that wasn't measured.
        points: Which failpoints were hit, how often.
        left_out: Why it wasn't carried out; empty when it was.
        notes: What is worth knowing: how a fault was brought about.
    """

    scenario: str
    runs: int = 0
    faults: int = 0
    wanted: int = 0
    read: int = 0
    written: int = 0
    duplicated: int = 0
    lost: int = 0
    seconds: float = 0.0
    resumed_s: float | None = None
    points: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it. What was left out says nothing."""
        if self.left_out:
            return True
        exact = not (self.duplicated or self.lost)
        return exact and not self.problems and self.faults >= self.wanted

    def as_json(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        values: dict[str, object] = {
            name: getattr(self, name) for name in self.__slots__ if name != "points"
        }
        rounded = {"seconds": round(self.seconds, 2)}
        if self.resumed_s is not None:
            rounded["resumed_s"] = round(self.resumed_s, 2)
        return {**values, **rounded, "points": dict(self.points), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class Ledger:
    """All lines of a proof.

    Attributes:
        store: What was proved on, without a password.
    """

    pipeline: str
    store: str
    seed: int
    lines: Sequence[Line]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the proof holds: something was carried out, and nothing speaks against it."""
        carried_out = any(not line.left_out for line in self.lines)
        return carried_out and all(line.passed for line in self.lines)

    @property
    def points(self) -> Counter[str]:
        """How often each failpoint was hit."""
        return sum((Counter(line.points) for line in self.lines), Counter())

    def total(self, name: str) -> int:
        """Add up a column of numbers."""
        return sum(int(getattr(line, name)) for line in self.lines)

    def print_json(self, stream: TextIO | None = None) -> None:
        """Print everything as one JSON object."""
        sums = ("runs", "faults", "read", "written", "duplicated", "lost")
        print_json(
            {
                "pipeline": self.pipeline,
                "store": self.store,
                "seed": self.seed,
                "passed": self.passed,
                **{name: self.total(name) for name in sums},
                "seconds": round(self.seconds, 2),
                "points": dict(self.points),
                "scenarios": [line.as_json() for line in self.lines],
            },
            stream,
        )

    def print_table(self, stream: TextIO) -> None:
        """Print the table, what was hit, what was left out and why, and the verdict."""
        done = [line for line in self.lines if not line.left_out]
        sums = ("runs", "faults", "read", "written", "duplicated", "lost")
        last = ["all", *map(self.total, sums), f"{self.seconds:.1f}", ""]
        print_rows(COLUMNS, [*map(_row, done), last], Form.TABLE, stream)
        _print_points(self.points, stream)
        for line in done:
            if line.resumed_s is not None:
                stream.write(
                    f"{line.scenario}: work went on within {line.resumed_s:.1f} s of a kill\n"
                )
            for note in line.notes:
                stream.write(f"{line.scenario}: {note}\n")
        for line in self.lines:
            if line.left_out:
                stream.write(f"left out: {line.scenario}: {line.left_out}\n")
        for line in done:
            for problem in _problems(line):
                stream.write(f"FAILED: {line.scenario}: {problem}\n")
        stream.write(self.verdict() + "\n")

    def verdict(self) -> str:
        """Say in one line what was proved."""
        counts = f"{self.total('runs')} runs, {self.total('faults')} faults"
        if not self.passed:
            lost, duplicated = self.total("lost"), self.total("duplicated")
            return f"NOT proved: {counts}; lost {lost}, duplicated {duplicated}. Seed {self.seed}."
        return f"{counts} on {self.store}: lost 0, duplicated 0."


def _row(line: Line) -> list[object]:
    numbers = [line.read, line.written, line.duplicated, line.lost]
    return [
        line.scenario,
        line.runs,
        line.faults,
        *numbers,
        f"{line.seconds:.1f}",
        "" if line.passed else "FAILED",
    ]


def _problems(line: Line) -> list[str]:
    found = [*line.problems]
    if line.faults < line.wanted:
        found.append(f"the fault happened {line.faults} times, not {line.wanted}")
    if line.duplicated or line.lost:
        found.append(f"{line.duplicated} records duplicated, {line.lost} lost")
    return found


def _print_points(points: Counter[str], stream: TextIO) -> None:
    if points:
        hit = ", ".join(f"{point} {count}" for point, count in sorted(points.items()))
        stream.write(f"points hit: {hit}\n")
