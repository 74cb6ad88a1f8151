"""Faults that a run notices itself: a failure that may be tried again, and a full disk, at every point; and a disk that
really is full.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from qanat.prove.bout import Bout
from qanat.prove.databases import Databases, Local
from qanat.prove.full_disk import FileLimit, FullDisk, SmallDisk
from qanat.prove.processes import Child
from qanat.prove.proof import Proof
from qanat.prove.scenario import Scenario

# How long a run may take to notice that its disk is full: it reads, computes and commits before.
NOTICED_S_MAX = 30.0
# What is left on the full disk at the first, second, … time: the run gets further each time before a write fails.
ROOM_BYTES = (0, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
# A run may have nothing to do at a point, or have room enough on a disk that is nearly full: then it is tried again.
TRIES_MAX = 4
# How a full disk is told of, by the system, by DuckDB and by PostgreSQL.
FULL = (
    "No space left",
    "disk is full",
    "not enough space",
    "File too large",
    "could not extend file",
)


def disk_scenarios(
    proof: Proof, databases: Databases, *, hits: int, mounts: bool
) -> Iterator[Scenario]:
    """Yield the scenarios.

    Args:
        proof: The pipeline's.
        databases: Where they get their databases from.
        hits: How often the disk has to be full.
        mounts: Whether a small disk can be mounted here.
    """
    usual = next(iter(proof.points.values()))
    points = [point for point, workload in proof.points.items() if workload == usual]
    yield Scenario("retry:points", partial(raise_at_points, points=points), len(points))
    for workload in dict.fromkeys(proof.points.values()):
        met = [point for point, where in proof.points.items() if where == workload]
        yield Scenario(f"full:{workload}", partial(fill_at_points, points=met), len(met), workload)
    left_out = _left_out(databases, mounts=mounts)
    full = partial(fill_disk, kind=SmallDisk if mounts else FileLimit)
    yield Scenario("full:disk", full, hits, left_out=left_out, small_disk=mounts and not left_out)


def _left_out(databases: Databases, *, mounts: bool) -> str:
    """Say why no disk can be made full here; empty when one can."""
    if not databases.shared:
        limits = mounts or sys.platform == "linux"
        return "" if limits else "a disk can be made full on Linux only; full:… reports a full one"
    if not isinstance(databases, Local):
        return "the disk is that of a server that isn't ours"
    return "" if mounts else "only root can mount a small disk for the server"


def raise_at_points(bout: Bout, points: list[str]) -> None:
    """Raise, once at each point of one run, what may be tried again: the run has to go on by itself."""
    bout.ground.deliver(8)
    code, child = bout.run(failpoints=",".join(f"{point}=raise" for point in points))
    if code != 0:
        bout.unexpected(code, child)
    for point in points:
        if injected(child, point):
            bout.faults += 1
            bout.points[point] += 1
    bout.drain()


def fill_at_points(bout: Bout, points: list[str]) -> None:
    """Report a full disk at each point, a run for each: the run goes on by itself, or ends as failed."""
    bout.ground.deliver(2)
    for point in points:
        for _ in range(TRIES_MAX):
            bout.ground.deliver(1)
            code, child = bout.run(failpoints=f"{point}=disk-full")
            if code not in {0, 1}:
                bout.unexpected(code, child)
            if injected(child, point):
                bout.faults += 1
                bout.points[point] += 1
                break
    bout.drain()


def fill_disk(bout: Bout, kind: Callable[[Path], FullDisk]) -> None:
    """Fill the disk on which everything of the run lies, wait until a write failed, and make room again."""
    disk = kind(bout.place)
    bout.notes.append(f"the disk is {disk.described}")
    bout.ground.deliver(2)
    bout.drain()
    went_on = 0
    for tries in range(TRIES_MAX * bout.wanted):
        bout.ground.deliver(3)
        disk.fill(ROOM_BYTES[tries % len(ROOM_BYTES)])
        child = bout.start()
        disk.meet(child.process.pid)
        bout.faults += _noticed(child)
        disk.make_room()
        code = child.wait()
        went_on += code == 0
        if code not in {0, 1}:
            bout.unexpected(code, child)
        if bout.faults == bout.wanted:
            break
    bout.notes.append(
        f"{went_on} of {bout.runs - 1} runs went on by themselves when there was room"
    )
    bout.drain()


def injected(child: Child, point: str) -> bool:
    """Tell whether the run said that a fault was injected at `point`."""
    return f"injected at {point}" in child.text()


def _noticed(child: Child) -> bool:
    waited_s = 0.0
    while child.pause(0.1) and waited_s < NOTICED_S_MAX:
        waited_s += 0.1
        if any(sign in child.text() for sign in FULL):
            return True
    return any(sign in child.text() for sign in FULL)
