"""A COMMIT whose reply was lost is taken for done, without asking."""

from uuid import UUID

from qanat.runtime.commit import Committer
from tests.faults.broken.breaking import replaced


def outcome(_self: Committer, _commit_id: UUID) -> bool:
    """Hope."""
    return True


def break_it() -> None:
    """Break this process."""
    replaced(Committer, "_outcome", outcome)
