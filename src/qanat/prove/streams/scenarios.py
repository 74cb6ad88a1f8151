"""What is done to pipelines of streams beside what is done to all: kills and cuts while a stream flows, gaps, several runs."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import cast

from qanat.prove.bout import DRAINS_MAX, Bout
from qanat.prove.connections import connection_scenarios
from qanat.prove.databases import Databases
from qanat.prove.disks import disk_scenarios
from qanat.prove.disturbances import disturbance_scenarios
from qanat.prove.extent import Extent
from qanat.prove.kills import kill_scenarios
from qanat.prove.processes import POLL_S, Child
from qanat.prove.proof import Proof
from qanat.prove.scenario import Scenario
from qanat.prove.streams.ground import StreamGround

CONNECTED = "source.connected"
# From the place in the stream to the cut, and from the cut to the kill, it takes at most so long: some batches are committed.
LIFE_S_MAX = 0.4
REACHED_S_MAX = 10.0
# One life in four ends at any time from its start on.
START_S_MAX = 2.0
EARLY = 0.25
# A run that is refused says so as soon as it has started.
REFUSED_WITH = 1
# A run that takes over from one that died connects within seconds.
TAKEN_OVER_S_MAX = 60.0
# Between two kills of two runs that share the work.
TURN_S = (0.3, 1.5)


def stream_scenarios(
    proof: Proof, databases: Databases, extent: Extent, *, mounts: bool
) -> Sequence[Scenario]:
    """List the scenarios of a pipeline of streams."""
    hits = extent.hits
    general = chain(
        kill_scenarios(proof, hits=hits, kills=1, items=1, quick=extent.quick),
        connection_scenarios(databases, hits=hits),
        disturbance_scenarios(proof, hits=hits),
        disk_scenarios(proof, databases, hits=hits, mounts=mounts),
    )
    # Of these two, one counts commits by events that streams don't log, and the other waits for them after a crash.
    others = [one for one in general if one.name not in {"kill:random", "server:revived"}]
    return [*others, *_own(proof, databases, extent)]


def _own(proof: Proof, databases: Databases, extent: Extent) -> Iterator[Scenario]:
    hits = extent.hits
    yield Scenario("kill:random", kill_while_it_flows, extent.kills, alone=True)
    yield Scenario(
        "stream:forgotten", lose_history, 1, left_out=str(getattr(proof, "gaps_told", ""))
    )
    if databases.shared:
        yield Scenario("two:killed", kill_in_turn, hits)
    else:
        yield Scenario("two:refused", refuse_second, hits)


def kill_while_it_flows(bout: Bout) -> None:
    """Cut the connection and kill the run, again and again, evenly over the whole stream; then drain."""
    ground = _ground(bout)
    items, shown, cuts = _items(bout), 0, 0
    while bout.faults < bout.wanted:
        due = items * (bout.faults + 1) // bout.wanted
        before = len(ground.history)
        ground.deliver(due - shown)
        shown = due
        child = bout.start(watching=True)
        if bout.chance.random() < EARLY and cuts >= bout.faults:
            child.pause(bout.chance.uniform(0.0, START_S_MAX))
        else:
            if not child.wait_for({CONNECTED}):
                bout.unexpected(child.wait(), child)
                return
            cuts += _cut_on_the_way(bout, ground, child, before)
            child.pause(bout.chance.uniform(0.0, LIFE_S_MAX))
        child.kill()
        bout.faults += 1
    cuts += _cut_idle(bout, ground, bout.wanted - cuts)
    bout.notes.append(f"{bout.faults} kills, {cuts} connections cut")
    if cuts < bout.wanted:
        bout.problem(f"only {cuts} connections were cut, not {bout.wanted}")
    _settle(bout, ground)


def _cut_on_the_way(bout: Bout, ground: StreamGround, child: Child, before: int) -> int:
    """Wait until the server is somewhere in what it was given last, and cut the connection; return how many were cut."""
    place = before + bout.chance.random() * (len(ground.history) - before)
    deadline_s = time.monotonic() + REACHED_S_MAX
    while ground.history.sent < place and time.monotonic() < deadline_s and child.pause(POLL_S):
        pass
    child.pause(bout.chance.uniform(0.0, LIFE_S_MAX))
    there = min(1, ground.server.connected)
    ground.server.drop()
    return there


def _cut_idle(bout: Bout, ground: StreamGround, wanted: int) -> int:
    """Make up for cuts that met no connection; return how many were made."""
    if wanted <= 0:
        return 0
    cuts, child = 0, bout.start(watching=True)
    while cuts < wanted and child.pause(bout.chance.uniform(0.1, LIFE_S_MAX)):
        if ground.server.connected:
            ground.server.drop()
            cuts += 1
    child.kill()
    return cuts


def lose_history(bout: Bout) -> None:
    """Let the server forget what wasn't read: the run has to stop and say how to go on; then nothing more may be missing."""
    ground = _ground(bout)
    ground.deliver(3)
    bout.drain()
    ground.read_to = len(ground.history)
    ground.deliver(4)
    lost = ground.forget()
    code, child = bout.run()
    if code != REFUSED_WITH or "--accept-gap" not in child.said():
        bout.problem(f"a run whose source had forgotten ended with {code}: {child.said()}")
    ground.accepts_gap = True
    bout.drain()
    ground.accepts_gap = False
    ground.deliver(2)
    bout.faults = 1
    bout.notes.append(f"the server forgot {lost} events; the run stopped, and went on when allowed")
    bout.drain()


