"""A file counts although its content was counted before."""

from qanat.runtime.counting import Counting
from tests.faults.broken.breaking import nothing, replaced


def break_it() -> None:
    """Break this process."""
    replaced(Counting, "_verdict", nothing)
