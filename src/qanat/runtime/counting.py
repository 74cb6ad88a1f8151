"""The transaction that counts a file, wholly or not at all, and those that end it otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from qanat import failpoints
from qanat.digests import combine_digests
from qanat.errors import Fenced, FileChanged
from qanat.interfaces import Scalar, Transaction
from qanat.records import Staged
from qanat.runtime.commit import Committer
from qanat.runtime.compute import FileSource
from qanat.runtime.discover import QUEUE, ledger_id
from qanat.runtime.filework import FileTransform
from qanat.runtime.registry import (
    FileRow,
    FileState,
    file_by_id,
    files_where,
    next_numbers,
    update_file,
)
from qanat.tables import DEAD_LETTERS, Append
from qanat.telemetry import log

if TYPE_CHECKING:
    import pyarrow as pa


class OnBad(StrEnum):
    """What malformed lines do to their file."""

    QUARANTINE = "quarantine"  # they become dead letters, the good lines count
    FAIL = "fail"  # the file fails: none of its lines count, its dead letters are kept


class SameContent(StrEnum):
    """What happens to a file whose content was counted before, as another file."""

    HOLD = "hold"  # not counted; `requeue` counts it
    COUNT = "count"  # counted, if its name is another one too


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether a file counts.

    Attributes:
        bad_share_max: Above this share of bad lines a file fails, whatever `on_bad` says.
    """

    on_bad: OnBad
    same_content: SameContent
    bad_share_max: float


