"""What the server does wrong in a scenario, so often as asked."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from qanat.testing.sse_faults import Again, Answer, Cut, End, Fault, Faults, Garbage, Stall

KINDS: Final[Mapping[str, Callable[[int], Fault]]] = {
    "cut": Cut,
    "stalled": Stall,
    "ended": End,
    "garbage": Garbage,
    "again": Again,
}
"""What may happen in a connection, after so many events; by the name of its scenario."""

ANSWERS: Final = (Answer(429, "1"), Answer(500), Answer(403), Answer(503, "0"))
TURNED_AWAY: Final = "turned-away"
"""The scenario in which connections are answered so."""

_LASTING: Final = (Garbage, Again)


class Littering(Faults):
    """Sends something that can't be used at the beginning of each connection."""

    def next(self) -> Answer | Iterator[Fault]:
        """Return what the connection that begins now suffers."""
        return iter((Garbage(1),))


class Disturbing(Faults):
    """Disturbs connections, in one way.

    Args:
        kind: A name of `KINDS`, or `TURNED_AWAY`.
        times: So often.
        events: A fault comes after so many events of a connection, at most.
        chance: Tells when.
    """

    def __init__(self, kind: str, times: int, events: int, chance: random.Random) -> None:
        super().__init__()
        self._kind = kind
        self._left = times
        self._events = max(2, events)
        self._chance = chance
        self._turn = False

    def next(self) -> Answer | Iterator[Fault]:
        """Return what the connection that begins now suffers."""
        if self._left <= 0:
            return iter(())
        if self._kind != TURNED_AWAY:
            return self._faults(KINDS[self._kind])
        # Every other connection is let in and ended, so that it is turned away when it comes back.
        self._turn = not self._turn
        if self._turn:
            return iter((End(self._after()),))
        self._left -= 1
        return self._chance.choice(ANSWERS)

    def _faults(self, kind: Callable[[int], Fault]) -> Iterator[Fault]:
        events = 0
        while self._left > 0:
            events += self._after()
            self._left -= 1
            yield kind(events)
            if kind not in _LASTING:
                return

    def _after(self) -> int:
        # At least two: the event at the position comes again, and one has to be new, or nobody ever gets on.
        return 2 + self._chance.randrange(self._events)
