"""What goes on beside the stages of streams: their states are written down, and topics forget what nobody needs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qanat.interfaces import Log, Transaction
from qanat.runtime.commit import Committer
from qanat.runtime.loop import Moved
from qanat.runtime.stage_states import STAGE_STATES, StageMeter, state_rows
from qanat.tables import Topic, Upsert, arrow_schema
from qanat.telemetry import log as tell

# How often states are written where something moves, and where nothing does: who reads them takes an instance whose row is
# older than three of these for gone.
STATES_EVERY_S = 1.0
STATES_UNMOVED_S = 10.0
TRIM_EVERY_S = 60.0


@dataclass
class StateSteps:
    """Writes how the stages are doing (see `runtime.stage_states`), about once a second."""

    name: str
    committer: Committer
    meters: Sequence[StageMeter]
    instance: str
    ended: threading.Event = field(default_factory=threading.Event)
    _before: list[dict[str, object]] = field(default_factory=list)
    _written_at: datetime | None = None

    def step(self) -> Moved:
        """Write the states, unless they are what was written a moment ago."""
        now = self.committer.clock.now()
        rows = state_rows(self.meters, self.instance, now)
        if self._written_at is None or self._differs(rows, now):
            first = self._written_at is None
            self.committer.commit(lambda tx: self._write(tx, rows, now, first=first))
            self._before, self._written_at = rows, now
        return Moved.IDLE

    def reload(self) -> None:
        """Nothing is kept that another could change."""

    def wait(self, timeout_s: float) -> None:
        """Wait for the next look."""
        self.ended.wait(STATES_EVERY_S)

    def _differs(self, rows: Sequence[dict[str, object]], now: datetime) -> bool:
        if self._written_at is None or now - self._written_at > timedelta(seconds=STATES_UNMOVED_S):
            return True
        return any(
            {**row, "updated_at": None} != {**before, "updated_at": None}
            for row, before in zip(rows, self._before, strict=True)
        )

    def _write(
        self, transaction: Transaction, rows: list[dict[str, object]], now: datetime, *, first: bool
    ) -> None:
        import pyarrow as pa

        if first:
            transaction.execute(
                "delete from stage_states where updated_at < $before",
                {"before": now - timedelta(seconds=3 * STATES_UNMOVED_S)},
            )
        table = pa.Table.from_pylist(rows, schema=arrow_schema(STAGE_STATES))
        transaction.write(STAGE_STATES, table, Upsert(STAGE_STATES.key))


@dataclass
class TrimSteps:
    """Has topics forget what they needn't keep, and says when a reader holds it back."""

    name: str
    log: Log
    topics: Sequence[Topic]
    committer: Committer
    ended: threading.Event = field(default_factory=threading.Event)

    def step(self) -> Moved:
        """Trim once."""
        for trimmed in self.log.trim(self.topics, self.committer.clock.now()):
            if trimmed.removed or trimmed.held:
                tell("topic.trimmed", **trimmed._asdict())
        return Moved.IDLE

    def reload(self) -> None:
        """Nothing is kept."""

    def wait(self, timeout_s: float) -> None:
        """Wait for the next time."""
        self.ended.wait(TRIM_EVERY_S)
