"""A file's transaction is carried out twice, as after a lost reply, and neither the ledger nor the file's row is heeded."""

from qanat.interfaces import Transaction
from qanat.runtime.counting import Counting, End, Result
from qanat.runtime.registry import FileRow, file_by_id
from qanat.stores.duckdb_transaction import DuckdbTransaction
from tests.faults.broken.breaking import nothing, replaced

_count = Counting.count


def count(self: Counting, file: FileRow, result: Result, item_id: str) -> End:
    """Count a file, and once more."""
    _count(self, file, result, item_id)
    return _count(self, file, result, item_id)


def still_open(_self: Counting, transaction: Transaction, file: FileRow) -> FileRow:
    """Take the file's row, whatever it says."""
    return file_by_id(transaction, file.id)


def enter(_self: DuckdbTransaction, _ids: object) -> frozenset[str]:
    """Enter nothing, and find nothing."""
    return frozenset()


def break_it() -> None:
    """Break this process. The verdict would find the file's own content counted."""
    replaced(Counting, "count", count)
    replaced(Counting, "_still_open", still_open)
    replaced(Counting, "_verdict", nothing)
    replaced(DuckdbTransaction, "enter", enter)
