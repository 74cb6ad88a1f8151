"""Neither leases nor the ledger nor the file's row are heeded: what two threads computed is counted twice."""

from qanat.interfaces import Transaction
from qanat.runtime.counting import Counting
from qanat.runtime.registry import FileRow, file_by_id
from qanat.stores.duckdb import DuckdbStore
from qanat.stores.duckdb_transaction import DuckdbTransaction
from tests.faults.broken import leases_ignored
from tests.faults.broken.breaking import nothing, replaced


def still_open(_self: Counting, transaction: Transaction, file: FileRow) -> FileRow:
    """Take the file's row, whatever it says."""
    return file_by_id(transaction, file.id)


def enter(_self: DuckdbTransaction, _ids: object) -> frozenset[str]:
    """Enter nothing, and find nothing."""
    return frozenset()


def break_it() -> None:
    """Break this process. The verdict would find the file's own content counted, and what the first thread counted would no
    longer be staged for the second.
    """
    leases_ignored.break_it()
    replaced(Counting, "_still_open", still_open)
    replaced(Counting, "_verdict", nothing)
    replaced(DuckdbTransaction, "enter", enter)
    replaced(DuckdbStore, "discard", nothing)
