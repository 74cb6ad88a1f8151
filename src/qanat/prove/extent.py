"""How much is proved."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is proved.

    Attributes:
        hits: How often each fault has to happen.
        kills: SIGKILLs at random times.
        items: Items that the random kills are spread over.
        only: Beginnings of scenarios' names; empty for all.
        jobs: Scenarios at a time.
    """

    hits: int
    kills: int
    items: int
    seed: int
    quick: bool
    only: tuple[str, ...]
    jobs: int
