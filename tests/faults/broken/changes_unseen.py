"""Nobody looks, before the commit, whether the file still is the one that was read."""

from qanat.sources.files import Folder
from tests.faults.broken.breaking import nothing, replaced


def break_it() -> None:
    """Break this process."""
    replaced(Folder, "check", nothing)
