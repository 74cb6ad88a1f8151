"""An item of work is taken off the queue, in a transaction of its own, before its file is counted."""

from qanat.runtime.counting import Counting, End, Result
from qanat.runtime.discover import QUEUE
from qanat.runtime.registry import FileRow
from tests.faults.broken.breaking import replaced

_count = Counting.count


def count(self: Counting, file: FileRow, result: Result, item_id: str) -> End:
    """Finish, then count."""
    self.committer.commit(lambda transaction: transaction.finish(QUEUE, [item_id]))
    return _count(self, file, result, item_id)


def break_it() -> None:
    """Break this process."""
    replaced(Counting, "count", count)