@dataclass(frozen=True, slots=True)
class Result:
    """All of a file, computed: what the last transaction needs.

    Attributes:
        parts: The staged parts, or empty when `rows` holds everything.
        letters: Dead letters that aren't staged.
        line_bases: For each staged part of a large file: its first byte, and how many lines the part before it has.
        ranges: Of a file in key ranges, their number; each key is in one part then.
    """

    lines_good: int
    lines_bad: int
    total: int
    digest: str
    disk_digest: str | None
    letters: "pa.Table"
    staged_letters: Sequence[Staged] = ()
    rows: "pa.Table | None" = None
    parts: Sequence[Staged] = ()
    line_bases: Sequence[tuple[int, int]] = ()
    attempt: UUID | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a file ended."""

    state: FileState
    reason: str | None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """Ends files."""

    source: FileSource
    transform: FileTransform
    committer: Committer
    rules: Rules
    keeps_files: bool

    def count(self, file: FileRow, result: Result, item_id: str) -> End:
        """Count `file`, or hold or fail it as the rules say, in one transaction.

        Raises:
            BadFile: It isn't the registered file any more; nothing was written.
            Fenced: Another instance has ended it.
        """
        return self.committer.commit(lambda tx: self._count(tx, file, result, item_id))

    def fail(self, file: FileRow, reason: str, item_id: str, letters: "pa.Table | None") -> End:
        """End `file` as failed; none of its lines count."""

        def body(transaction: Transaction) -> End:
            self._still_open(transaction, file)
            if letters is not None:
                transaction.write(DEAD_LETTERS, letters, Append())
            return self._end(transaction, file, End(FileState.FAILED, reason), item_id)

        return self.committer.commit(body)

    def _count(self, transaction: Transaction, file: FileRow, result: Result, item_id: str) -> End:
        # Two instances may be counting two names of one content right now: one of them waits here, and then sees the other.
        transaction.lock(f"content:{result.digest}")
        file = self._still_open(transaction, file)
        if transaction.enter([ledger_id(file)]):
            raise Fenced
        failpoints.reach("count.entered")
        self.source.check(file.stat)
        self._check_digest(file, result)
        verdict = self._verdict(transaction, file, result)
        if verdict is None:
            self._merge(transaction, file, result)
            failpoints.reach("count.merged")
            # Last, because this row is the one that every instance wants: whoever has it commits next.
            number = next_numbers(transaction, "counted", 1)
            verdict = End(FileState.COUNTED, None, number)
        else:
            transaction.withdraw([ledger_id(file)])
        if verdict.state != FileState.HELD:
            self._letters(transaction, file, result)
        self._end(transaction, file, verdict, item_id, result)
        failpoints.reach("count.before_commit")
        return verdict

    def _still_open(self, transaction: Transaction, file: FileRow) -> FileRow:
        transaction.lock(f"file:{file.id}")
        current = file_by_id(transaction, file.id)
        if current.state != FileState.REGISTERED or current.stat != file.stat:
            raise Fenced
        return current

    @staticmethod
    def _check_digest(file: FileRow, result: Result) -> None:
        digest = result.disk_digest or result.digest
        if file.promised_digest not in {None, digest}:
            raise FileChanged(
                f"{file.name} has the digest {digest}; its side file says {file.promised_digest}.",
                hint="The file was damaged on its way, or the side file belongs to another one.",
            )

    def _verdict(self, transaction: Transaction, file: FileRow, result: Result) -> End | None:
        """Return how the file ends when it can't be counted."""
        lines = result.lines_good + result.lines_bad
        if result.lines_bad and self.rules.on_bad is OnBad.FAIL:
            return End(FileState.FAILED, f"{result.lines_bad} of {lines} lines are malformed")
        if result.lines_bad > self.rules.bad_share_max * lines:
            share = f"{self.rules.bad_share_max:.0%}"
            reason = f"{result.lines_bad} of {lines} lines are malformed, more than {share}"
            return End(FileState.FAILED, reason)
        if file.forced or not lines:
            return None
        twins = files_where(
            transaction, "digest = $digest and state = 'counted'", digest=result.digest
        )
        again = [twin for twin in twins if twin.name == file.name]
        if again or (twins and self.rules.same_content is SameContent.HOLD):
            twin = (again or twins)[0]
            what = "the same file" if again else f"the same content as {twin.name}"
            return End(
                FileState.HELD,
                f"{what}, counted as file {twin.id} at {twin.ended_at:%Y-%m-%d %H:%M:%S}Z",
            )
        return None

    def _merge(self, transaction: Transaction, file: FileRow, result: Result) -> None:
        for target in self.transform.targets(file, transaction):
            if result.rows is None:
                transaction.merge(target.table, result.parts, target.mode, target.constants)
            else:
                transaction.write(target.table, result.rows, target.mode, target.constants)

    @staticmethod
    def _letters(transaction: Transaction, file: FileRow, result: Result) -> None:
        if result.letters.num_rows:
            transaction.write(DEAD_LETTERS, result.letters, Append())
        if result.staged_letters:
            transaction.merge(DEAD_LETTERS, result.staged_letters, Append())
        for start, lines in result.line_bases:
            # Each part counted its lines from 1; those before it are added from its first byte on.
            transaction.execute(
                "update dead_letters set line = line + $lines where origin_id = $file"
                " and byte_offset >= $start and state = 'open'",
                {"lines": lines, "file": file.id, "start": start},
            )
        if file.forced:
            # Counted again: what was decided about a letter the first time, and a line that was added by hand, stays so.
            transaction.execute(
                "update dead_letters set state = 'superseded' where origin_id = $file and state = 'open' and id in"
                " (select id from dead_letters where origin_id = $file and state in ('replayed', 'dropped'))",
                {"file": file.id},
            )

    def _end(
        self,
        transaction: Transaction,
        file: FileRow,
        end: End,
        item_id: str,
        result: Result | None = None,
    ) -> End:
        counted: dict[str, Scalar] = (
            {}
            if result is None
            else {
                "lines_good": result.lines_good,
                "lines_bad": result.lines_bad,
                "total": result.total,
                "digest": result.digest,
            }
        )
        stays = end.state == FileState.HELD or self.keeps_files
        update_file(
            transaction,
            file.id,
            state=str(end.state),
            reason=end.reason,
            ended_at=self.committer.clock.now(),
            number=end.number,
            settled=stays,
            attempt=None,
            **counted,
        )
        transaction.execute("delete from parts where file_id = $file", {"file": file.id})
        transaction.finish(QUEUE, [item_id])
        return end


def digest_of(digests: bytes, size: int) -> str:
    """Return a file's digest from those of its chunks, in order."""
    return combine_digests(digests, size)


def tell(file: FileRow, end: End, result: Result | None) -> None:
    """Log how a file ended."""
    event = {FileState.COUNTED: "file.counted", FileState.HELD: "file.held"}.get(
        end.state, "file.failed"
    )
    lines = {} if result is None else {"good": result.lines_good, "bad": result.lines_bad}
    log(event, file=file.id, name=file.name, reason=end.reason, **lines)
