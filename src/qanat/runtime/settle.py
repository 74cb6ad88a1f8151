"""After the commit: a file is moved, kept or deleted; done again at the next start when a crash came between."""

import logging
from dataclasses import dataclass, field, replace

from qanat import failpoints
from qanat.errors import BadFile, Fatal, Retryable
from qanat.interfaces import Transaction
from qanat.runtime.commit import Committer
from qanat.runtime.compute import FileSource, Outcome
from qanat.runtime.registry import FileRow, FileState, files_where, update_file
from qanat.service.pulse import current
from qanat.telemetry import log


@dataclass(slots=True)
class Settler:
    """Settles files whose end is committed. Any thread may use it."""

    source: FileSource
    committer: Committer
    _left: list[FileRow] = field(default_factory=list)
    _told: set[int] = field(default_factory=set)

    def settle(self, file: FileRow, state: FileState, number: int | None) -> None:
        """Settle one file that was counted or failed. What can't be moved now is logged, and tried again when idle."""
        failpoints.reach("move.before")
        current().beat()
        try:
            outcome: Outcome = "done" if state == FileState.COUNTED else "failed"
            where = self.source.settle(file.stat, outcome, file.id)
        except Retryable as error:
            self._tell(file, error.message)
            self._left.append(replace(file, state=str(state), number=number))
            return
        except BadFile as error:
            # Another file has the name by now: the one that was ended is gone, and this one will be registered.
            log("file.not_settled", file=file.id, name=file.name, reason=error.message)
            where = None
        failpoints.reach("move.after")
        self.committer.commit(lambda transaction: _note(transaction, file, where))
        if number is not None:
            self._remember(number)
        log("file.settled", file=file.id, name=file.name, where=where)

    def _tell(self, file: FileRow, reason: str) -> None:
        """Log what keeps a file from being moved: as a warning the first time, for somebody has to look."""
        level = logging.INFO if file.id in self._told else logging.WARNING
        self._told.add(file.id)
        log("file.not_settled", level=level, file=file.id, name=file.name, reason=reason)

    def _remember(self, number: int) -> None:
        try:
            self.source.remember(self.committer.store.identity, number)
        except Retryable as error:
            # Harmless: the next file's number says the same.
            log("folder.problem", level=logging.WARNING, name=".qanat", reason=error.message)

    def resume(self) -> None:
        """Settle what an earlier run left."""
        with self.committer.store.snapshot() as reader:
            self._left = files_where(reader, "not settled and state in ('counted', 'failed')")
        self.again()

    def again(self) -> None:
        """Try again what couldn't be settled."""
        left, self._left = self._left, []
        for file in left:
            self.settle(file, FileState(file.state), file.number)


def check_not_restored(settler: Settler, remembered: int) -> None:
    """Refuse to go on when the folder knows of more counted files than the database.

    Raises:
        Fatal: The database is older than the folder; going on would leave files in `done/` that nothing counts.
    """
    with settler.committer.store.snapshot() as reader:
        rows = reader.query("select coalesce(max(number), 0) as number from files")
    number: int = rows.column("number")[0].as_py()
    if remembered > number:
        raise Fatal(
            f"the folder remembers {remembered} counted files, the database knows {number}: "
            "it was restored from a backup that is older than the files in done/.",
            hint=f"The last {remembered - number} files that were counted are in done/ but not in the database. "
            "See which with `qanat status`, move them back into the folder, and start with --accept-restored.",
        )


def _note(transaction: Transaction, file: FileRow, where: str | None) -> None:
    update_file(transaction, file.id, settled=True, settled_as=where)
