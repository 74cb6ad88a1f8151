"""What is due is a row: a task that comes again every so often, exactly once whoever runs, caught up after downtime."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qanat.interfaces import Transaction
from qanat.records import Item
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved

LEASE_S = 300.0


@dataclass(slots=True)
class DueSteps:
    """Steps over the ticks of one task (see `runtime.loop`).

    There is one row at a time: the next tick. Finishing it and entering the one after is one transaction, so that no tick is
    lost or doubled; after a downtime the row that was due then is carried out once, not once for every tick that was missed.

    Attributes:
        action: Carries out the tick due at the given time; may commit by itself, so it has to be repeatable.
        every_s: From tick to tick; may be changed while it runs, and holds from the next tick on.
        wanted: Asked before each look; while it says no, ticks wait.
        stop: Ends a wait.
    """

    name: str
    committer: Committer
    action: Callable[[datetime], object]
    every_s: float
    owner: str
    wanted: Callable[[], bool] = lambda: True
    stop: threading.Event = field(default_factory=threading.Event)
    _entered: bool = False

    def step(self) -> Moved:
        """Carry out the tick that is due, if one is."""
        if not self.wanted():
            return Moved.IDLE
        if not self._entered:
            self.committer.commit(self._enter)
            self._entered = True
        now = self.committer.clock.now()
        items = self.committer.store.due(self.name).claim(self.owner, 1, LEASE_S, now)
        if not items:
            return Moved.IDLE
        self.action(now)
        missed = (now - items[0].due_at).total_seconds() // self.every_s
        due_at = items[0].due_at + timedelta(seconds=self.every_s * (missed + 1))
        following = self._tick(due_at)
        self.committer.commit(lambda transaction: self._advance(transaction, items[0], following))
        return Moved.YES

    def reload(self) -> None:
        """Nothing is kept between steps."""

    def wait(self, timeout_s: float) -> None:
        """Wait for the next look at the rows."""
        self.stop.wait(min(timeout_s, 1.0))

    def _enter(self, transaction: Transaction) -> None:
        transaction.lock(f"due:{self.name}")
        if not transaction.enter([f"schedule:{self.name}"]):
            transaction.enqueue(self.name, [self._tick(self.committer.clock.now())])

    def _advance(self, transaction: Transaction, item: Item, following: Item) -> None:
        transaction.finish(self.name, [item.id])
        transaction.enqueue(self.name, [following])

    def _tick(self, due_at: datetime) -> Item:
        return Item(f"{self.name}:{due_at.isoformat()}", self.name, b"", due_at)
