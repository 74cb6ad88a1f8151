"""Late events have no stored report remade."""

from qanat.runtime.remakes import Remakes
from tests.faults.broken.breaking import replaced


def enqueue(self: Remakes, transaction: object, happened: object) -> int:
    """Remake nothing."""
    return 0


def break_it() -> None:
    """Break this process."""
    replaced(Remakes, "enqueue", enqueue)
