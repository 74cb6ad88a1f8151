"""Faults that only a pipeline can bring about: of whatever brings it its input."""

from collections.abc import Iterator
from functools import partial

from qanat.prove.bout import Bout
from qanat.prove.processes import Child
from qanat.prove.proof import Proof
from qanat.prove.scenario import Scenario

# Per item, where runs are killed: they get some way before.
ITEM_S = 0.2
# A run that was killed before it came to the fault is followed by others, so many at most for each.
RUNS_MAX = 6


def disturbance_scenarios(proof: Proof, *, hits: int) -> Iterator[Scenario]:
    """Yield two scenarios for each: lived through by one run, and by runs that are killed as well."""
    for name, (workload, left_out) in proof.disturbances.items():
        yield Scenario(name, disturb, hits, workload, left_out)
        killed = partial(disturb, killed=True)
        yield Scenario(f"{name}-killed", killed, hits, workload, left_out)


def disturb(bout: Bout, *, killed: bool = False) -> None:
    """Disturb the input while runs read it; each has to go on by itself, or where the one before was killed."""
    bout.ground.deliver(2 * bout.wanted + 2)
    for _ in range(RUNS_MAX * bout.wanted):
        before = bout.ground.disturbed
        bout.ground.disturb(bout.wanted - before)
        child = bout.start(item_s=ITEM_S if killed else 0.0)
        if not killed:
            _end(bout, child)
        elif child.wait_for({bout.proof.started}) and child.pause(bout.chance.uniform(0.1, 1.5)):
            child.kill()
        bout.faults = bout.ground.disturbed
        if bout.faults >= bout.wanted:
            break
        bout.ground.deliver(1)
    bout.drain()


def _end(bout: Bout, child: Child) -> None:
    code = child.wait()
    if code != 0:
        bout.unexpected(code, child)