def kill_in_turn(bout: Bout) -> None:
    """Let two runs share the log and the store; kill one after the other, and start each again at once."""
    ground = _ground(bout)
    children = [bout.start(watching=True), bout.start(watching=True)]
    while bout.faults < bout.wanted:
        ground.deliver(2)
        if not _reads(ground, children):
            bout.problem("neither of two runs reads")
            break
        turn = bout.faults % 2
        children[turn].pause(bout.chance.uniform(*TURN_S))
        children[turn].kill()
        bout.faults += 1
        children[turn] = bout.start(watching=True)
    ground.deliver(2)
    for child in children:
        _end(bout, child)
    bout.drain()


def refuse_second(bout: Bout) -> None:
    """Start a second run beside the first: it is refused; when the first has died, another takes over."""
    ground = _ground(bout)
    first = bout.start(watching=True)
    while bout.faults < bout.wanted:
        ground.deliver(2)
        if not first.wait_for({CONNECTED}):
            bout.unexpected(first.wait(), first)
            return
        second = bout.start()
        code = second.wait()
        if code != REFUSED_WITH or str(first.process.pid) not in second.said():
            bout.problem(f"a second run ended with {code}: {second.said()}")
        if second.seen({CONNECTED}):
            bout.problem("a run that was refused had read")
        first.kill()
        bout.faults += 1
        first = bout.start(watching=True)
    _end(bout, first)
    bout.drain()


def _settle(bout: Bout, ground: StreamGround) -> None:
    """Drain, until no report is left to be remade either: then the stored ones have to be right, too."""
    ground.settles = True
    for _ in range(DRAINS_MAX):
        bout.drain()
        if ground.is_settled():
            return


def _end(bout: Bout, child: Child) -> None:
    """End a run in good order, once it is at work: before that, SIGTERM ends it as any program."""
    child.wait_for({bout.proof.started})
    code = child.stop()
    if code != 0:
        bout.unexpected(code, child)


def _reads(ground: StreamGround, children: Sequence[Child]) -> bool:
    """Wait until one of the runs reads what was shown."""
    deadline_s = time.monotonic() + TAKEN_OVER_S_MAX
    while not ground.server.connected and time.monotonic() < deadline_s:
        if not all(child.pause(POLL_S) for child in children):
            return False
    return bool(ground.server.connected)


def _items(bout: Bout) -> int:
    return int(getattr(bout.proof, "items", 1)) + 1


def _ground(bout: Bout) -> StreamGround:
    return cast("StreamGround", bout.ground)
