"""One transaction, carried out until its outcome is known: the only way the runtime commits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from qanat.clock import Clock
from qanat.errors import CommitUnknown, Retryable
from qanat.interfaces import Commit, Output, Store, Transaction
from qanat.service.pulse import current
from qanat.telemetry import Telemetry, log

T = TypeVar("T")
CommitT = TypeVar("CommitT", bound=Commit)

# How often the outcome of a lost COMMIT is asked for before the stage gives up: with the delays below about a minute, in which
# a database that restarts comes back.
OUTCOME_ATTEMPTS_MAX = 120
OUTCOME_DELAY_S = 0.5


@dataclass(frozen=True, slots=True)
class Committing(Generic[CommitT]):
    """Commits to a store or a log, for one stage of one pipeline."""

    output: Output[CommitT]
    pipeline: str
    stage: str
    clock: Clock
    telemetry: Telemetry

    def commit(self, body: Callable[[CommitT], T]) -> T:
        """Run `body` in a transaction and commit it, once.

        A reply that was lost is looked up; when the transaction turns out not to have committed, `Retryable` is raised, as for
        every other fault that rolled it back. `body` is never run twice here: who calls does the whole batch again.
        """
        commit_id = uuid4()
        started = self.clock.monotonic()
        try:
            with self.output.begin(self.stage, commit_id) as transaction:
                result = body(transaction)
                transaction.commit()
        except CommitUnknown as unknown:
            if not self._outcome(commit_id):
                raise Retryable("the transaction didn't commit", after_s=0.1) from unknown
        self._count(self.clock.monotonic() - started)
        return result

    def _outcome(self, commit_id: UUID) -> bool:
        for _ in range(OUTCOME_ATTEMPTS_MAX - 1):
            current().beat()
            try:
                return self._ask(commit_id)
            except Retryable:
                self.clock.sleep(OUTCOME_DELAY_S)
        return self._ask(commit_id)

    def _ask(self, commit_id: UUID) -> bool:
        committed = self.output.outcome(self.stage, commit_id)
        log("commit.looked_up", stage=self.stage, commit_id=str(commit_id), committed=committed)
        return committed

    def _count(self, seconds: float) -> None:
        labels = {"pipeline": self.pipeline, "stage": self.stage}
        self.telemetry.count("qanat_commits_total", 1, **labels)
        self.telemetry.count("qanat_commit_seconds_total", seconds, **labels)
        self.telemetry.gauge(
            "qanat_last_commit_timestamp_seconds", self.clock.now().timestamp(), **labels
        )


@dataclass(frozen=True, slots=True)
class Committer(Committing[Transaction]):
    """Commits to a store, for one stage of one pipeline."""

    output: Store

    @property
    def store(self) -> Store:
        """What it commits to."""
        return self.output
