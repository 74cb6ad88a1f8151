"""What stores and logs have in common: claims, and transactions that move progress."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from qanat.records import Move, Partition, Progress

Scalar = int | float | str | bytes | bool | datetime | None
"""A bound parameter, or a column's constant value."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an output can do; the plan computes each edge's guarantee from it.

    Attributes:
        transactional: Rows, ledger and progress commit together or not at all.
        shared: Several processes may have it open at once, and share the work.
    """

    transactional: bool
    shared: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One step that `migrate` took: the table, and what was done to it in words."""

    table: str
    action: str


class Commit(Protocol):
    """What the transactions of stores and logs have in common. Leaving without commit() rolls back."""

    def advance(self, stage: str, moves: Mapping[Partition, Move]) -> None:
        """Move progress, first of all, by compare-and-set on the version.

        Raises:
            Fenced: Another version is stored; nothing of this transaction will be written.
        """
        ...

    def commit(self) -> None:
        """Make all of it durable.

        Raises:
            Fenced: Lost a race; nothing was written.
            CommitUnknown: The reply was lost; ask `outcome` with the commit id.
            TooLarge: It doesn't fit; nothing was written.
            Retryable: It failed for now (deadlock, connection, full disk); nothing was written.
        """
        ...


TransactionT_co = TypeVar("TransactionT_co", bound=Commit, covariant=True)


class Output(Protocol[TransactionT_co]):
    """What a stage commits to: a store or a log. Any thread may call; a transaction belongs to the thread that began it."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def identity(self) -> str:
        """A UUID made with it and kept in it: tells one database or log from another."""
        ...

    def claim(
        self, stage: str, partitions: Sequence[Partition], owner: str
    ) -> Mapping[Partition, Progress]:
        """Claim partitions for `owner`; return progress of those that are ours now. Given up by `release` or with the process."""
        ...

    def release(self, stage: str, partitions: Sequence[Partition], owner: str) -> None:
        """Give partitions back; those that aren't ours are ignored."""
        ...

    def begin(self, stage: str, commit_id: UUID) -> AbstractContextManager[TransactionT_co]:
        """Begin a transaction of `stage`. May block while another one writes."""
        ...

    def outcome(self, stage: str, commit_id: UUID) -> bool:
        """Tell whether the transaction with `commit_id` committed; never false while it still could."""
        ...

    def close(self) -> None:
        """Give back files and connections; closing twice is harmless."""
        ...
