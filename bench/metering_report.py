"""What was measured, as a table beside the goals, or as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from metering_measure import Memory, Ran

GIB = 2**30
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Goals:
    """What Qanat is to reach with one input.

    Attributes:
        ratios: For each tool, its time divided by Qanat's: at least.
        commit_share: Of the time, spent committing: below.
        private_bytes: Memory of its own: below.
    """

    ratios: Mapping[str, float]
    commit_share: float | None = None
    private_bytes: int | None = None


GOALS: dict[tuple[int, int], Goals] = {
    (GIB, 100_000): Goals({"duckdb": 2.0, "polars": 1.8, "datafusion": 1.5}, 0.15),
    (4 * GIB, 100_000): Goals({"duckdb": 3, "polars": 3, "datafusion": 3, "c": 0.7}, 0.15),
    (4 * GIB, 10_000_000): Goals({"duckdb": 1.3, "polars": 1.0}, None, 400 * MIB),
}
"""The goals, by bytes of input and number of consumers."""


@dataclass(slots=True)
class Measured:
    """What a contender came to."""

    name: str
    way: str
    runs: list[Ran] = field(default_factory=list)
    memory: Memory | None = None
    commit_shares: list[float] = field(default_factory=list)
    problem: str | None = None

    @property
    def wall_s(self) -> float:
        """The median."""
        return median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """The median of processor seconds."""
        return median(run.cpu_s for run in self.runs)


def as_text(found: Sequence[Measured], size_bytes: int, consumers: int) -> str:
    """Return the table."""
    ours = next((one for one in found if one.name == "qanat" and one.runs), None)
    goals = GOALS.get((size_bytes, consumers), Goals({}))
    lines = [
        f"{size_bytes / GIB:g} GiB, {consumers:,} consumers; medians of whole processes",
        (
            f"{'':24} {'seconds':>8} {'min - max':>15} {'cpu s':>7} {'MB/s':>6} {'/ qanat':>8}"
            f" {'goal':>5} {'private MiB':>12} {'anonymous':>10}"
        ),
    ]
    lines += [_line(one, ours, size_bytes, goals) for one in found]
    if ours is not None and ours.commit_shares:
        goal = f", goal below {goals.commit_share:.0%}" if goals.commit_share else ""
        share = median(ours.commit_shares)
        lines.append(f"qanat spends {share:.1%} of its time committing{goal}")
    if ours is not None and goals.private_bytes:
        lines.append(f"goal for qanat's private memory: below {goals.private_bytes / MIB:.0f} MiB")
    return "\n".join(lines)


def _line(one: Measured, ours: Measured | None, size_bytes: int, goals: Goals) -> str:
    title = f"{one.name} ({one.way})"
    if not one.runs:
        return f"{title:24} {one.problem}"
    walls = [run.wall_s for run in one.runs]
    ratio = f"{one.wall_s / ours.wall_s:.2f}" if ours is not None else ""
    goal = goals.ratios.get(one.name)
    memory = ["", ""]
    if one.memory is not None:
        memory = [
            f"{one.memory.private_bytes / MIB:.0f}",
            f"{one.memory.anonymous_bytes / MIB:.0f}",
        ]
    return (
        f"{title:24} {one.wall_s:8.2f} {f'{min(walls):.2f} - {max(walls):.2f}':>15} {one.cpu_s:7.2f}"
        f" {size_bytes / one.wall_s / 1e6:6.0f} {ratio:>8} {f'{goal:g}' if goal else '':>5}"
        f" {memory[0]:>12} {memory[1]:>10}"
    ).rstrip()


def as_json(found: Sequence[Measured], size_bytes: int, consumers: int) -> dict[str, object]:
    """Return everything that was measured."""
    return {
        "size_bytes": size_bytes,
        "consumers": consumers,
        "contenders": [
            {
                "name": one.name,
                "way": one.way,
                "wall_s": [run.wall_s for run in one.runs],
                "cpu_s": [run.cpu_s for run in one.runs],
                "private_bytes": one.memory and one.memory.private_bytes,
                "anonymous_bytes": one.memory and one.memory.anonymous_bytes,
                "commit_shares": one.commit_shares,
                "problem": one.problem,
            }
            for one in found
        ],
    }
