"""Progress is committed in a transaction of its own, before the rows."""

from collections.abc import Mapping

from qanat.interfaces import Transaction
from qanat.records import Move, Partition
from qanat.runtime.reading import Taken
from qanat.runtime.stream_tables import TableSteps
from tests.faults.broken.breaking import replaced

_commit, _write = TableSteps._commit, TableSteps._write


def commit(self: TableSteps, taken: Taken) -> None:
    """Move first, write then."""

    def move(transaction: Transaction) -> None:
        transaction.advance(self.name, taken.moves)

    self.committer.commit(move)
    _commit(self, taken)


def write(
    self: TableSteps, transaction: Transaction, moves: Mapping[Partition, Move], prepared: object
) -> None:
    """Write, and move nothing."""
    _write(self, transaction, {}, prepared)  # type: ignore[arg-type]


def break_it() -> None:
    """Break this process."""
    replaced(TableSteps, "_commit", commit)
    replaced(TableSteps, "_write", write)
