"""A stage that publishes: from an ordered source into a topic of the log, with its progress kept there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from qanat import failpoints
from qanat.interfaces import LogTransaction
from qanat.records import Transformed
from qanat.runtime.commit import Committing
from qanat.runtime.letters import LETTER_TOPIC, letters
from qanat.runtime.loop import Moved
from qanat.runtime.reading import Reading, Taken
from qanat.runtime.stream import ROWS_MAX, OrderedSteps, never
from qanat.tables import Topic

if TYPE_CHECKING:
    import pyarrow as pa

Transform: TypeAlias = "Callable[[pa.Table, datetime], Transformed]"
"""Arrow in, Arrow out: the batch's rows and the time at which they are judged."""


def unchanged(rows: "pa.Table", judged_at: datetime) -> Transformed:  # noqa: ARG001 - a transform's parameters
    """Let rows go on as they are."""
    return Transformed(rows)


@dataclass
class PublishSteps(OrderedSteps):
    """Steps that publish (see `runtime.loop`).

    Attributes:
        origin: What the stage reads, as its dead letters name it.
        waits: Asked before each batch: why nothing may be published now; empty when it may. So back-pressure reaches the source.
    """

    name: str
    reading: Reading
    committing: Committing[LogTransaction]
    transform: Transform
    topic: Topic
    origin: str
    waits: Callable[[], str] = str
    ends: Callable[[], bool] = never
    yields: Callable[[], bool] = never
    rows_max: int = ROWS_MAX
    rest_s: float = 0.005  # it reads, packs and commits for 2 ms

    def step(self) -> Moved:
        """Read a batch, transform it, publish it, unless the readers are too far behind."""
        reason = self.waits()
        self.reading.meter.held(reason)
        if reason:
            return Moved.IDLE
        return super().step()

    def wait(self, timeout_s: float) -> None:
        """Wait a moment for the readers, or for partitions."""
        if self.waits():
            self.reading.clock.sleep(min(timeout_s, 0.1))
        else:
            super().wait(timeout_s)

    def _commit(self, taken: Taken) -> None:
        batch = taken.batch
        made = self.transform(batch.rows, batch.judged_at)
        rows = made.rows.select(self.topic.shape.names)
        rejected = made.rejected
        told = (
            letters(self.name, self.origin, batch.rows, rejected, batch.judged_at)
            if rejected is not None and rejected.num_rows
            else None
        )

        def write(transaction: LogTransaction) -> None:
            transaction.advance(self.name, taken.moves)
            if rows.num_rows:
                transaction.publish(self.topic, rows)
            failpoints.reach("batch.published")
            if told is not None:
                transaction.publish(LETTER_TOPIC, told)
            failpoints.reach("batch.before_commit")

        self.committing.commit(write)
        telemetry, labels = self.committing.telemetry, self._labels
        telemetry.count("qanat_records_read_total", batch.rows.num_rows, **labels)
        if told is not None:
            telemetry.count("qanat_records_rejected_total", told.num_rows, **labels)

    @property
    def _labels(self) -> dict[str, str]:
        return {"pipeline": self.committing.pipeline, "stage": self.name}
