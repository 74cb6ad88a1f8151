"""Items that come twice, and items that change while they are read."""

from collections.abc import Iterator
from functools import partial

from qanat.prove.bout import Bout
from qanat.prove.processes import was_killed
from qanat.prove.scenario import Scenario

# Long enough to replace an item after its reading began and before it ends.
CHANGED_ITEM_S = 2.0
# A watching run has done what there was when it has logged nothing for so long.
QUIET_S = 1.0


def repeat_scenarios(*, hits: int) -> Iterator[Scenario]:
    """Yield the scenarios."""
    yield Scenario("twice:after", deliver_twice, hits)
    yield Scenario("twice:killed", partial(deliver_twice, killed=True), hits)
    yield Scenario("twice:running", deliver_twice_meanwhile, 1)
    yield Scenario("changed", change_while_read, 1)


def deliver_twice(bout: Bout, *, killed: bool = False) -> None:
    """Hand items over again after they were counted; kill the run that meets them, if asked."""
    bout.ground.deliver(4)
    bout.drain()
    while bout.faults < bout.wanted:
        bout.faults += bout.ground.repeat()
        bout.ground.deliver(1)
        if killed:
            child = bout.start(item_s=0.2)
            if child.wait_for({bout.proof.started}):
                child.pause(bout.chance.uniform(0.0, 1.0))
            child.kill()
        code, child = bout.run()
        # The run that was killed may have dealt with the repeats before, and left nothing of them to tell of.
        if code != bout.proof.repeats_end_with and not (killed and code == 0):
            bout.unexpected(code, child)


def deliver_twice_meanwhile(bout: Bout) -> None:
    """Hand items over again, and new ones, while a run goes on that watches for them; then stop it."""
    bout.ground.deliver(4)
    child = bout.start(watching=True)
    child.wait_for(bout.proof.committed, 4)
    child.wait_until_quiet(QUIET_S)
    bout.faults += bool(bout.ground.repeat())
    bout.ground.deliver(2)
    child.wait_for(bout.proof.committed, 6)
    child.wait_until_quiet(QUIET_S)
    code = child.stop()
    if code != 0 and not was_killed(code):
        bout.unexpected(code, child)
    bout.drain()


def change_while_read(bout: Bout) -> None:
    """Put another item in the place of one that is being read."""
    bout.ground.deliver(1)
    child = bout.start(item_s=CHANGED_ITEM_S)
    child.wait_for({bout.proof.started})
    if child.pause(CHANGED_ITEM_S / 2):
        bout.ground.replace()
        bout.faults += 1
    child.wait()
    bout.drain()
