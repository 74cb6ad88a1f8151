"""Dead letters are committed in a transaction of their own, before the file is counted."""

from qanat.runtime.counting import Counting, End, Result
from qanat.runtime.registry import FileRow
from tests.faults.broken.breaking import nothing, replaced

_letters, _count = Counting._letters, Counting.count


def count(self: Counting, file: FileRow, result: Result, item_id: str) -> End:
    """Write the letters, then count."""
    self.committer.commit(lambda transaction: _letters(transaction, file, result))
    return _count(self, file, result, item_id)


def break_it() -> None:
    """Break this process."""
    replaced(Counting, "count", count)
    replaced(Counting, "_letters", nothing)
