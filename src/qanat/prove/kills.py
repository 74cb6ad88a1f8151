"""SIGKILL at every named point, and at any time."""

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial

from qanat.prove.bout import Bout
from qanat.prove.processes import Child, was_killed
from qanat.prove.proof import Proof
from qanat.prove.scenario import Scenario

# At random kills an item takes so long: several phases of one are hit, and a proof is bearable.
ITEM_S = 0.4
# Runs in which a point wasn't reached, before the scenario gives up (and fails).
MISSES_MAX = 3


def kill_scenarios(
    proof: Proof, *, hits: int, kills: int, items: int, quick: bool
) -> Iterator[Scenario]:
    """Yield the scenarios: one per point (or one for all, when it has to be quick), and one at random."""
    if quick:
        for workload in dict.fromkeys(proof.points.values()):
            points = [point for point, where in proof.points.items() if where == workload]
            act = partial(kill_at_points, points=points)
            yield Scenario(f"kill:{workload}", act, len(points), workload)
    else:
        for point, workload in proof.points.items():
            act = partial(kill_at_points, points=[point] * hits)
            yield Scenario(f"kill:{point}", act, hits, workload)
    for point, reason in proof.unreachable.items():
        yield Scenario(f"kill:{point}", kill_at_points, 0, left_out=reason)
    yield Scenario("kill:random", partial(kill_at_random, items=items), kills, alone=True)


def kill_at_points(bout: Bout, points: Sequence[str] = ()) -> None:
    """Let a run kill itself at each of `points`, one run after the other; then drain."""
    bout.ground.deliver(2)
    for number, point in enumerate(points):
        for missed in range(MISSES_MAX + 1):
            bout.ground.deliver(1)
            # Sooner or later in a run's life; the first time when the later one wasn't reached.
            nth = 1 + number % 2 if not missed else 1
            code, child = bout.run(failpoints=f"{point}=kill@{nth}")
            if was_killed(code):
                bout.faults += 1
                bout.points[point] += 1
                break
            if code != 0:
                bout.unexpected(code, child)
    bout.drain()


def kill_at_random(bout: Bout, items: int) -> None:
    """Kill run after run at random times, spread evenly between the first and the last commit; then drain.

    A life that is behind the plan waits for the commits that are missing and dies at random in the item after; one that
    is ahead dies at random from its start on.
    """
    bout.ground.deliver(items)
    commits = 0
    killed_s: float | None = None
    start_s = 1.0
    while bout.faults < bout.wanted:
        due = items * (bout.faults + 1) / (bout.wanted + 1)
        child = bout.start(item_s=ITEM_S)
        alive = child.wait_for(
            bout.proof.committed, max(0, math.floor(due) - commits, bout.faults == 0)
        )
        if alive and child.seen(bout.proof.committed):
            start_s = _first_commit_s(child, bout.proof) - child.started_s
            alive = child.pause(bout.chance.uniform(0.0, 1.5 * ITEM_S))
        elif alive:
            alive = child.pause(bout.chance.uniform(0.0, start_s + ITEM_S))
        before_s, killed_s = killed_s, time.monotonic()
        if alive:
            child.kill()
            bout.faults += 1
        else:
            code = child.wait()
            if code != 0:
                bout.unexpected(code, child)
                break
            bout.ground.deliver(1)  # drained too early: there is more to do
            items += 1
        commits += child.seen(bout.proof.committed)
        if before_s is not None and child.seen(bout.proof.committed):
            bout.resumed(_first_commit_s(child, bout.proof) - before_s)
    bout.drain()


def _first_commit_s(child: Child, proof: Proof) -> float:
    times = [event["seen_s"] for event in child.events if event.get("event") in proof.committed]
    return float(str(times[0]))
