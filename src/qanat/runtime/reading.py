"""Reading an ordered source on behalf of a stage: claims, progress, and the moves of each batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from qanat.clock import Clock
from qanat.errors import SourceLost
from qanat.interfaces import Commit, Output, Source
from qanat.records import Batch, Move, Partition, Progress
from qanat.runtime.stage_states import StageMeter

# How often partitions that others hold are asked for again: an instance that dies is replaced within that time. Its lock is
# free at once, so that this is all the delay there is.
CLAIM_AGAIN_S = 1.0

NO_CLAIM = "waiting for a claim: another instance has all partitions"


class Taken(NamedTuple):
    """A batch, and how progress moves when it is committed."""

    batch: Batch
    moves: Mapping[Partition, Move]


@dataclass(slots=True)
class Reading:
    """What a stage reads, from where it stopped. One thread uses it.

    Attributes:
        stage: Its name, under which progress is kept in `output`.
        meter: Told of what is in the way, and of the lag.
    """

    stage: str
    source: Source
    output: Output[Commit]
    owner: str
    clock: Clock
    meter: StageMeter
    _progress: dict[Partition, Progress] = field(default_factory=dict)
    _opened: bool = False
    _claimed_at_s: float = float("-inf")

    def take(self, rows_max: int, wait_s: float) -> Taken | None:
        """Return the next batch; None when there was none within `wait_s`, or nothing is ours to read.

        Raises:
            SourceLost: The source is another one than before, or doesn't reach back.
        """
        if not self._ready():
            return None
        batch = self.source.poll(rows_max, wait_s)
        if batch is None:
            return None
        incarnation = self.source.incarnation()
        moves = {
            partition: Move(self._progress[partition].version, incarnation, end)
            for partition, end in batch.ends.items()
        }
        return Taken(batch, moves)

    def done(self, taken: Taken) -> None:
        """Note that a batch was committed, and tell the source what may be forgotten."""
        for partition, move in taken.moves.items():
            self._progress[partition] = Progress(move.to, move.expected + 1, move.incarnation)
        self.source.acknowledge(taken.batch.ends)

    def reload(self) -> None:
        """Read progress anew before the next batch."""
        self._opened = False
        self._claimed_at_s = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether any partition is ours."""
        return bool(self._progress)

    def _ready(self) -> bool:
        """Claim what isn't ours yet, from time to time, and open the source anew when something came."""
        partitions = self.source.partitions()
        missing = [name for name in partitions if name not in self._progress]
        due = self.clock.monotonic() - self._claimed_at_s >= CLAIM_AGAIN_S
        if not self._opened or (missing and due):
            self._claimed_at_s = self.clock.monotonic()
            claimed = self.output.claim(self.stage, partitions, self.owner)
            if not self._opened or set(claimed) != set(self._progress):
                self._open(claimed)
        self.meter.waits_for_claim(None if self._progress else NO_CLAIM)
        return self.holds

    def _open(self, claimed: Mapping[Partition, Progress]) -> None:
        self._check(claimed)
        if claimed:
            self.source.open({partition: at.position for partition, at in claimed.items()})
        self._progress = dict(claimed)
        self._opened = True

    def _check(self, claimed: Mapping[Partition, Progress]) -> None:
        incarnation = self.source.incarnation()
        for partition, at in claimed.items():
            if at.incarnation is not None and at.incarnation != incarnation:
                raise SourceLost(
                    f"{self.stage} read partition {partition} of {at.incarnation}, which is {incarnation} now.",
                    hint="The source was re-created. Rebuild the tables, or reset this stage's progress.",
                )
