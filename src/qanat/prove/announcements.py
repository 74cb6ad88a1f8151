"""Items that are announced, for a receipt: what has one is counted, whatever happens to the run."""

import threading
from collections.abc import Iterator, Sequence
from functools import partial

from qanat.prove.bout import Bout
from qanat.prove.kills import MISSES_MAX
from qanat.prove.processes import Child, was_killed
from qanat.prove.proof import Proof
from qanat.prove.scenario import Scenario

# The event of a run that can be announced to.
LISTENING = "announce.listening"
# Between the commit that a receipt tells of, and the answer.
POINTS = ("register.before_commit", "register.after_commit")
# The kill comes within so long: announcing so many items takes about half of it, the rest is counting.
RANDOM_S_MAX = 0.6
RANDOM_ITEMS = 8
# So long an item takes then, so that some wait when the kill comes.
ITEM_S = 0.1


def announcement_scenarios(proof: Proof, *, hits: int, quick: bool) -> Iterator[Scenario]:
    """Yield the scenarios: a kill at both sides of the registering commit, for each way in which a lost announcement is made up,
    and kills at random.
    """
    if not proof.announced:
        yield Scenario(
            "announce:repeated", kill_at_points, 0, left_out="nothing is announced to this run"
        )
        return
    points = [point for point in POINTS for _ in range(1 if quick else hits)]
    for way, workload in proof.announced.items():
        act = partial(kill_at_points, points=points)
        yield Scenario(f"announce:{way}", act, len(points), workload)
    yield Scenario("announce:random", kill_at_random, hits, next(iter(proof.announced.values())))


def kill_at_points(bout: Bout, points: Sequence[str] = ()) -> None:
    """Let a run kill itself at each of `points` while items are announced; see then that receipts hold."""
    for number, point in enumerate(points):
        for missed in range(MISSES_MAX + 1):
            # The second time: one item has its receipt by then.
            nth = 1 + number % 2 if not missed else 1
            child = _listening(bout, failpoints=f"{point}=kill@{nth}")
            bout.ground.deliver(2)
            bout.ground.announce()
            if _ended(bout, child):
                bout.points[point] += 1
                break
    _make_up(bout)


def kill_at_random(bout: Bout) -> None:
    """Kill runs at random times while items are announced and counted; see then that receipts hold."""
    bout.ground.deliver(1)
    while bout.faults < bout.wanted:
        child = _listening(bout, item_s=ITEM_S)
        bout.ground.deliver(RANDOM_ITEMS)
        killer = threading.Timer(bout.chance.uniform(0.0, RANDOM_S_MAX), child.process.kill)
        killer.start()
        bout.ground.announce()
        killer.join()
        _ended(bout, child)
    _make_up(bout)


def _listening(bout: Bout, *, failpoints: str = "", item_s: float = 0.0) -> Child:
    """Start a run that watches, and wait until it listens."""
    child = bout.start(failpoints=failpoints, item_s=item_s, watching=True)
    if not child.wait_for({LISTENING}):
        bout.unexpected(child.wait(), child)
    return child


def _ended(bout: Bout, child: Child) -> bool:
    """End a run if it lives; tell whether it was killed, and count that."""
    code = child.stop()
    killed = was_killed(code)
    bout.faults += killed
    if code != 0 and not killed:
        bout.unexpected(code, child)
    return killed


def _make_up(bout: Bout) -> None:
    """Compare as it is after the kills; then announce anew what has no receipt, and drain."""
    bout.drain()
    bout.compare("before anything was announced again")
    child = _listening(bout)
    left = bout.ground.announce()
    if left:
        bout.problem(f"a run to which nothing was done took {left} announcements not")
    code = child.stop()
    if code != 0:
        bout.unexpected(code, child)
    bout.drain()
