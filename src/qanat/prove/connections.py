"""Connections to the database that are cut, replies to COMMIT that are lost, a server that dies."""

from collections.abc import Iterator
from functools import partial

from qanat.prove.bout import Bout
from qanat.prove.databases import Databases, Local
from qanat.prove.proxy import Cut, Proxy
from qanat.prove.scenario import Scenario

# Per item: long enough that cuts fall into all of its phases, and a run takes seconds.
ITEM_S = 0.3
# Every second COMMIT is met, so that what has to be done again gets through.
EVERY = 2
# Between two cuts at random; a run connects again within about a second.
CUT_EVERY_S_MAX = 1.5


def connection_scenarios(databases: Databases, *, hits: int) -> Iterator[Scenario]:
    """Yield the scenarios."""
    reason = databases.cut_refusal
    yield Scenario("cut:random", cut_at_random, hits, left_out=reason)
    for cut in Cut:
        yield Scenario(
            f"cut:commit-{cut.value}", partial(cut_at_commit, cut=cut), 2 * hits, left_out=reason
        )
    ours = isinstance(databases, Local)
    foreign = "the server isn't ours to kill; --store postgresql+local: has one that is"
    left_out = "" if ours else reason if not databases.shared else foreign
    kills = max(1, hits // 2)
    yield Scenario("server:killed", kill_server, kills, left_out=left_out, alone=True)
    revive = partial(kill_server, revived=True)
    yield Scenario("server:revived", revive, kills, left_out=left_out, own_server=True)


def cut_at_random(bout: Bout) -> None:
    """Cut all connections at random times, until the run has lived through it often enough; it has to go on by itself."""
    with Proxy(bout.store) as proxy:
        bout.ground.deliver(2 * bout.wanted)
        child = bout.start(item_s=ITEM_S, store=proxy.url)
        child.wait_for({bout.proof.started})
        while bout.faults < bout.wanted and child.pause(bout.chance.uniform(0.05, CUT_EVERY_S_MAX)):
            bout.faults += bool(proxy.cut_all())
        code = child.wait()
        if code != 0:
            bout.unexpected(code, child)
    bout.drain()


def cut_at_commit(bout: Bout, cut: Cut) -> None:
    """Cut the connection at a COMMIT, again and again, half of them of work; the run has to go on by itself."""
    times = bout.wanted // 2
    with Proxy(bout.store, bout.proof.tables) as proxy:
        bout.ground.deliver(EVERY * times + 4)
        child = bout.start(item_s=ITEM_S / 3, store=proxy.url)
        child.wait_for({bout.proof.started})
        proxy.arm(cut, times=times, every=EVERY)
        code = child.wait()
        if code != 0:
            bout.unexpected(code, child)
        bout.faults = proxy.cuts
    bout.drain()


def kill_server(bout: Bout, *, revived: bool = False) -> None:
    """Let the server crash while a run works; the run has to go on by itself.

    Args:
        bout: Of a scenario with a server that may be killed.
        revived: The run starts the server again, instead of an administrator.
    """
    server = bout.server
    if server is None:
        raise TypeError("only a server of ours may be killed")
    bout.ground.deliver(4 * bout.wanted)
    child = bout.start(item_s=ITEM_S)
    child.wait_for(bout.proof.committed)
    while bout.faults < bout.wanted and child.pause(bout.chance.uniform(0.1, CUT_EVERY_S_MAX)):
        server.kill()
        bout.faults += 1
        if revived:
            child.wait_for_more(bout.proof.committed)
        else:
            child.pause(bout.chance.uniform(0.0, 0.5))
            server.restart()
    code = child.wait()
    if code != 0:
        bout.unexpected(code, child)
    bout.drain()
