"""Two runs on one input and one store, by accident or on purpose."""

from collections.abc import Iterator

from qanat.prove.bout import Bout
from qanat.prove.databases import Databases
from qanat.prove.scenario import Scenario

# So long an item takes, so that the second run comes while the first one works.
ITEM_S = 0.4
ITEMS = 12
# A run that is refused says so as soon as it has started.
REFUSED_WITH = 1


def instance_scenarios(databases: Databases, *, hits: int) -> Iterator[Scenario]:
    """Yield the scenarios."""
    if databases.shared:
        yield Scenario("two:share", share, 1)
        yield Scenario("two:killed", kill_in_turn, hits)
        return
    yield Scenario("two:refused", refuse_second, hits)
    yield Scenario(
        "two:killed",
        kill_in_turn,
        hits,
        left_out="one process at a time has this store open; two:refused proves that",
    )


def share(bout: Bout) -> None:
    """Start two runs at once: both have to get a share of the work."""
    bout.ground.deliver(ITEMS)
    children = [bout.start(item_s=ITEM_S), bout.start(item_s=ITEM_S)]
    for child in children:
        code = child.wait()
        if code != 0:
            bout.unexpected(code, child)
        if not child.seen(bout.proof.committed):
            bout.problem("one of two runs got no work although there was enough for both")
    bout.faults = 1
    bout.drain()


def kill_in_turn(bout: Bout) -> None:
    """Let two runs work, kill one after the other at random times, and start each again at once."""
    bout.ground.deliver(ITEMS)
    children = [bout.start(item_s=ITEM_S), bout.start(item_s=ITEM_S)]
    while bout.faults < bout.wanted:
        turn = bout.faults % 2
        if children[turn].pause(bout.chance.uniform(0.3, 2.0)):
            children[turn].kill()
            bout.faults += 1
        elif (code := children[turn].wait()) != 0:
            bout.unexpected(code, children[turn])
            return
        else:
            bout.ground.deliver(2)  # it has drained everything: there is more to do
        children[turn] = bout.start(item_s=ITEM_S)
    for child in children:
        code = child.wait()
        if code != 0:
            bout.unexpected(code, child)
    bout.drain()


def refuse_second(bout: Bout) -> None:
    """Start a second run while the first one works: it has to be refused, and to change nothing."""
    bout.ground.deliver(ITEMS)
    first = bout.start(item_s=ITEM_S)
    first.wait_for(bout.proof.committed)
    while bout.faults < bout.wanted:
        second = bout.start()
        code = second.wait()
        if first.process.poll() is not None:  # it was done before the second one came
            bout.ground.deliver(ITEMS)
            first = bout.start(item_s=ITEM_S)
            first.wait_for(bout.proof.committed)
            continue
        if code != REFUSED_WITH:
            bout.problem(
                f"a second run ended with {code} instead of {REFUSED_WITH}: {second.said()}"
            )
        elif str(first.process.pid) not in second.said():
            bout.problem(f"the second run didn't say who holds the store: {second.said()}")
        if second.seen(bout.proof.committed):
            bout.problem("a run that was refused had committed")
        bout.faults += 1
    code = first.wait()
    if code != 0:
        bout.unexpected(code, first)
    bout.drain()
