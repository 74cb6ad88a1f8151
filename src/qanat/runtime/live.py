"""What holds the transactions of a live stage and those that have to see all of its work apart.

A transaction that brings new rows (`brings_rows`) and one that judges what is there (`judges_rows`) never overlap: whatever the
second reads includes every row of a transaction that was at it before, and none of one that comes later. Without that a report
could be computed beside a batch that belongs in it, each not knowing of the other. Transactions that bring rows don't wait for
each other.
"""

from qanat.interfaces import Transaction

_LIVE = "qanat:live"


def brings_rows(transaction: Transaction) -> None:
    """Say, first of all in a transaction, that it writes rows of which reports or rebuilt tables consist."""
    transaction.lock(_LIVE, shared=True)


def judges_rows(transaction: Transaction) -> None:
    """Wait, first of all in a transaction, for those that bring rows; others wait until this one ends."""
    transaction.lock(_LIVE)
