"""What a local server of server-sent events can be made to do wrong: scripted, one after another, or by chance from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Answer:
    """The next connection is turned away.

    Attributes:
        retry_after: What the header `Retry-After` says; empty for none.
    """

    status: int
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The connection ends in good order after `events` events."""

    events: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks off inside of the frame that follows `events` events."""

    events: int


@dataclass(frozen=True, slots=True)
class Stall:
    """The connection stays, and nothing comes any more after `events` events: half open."""

    events: int


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are no event of ours come between, after `events` events."""

    events: int
    raw: bytes = b"data: {not json\xff\n\n\0\x01garbage\n\nfield\n: comment\n\n"


@dataclass(frozen=True, slots=True)
class Again:
    """The last `count` events come once more, after `events` events."""

    events: int
    count: int = 5


@dataclass(frozen=True, slots=True)
class Trickle:
    """From `events` events on the bytes come `size` at a time."""

    events: int
    size: int = 7


Fault: TypeAlias = End | Cut | Stall | Garbage | Again | Trickle


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in one connection, in the order of `events`; then it goes on in good order."""

    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class Faults:
    """Hands each new connection what is to happen in it. Any thread may add.

    Attributes:
        script: For the connections that come next, one each.
    """

    script: list[Answer | Script] = field(default_factory=list)

    def next(self) -> Answer | Iterator[Fault]:
        """Return what the connection that begins now suffers."""
        if not self.script:
            return iter(())
        found = self.script.pop(0)
        return found if isinstance(found, Answer) else iter(found.faults)

    def then(self, *steps: Answer | Fault) -> None:
        """Add what happens to the next connections, one step each."""
        self.script += [step if isinstance(step, Answer) else Script((step,)) for step in steps]


ANSWERS = (Answer(429, "0"), Answer(500), Answer(503, "0"), Answer(403), Answer(502))
KINDS: tuple[type[Fault], ...] = (End, Cut, Stall, Garbage, Again)


class Chaos(Faults):
    """Faults by chance: about one in `every` events, and a connection in `refused` is turned away.

    Args:
        seed: The same seed makes the same faults, connection by connection.
        every: Events between two faults of one connection, on average.
        refused: The share of connections that are turned away, below 1.
        kinds: Of faults.
    """

    def __init__(
        self,
        seed: int,
        *,
        every: int = 1000,
        refused: float = 0.2,
        kinds: Sequence[type[Fault]] = KINDS,
    ) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self._every = every
        self._refused = refused
        self._kinds = tuple(kinds)

    def next(self) -> Answer | Iterator[Fault]:
        """Return what the connection that begins now suffers."""
        if self.script:
            return super().next()
        if self._chance.random() < self._refused:
            return self._chance.choice(ANSWERS)
        return self._faults(random.Random(self._chance.random()))

    def _faults(self, chance: random.Random) -> Iterator[Fault]:
        events = 0
        while True:
            # At least two: the event at the position comes again, and one has to be new, or nobody ever gets on.
            events += 2 + int(chance.expovariate(1 / self._every))
            yield chance.choice(self._kinds)(events)
