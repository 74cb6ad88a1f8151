"""A COMMIT whose reply was lost is taken for failed and done again at once, with no ledger to tell."""

from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from qanat.errors import CommitUnknown
from qanat.interfaces import Transaction
from qanat.runtime.commit import Committer
from qanat.runtime.counting import Counting
from qanat.runtime.registry import FileRow, file_by_id
from qanat.stores.postgres_transaction import PostgresTransaction
from tests.faults.broken.breaking import nothing, replaced

T = TypeVar("T")


def commit(self: Committer, body: Callable[[Transaction], T]) -> T:
    """Commit until there is a reply."""
    while True:
        try:
            with self.store.begin(self.stage, uuid4()) as transaction:
                result = body(transaction)
                transaction.commit()
        except CommitUnknown:
            continue
        return result


def still_open(_self: Counting, transaction: Transaction, file: FileRow) -> FileRow:
    """Take the file's row, whatever it says."""
    return file_by_id(transaction, file.id)


def enter(_self: PostgresTransaction, _ids: object) -> frozenset[str]:
    """Enter nothing, and find nothing."""
    return frozenset()


def break_it() -> None:
    """Break this process."""
    replaced(Committer, "commit", commit)
    replaced(Counting, "_still_open", still_open)
    replaced(Counting, "_verdict", nothing)
    replaced(PostgresTransaction, "enter", enter)
