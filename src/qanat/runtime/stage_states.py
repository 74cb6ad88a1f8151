"""How each stage of a run is doing: kept by its thread, written to a table about once a second, and read by whoever looks.

A stage that should move and doesn't says why: its source is silent or can't be reached, its store is slow or full, another
instance has its partitions, or the stage after it is too far behind.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qanat.clock import Clock
from qanat.tables import Column, ColumnType, Table

STAGE_STATES = Table(
    name="stage_states",
    columns=(
        Column("stage", ColumnType.TEXT),
        Column("instance", ColumnType.TEXT, about="the process that runs it: host and number"),
        Column("records", ColumnType.INT64, about="read by this instance since it started"),
        Column("rate", ColumnType.FLOAT64, about="records per second, over the last seconds"),
        Column("lag", ColumnType.INT64, nullable=True, about="records that wait; null: unknown"),
        Column("last_commit_at", ColumnType.TIMESTAMP, nullable=True),
        Column("stalled_since", ColumnType.TIMESTAMP, nullable=True),
        Column("stall_reason", ColumnType.TEXT, nullable=True),
        Column("updated_at", ColumnType.TIMESTAMP),
    ),
    key=("stage", "instance"),
    about="one row per stage and running instance, about a second old",
)

# A commit that takes longer than this is told: a busy disk or a lock, not the work itself.
SLOW_COMMIT_S = 5.0
# The rate is that of about so many seconds.
RATE_OVER_S = 5.0


@dataclass(slots=True)
class StageMeter:
    """What one stage's thread notes, and what others read. Any thread may use it.

    Attributes:
        silent_after_s: So long without a record the source counts as silent; 0 for a source that may be silent for ever.
        condition: What the source says is in its way; empty when nothing is.
    """

    stage: str
    clock: Clock
    silent_after_s: float = 0.0
    condition: Callable[[], str] = str
    records: int = 0
    lag: int | None = None
    last_commit_at: datetime | None = None
    _claim: str = ""
    _failure: str = ""
    _held: str = ""
    _heard_s: float = 0.0
    _committing_since_s: float | None = None
    _stalled: tuple[datetime, str] | None = None
    _rates: list[tuple[float, int]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._heard_s = self.clock.monotonic()

    def waits_for_claim(self, reason: str | None) -> None:
        """Say that all partitions are in another instance's hands, or that some are ours."""
        self._claim = reason or ""

    def held(self, reason: str) -> None:
        """Say what the stage waits for on purpose; empty: nothing."""
        self._held = reason

    def failed(self, reason: str) -> None:
        """Say that an attempt failed for now."""
        self._failure = reason

    def committing(self) -> None:
        """Say that a commit has begun."""
        self._committing_since_s = self.clock.monotonic()

    def committed(self, records: int) -> None:
        """Say that a batch of so many records was committed."""
        with self._lock:
            self.records += records
            self.last_commit_at = self.clock.now()
            self._heard_s = self.clock.monotonic()
            self._committing_since_s = None
            self._failure = ""

    def idle(self) -> None:
        """Say that there was nothing to read."""
        self._failure = ""
        self._committing_since_s = None

    def silent_s(self) -> float:
        """Return for how long no record came, or none has come."""
        return self.clock.monotonic() - self._heard_s

    def stall(self) -> tuple[datetime, str] | None:
        """Tell since when and why the stage doesn't move; None when it does, or has nothing to do."""
        reason = self._reason()
        with self._lock:
            if not reason:
                self._stalled = None
            elif self._stalled is None:
                self._stalled = (self._since(reason), reason)
            else:
                self._stalled = (self._stalled[0], reason)
            return self._stalled

    def rate(self) -> float:
        """Return records per second over the last seconds, as far as this was asked regularly."""
        now_s = self.clock.monotonic()
        with self._lock:
            self._rates.append((now_s, self.records))
            while len(self._rates) > 2 and now_s - self._rates[1][0] >= RATE_OVER_S:
                self._rates.pop(0)
            (first_s, first), (last_s, last) = self._rates[0], self._rates[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def _reason(self) -> str:
        if self._claim or self._held or self._failure:
            return self._claim or self._failure or self._held
        since_s = self._committing_since_s
        if since_s is not None and self.clock.monotonic() - since_s > SLOW_COMMIT_S:
            return f"the store is slow: a commit takes {self.clock.monotonic() - since_s:.0f} s"
        condition = self.condition()
        if condition:
            return condition
        if self.silent_after_s and self.silent_s() > self.silent_after_s:
            return "the source is silent"
        return ""

    def _since(self, reason: str) -> datetime:
        now = self.clock.now()
        if reason != "the source is silent":
            return now
        return now - timedelta(seconds=self.clock.monotonic() - self._heard_s)


def state_rows(
    meters: Sequence[StageMeter], instance: str, now: datetime
) -> list[dict[str, object]]:
    """Return the rows of `STAGE_STATES` for the stages of one instance."""
    return [_row(meter, instance, now) for meter in meters]


def _row(meter: StageMeter, instance: str, now: datetime) -> dict[str, object]:
    stalled = meter.stall()
    return {
        "stage": meter.stage,
        "instance": instance,
        "records": meter.records,
        "rate": meter.rate(),
        "lag": meter.lag,
        "last_commit_at": meter.last_commit_at,
        "stalled_since": stalled[0] if stalled else None,
        "stall_reason": stalled[1] if stalled else None,
        "updated_at": now,
    }


def total_lag(lag: Mapping[str, int | None]) -> int | None:
    """Add up the lag of partitions; None when it is unknown of one."""
    known = [each for each in lag.values() if each is not None]
    return sum(known) if len(known) == len(lag) else None
