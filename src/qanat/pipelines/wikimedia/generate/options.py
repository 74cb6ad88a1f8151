"""What can be set of made-up events."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Options:
    """How many events there are, and how much is wrong with them.

    Attributes:
        count: Creations of pages. Repeats, bad events and canaries come on top.
        seed: Equal options make equal bytes.
        start: When the first one happens.
        rate_per_s: Creations per second, on average; bots come in bursts.
        repeats: Share of events that come again within a minute.
        bad: Share of events that can't be used.
        canaries: Share of events that are signs of life or examples.
        shuffle_s: Each event is held up for as long as this at most, so that later ones overtake it.
        hidden: Share of creations without a performer.
        whole_seconds: Share of creations whose time has no fraction.
        imports: Share of creations whose revision is years old.
        again: Share of creations that make a page of before anew, under its old id.
    """

    count: int = 100_000
    seed: int = 1
    start: datetime = datetime(2025, 9, 6, tzinfo=UTC)
    rate_per_s: float = 1.0
    repeats: float = 0.01
    bad: float = 0.01
    canaries: float = 0.005
    shuffle_s: float = 10.0
    hidden: float = 0.004
    whole_seconds: float = 0.01
    imports: float = 0.004
    again: float = 0.002
