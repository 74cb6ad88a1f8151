"""Where a stage reads: ordered streams, and work in any order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from qanat.records import Batch, Item, Partition, Position


class Source(Protocol):
    """An ordered stream: partitions, each a sequence of rows with positions. One thread uses it.

    Attributes:
        repeats: True when a resume yields the row at the position again, so that the plan demands a de-duplication key.
    """

    repeats: bool

    def incarnation(self) -> str:
        """Name this life of the source. Another name than the one stored with progress stops the stage."""
        ...

    def partitions(self) -> Sequence[Partition]:
        """Name the partitions there are now; the set may grow, never shrink."""
        ...

    def open(self, start: Mapping[Partition, Position | None]) -> None:
        """Begin to read the named partitions after the given positions (None: from the start). Replaces an earlier open."""
        ...

    def poll(self, rows_max: int, wait_s: float) -> Batch | None:
        """Return the next rows, or None when there were none within `wait_s`.

        Raises:
            SourceLost: The history doesn't reach back to where reading should go on.
            Retryable: The connection failed; the runtime opens again from stored progress.
        """
        ...

    def acknowledge(self, ends: Mapping[Partition, Position]) -> None:
        """Learn, after the commit, what may be forgotten. Nothing is ever resumed from it; may be repeated."""
        ...

    def lag(self) -> Mapping[Partition, int | None]:
        """Return the rows not yet polled per partition; None where that can't be known."""
        ...

    def close(self) -> None:
        """Give everything back; closing twice is harmless."""
        ...


class WakingSource(Source, Protocol):
    """A source that can be waited for without asking again and again, and woken from that by another thread."""

    def wake(self) -> None:
        """Make a `poll` that waits return now, or the next one not wait."""
        ...


class WorkSource(Protocol):
    """Items in any order, perhaps given twice; the ledger makes each count once. Any thread may use it."""

    def claim(self, owner: str, items_max: int, lease_s: float, now: datetime) -> Sequence[Item]:
        """Lease up to `items_max` items due at `now` to `owner`, oldest due first; empty when there are none.

        A lease ends by finish, by release, by the store's clock after `lease_s`, or as soon as its owner is known to be dead.
        """
        ...

    def extend(self, owner: str, items: Sequence[Item], lease_s: float) -> Sequence[Item]:
        """Lengthen the leases; return the items that are still ours."""
        ...

    def release(self, items: Sequence[Item], delay_s: float, reason: str) -> None:
        """Give items back unfinished, to be claimed again after `delay_s`; by who doesn't hold them, nothing.

        After `attempts_max` claims an item goes aside, whether its leases were released or ran out.
        """
        ...

    def aside(self) -> Sequence[tuple[Item, str]]:
        """Return the items that were set aside, each with its last reason."""
        ...

    def drained(self, scope: str) -> bool:
        """Tell whether nothing of `scope` is open, leased or delayed (a barrier). Items set aside don't count."""
        ...
