"""A file's sums are committed in a transaction of their own, before its ledger id and its row."""

from qanat.runtime.counting import Counting, End, Result
from qanat.runtime.registry import FileRow
from tests.faults.broken.breaking import nothing, replaced

_merge, _count = Counting._merge, Counting.count


def count(self: Counting, file: FileRow, result: Result, item_id: str) -> End:
    """Count in two transactions."""
    self.committer.commit(lambda transaction: _merge(self, transaction, file, result))
    return _count(self, file, result, item_id)


def break_it() -> None:
    """Break this process."""
    replaced(Counting, "count", count)
    replaced(Counting, "_merge", nothing)
