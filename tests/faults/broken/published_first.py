"""A log's records are committed in a transaction of their own, before the progress of the stage that published them."""

from qanat.interfaces import LogTransaction
from qanat.runtime.reading import Taken
from qanat.runtime.stream_topics import PublishSteps
from tests.faults.broken.breaking import replaced

_commit = PublishSteps._commit


def commit(self: PublishSteps, taken: Taken) -> None:
    """Publish dead letters and records twice: apart, then with the progress."""

    def publish(transaction: LogTransaction) -> None:
        made = self.transform(taken.batch.rows, taken.batch.judged_at)
        if self.name == "clean" and made.rejected is not None and made.rejected.num_rows:
            from qanat.runtime.letters import LETTER_TOPIC, letters

            told = letters(
                self.name, self.origin, taken.batch.rows, made.rejected, taken.batch.judged_at
            )
            transaction.publish(LETTER_TOPIC, told)

    self.committing.commit(publish)
    _commit(self, taken)


def break_it() -> None:
    """Break this process."""
    replaced(PublishSteps, "_commit", commit)
