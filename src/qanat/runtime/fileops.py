"""What a user can do with a single file afterwards: sum it again, take it out, count it after all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from qanat.digests import combine_digests
from qanat.errors import BadFile, ConfigError, FileVanished
from qanat.interfaces import Transaction
from qanat.records import FileStat
from qanat.runtime.commit import Committer
from qanat.runtime.compute import FileSource
from qanat.runtime.discover import QUEUE, file_item, ledger_id
from qanat.runtime.filework import FileTransform, Hooks, KeysExceeded, PartOutcome, PartPlan
from qanat.runtime.parts import cut
from qanat.runtime.registry import (
    FileRow,
    FileState,
    Queries,
    file_by_id,
    files_where,
    update_file,
)


class SettledSource(FileSource, Protocol):
    """A file source that also gives back what it settled."""

    def look(self, name: str) -> FileStat | None:
        """Return the file that lies there now; None if there is none."""
        ...

    def bring_back(self, name: str, settled_as: str) -> FileStat:
        """Move a settled file back to its name; never overwrites. Harmless when it is there already."""
        ...


@dataclass(frozen=True, slots=True)
class Resummed:
    """What a file comes to when it is summed again."""

    lines_good: int
    lines_bad: int
    total: int
    digest: str


@dataclass(frozen=True, slots=True)
class FileOperations:
    """Operations on the files of one stage."""

    source: SettledSource
    transform: FileTransform
    committer: Committer

    def find(self, name: str, states: tuple[FileState, ...], *spellings: str) -> FileRow:
        """Return the newest file that is called `name` (a name, a path or a number) and is in one of `states`.

        `spellings`: how else the tables may write that name.

        Raises:
            ConfigError: There is none; says which there are.
        """
        with self.committer.store.snapshot() as reader:
            rows = next(filter(None, (_called(reader, text) for text in (name, *spellings))), [])
        fitting = [row for row in rows if row.state in states]
        if fitting:
            return fitting[-1]
        wanted = " or ".join(states)
        if rows:
            there = ", ".join(f"file {row.id} is {row.state}" for row in rows[-5:])
            raise ConfigError(
                "FILE", name, f"a file that is {wanted}", hint=f"Known by this name: {there}."
            )
        raise ConfigError(
            "FILE",
            name,
            "a file that was found before",
            hint="`qanat status` tells which there are.",
        )

    def verify(self, file: FileRow) -> Resummed:
        """Sum a counted file again.

        Raises:
            BadFile: It can't be read any more.
        """
        outcomes = list(self._outcomes(file))
        return _resummed(outcomes)

    def undo(self, file: FileRow) -> Resummed:
        """Take a counted file out of every table, as if it had never been counted, in one transaction.

        Raises:
            BadFile: Its bytes aren't those that were counted; nothing is changed.
        """
        attempt = uuid4()
        store = self.committer.store
        outcomes = []
        try:
            for number, outcome in enumerate(self._outcomes(file)):
                rows = self.transform.reversed(outcome.rows)
                store.stage(self.transform.staging, rows, attempt, number)
                outcomes.append(outcome)
            again = _resummed(outcomes)
            if again.digest != file.digest:
                raise BadFile(
                    f"{file.name} has the digest {again.digest} now; {file.digest} was counted.",
                    hint="Put the file that was counted back into its place.",
                )
            self.committer.commit(lambda transaction: self._take_out(transaction, file, attempt))
        finally:
            store.discard(attempt)
        return again

    def requeue(self, file: FileRow) -> None:
        """Have a held, failed or undone file counted (again): it is registered anew, and moved back if it was moved."""
        stat = file.stat
        if file.settled_as is not None:
            # From another device it comes back as another file of the system, with the same bytes.
            stat = self.source.bring_back(file.name, file.settled_as)

        def body(transaction: Transaction) -> None:
            transaction.lock(f"file:{file.id}")
            current = file_by_id(transaction, file.id)
            if current.state != file.state:
                raise ConfigError("FILE", file.name, f"{file.state}; it is {current.state} now")
            update_file(
                transaction,
                file.id,
                state=str(FileState.REGISTERED),
                mtime_ns=stat.mtime_ns,
                inode=stat.inode,
                device=stat.device,
                reason=None,
                ended_at=None,
                forced=True,
                settled=False,
                settled_as=None,
                attempt=None,
                parts=0,
                ranges=1,
            )
            transaction.execute(
                "update dead_letters set state = 'superseded' where origin_id = $file and state = 'open'",
                {"file": file.id},
            )
            item = file_item(file.id, self.committer.clock.now(), uuid4().hex[:8])
            transaction.enqueue(QUEUE, [item])

        self.committer.commit(body)

    def _take_out(self, transaction: Transaction, file: FileRow, attempt: UUID) -> None:
        transaction.lock(f"file:{file.id}")
        current = file_by_id(transaction, file.id)
        if current.state != FileState.COUNTED or not transaction.withdraw([ledger_id(file)]):
            raise ConfigError("FILE", file.name, f"counted; it is {current.state}")
        parts = self.committer.store.staged(self.transform.staging, attempt)
        for target in self.transform.reversing(self.transform.targets(current, transaction)):
            transaction.merge(target.table, parts, target.mode, target.constants)
        update_file(transaction, file.id, state=str(FileState.UNDONE), reason="undone on request")
        transaction.execute(
            "update dead_letters set state = 'superseded' where origin_id = $file and state = 'open'",
            {"file": file.id},
        )

    def _outcomes(self, file: FileRow) -> Iterator[PartOutcome]:
        """Sum a file where it lies now, in the parts in which it was counted, and in key ranges where memory wants it."""
        place = file.name if file.settled_as is None else file.settled_as
        stat = self.source.look(place)
        if stat is None:
            raise FileVanished(f"{place} isn't there any more.")
        stop = None if file.compression != "none" else stat.size
        plans = [PartPlan(0, 0, stop)]
        if file.parts > 1 and file.ranges == 1:
            plans = cut(file.size, file.parts)
        for plan in plans:
            yield from self._ranges(stat, file, plan)

    def _ranges(self, stat: FileStat, file: FileRow, plan: PartPlan) -> Iterator[PartOutcome]:
        ranges = file.ranges
        while True:
            try:
                first = self._pass(stat, file.compression, replace(plan, of=ranges))
            except KeysExceeded as exceeded:
                ranges = max(2 * ranges, self.transform.ranges(exceeded.keys_estimated))
            else:
                break
        yield first
        for index in range(1, ranges):
            outcome = self._pass(stat, file.compression, replace(plan, index=index, of=ranges))
            yield replace(outcome, digests=b"", size=0)

    def _pass(self, stat: FileStat, compression: str, plan: PartPlan) -> PartOutcome:
        hooks = Hooks(on_block=lambda _: None, on_rejected=lambda _: None)
        with self.source.open(stat, compression) as opened:
            return self.transform.compute(opened.source, plan, hooks)


def _called(reader: Queries, name: str) -> list[FileRow]:
    if not name.isprintable():
        return []  # no name is written so in the tables, and not every store could be asked
    path = Path(name)
    tails = {name, path.name, f"done/{path.name}", f"failed/{path.name}"}
    parameters = {f"n{index}": tail for index, tail in enumerate(sorted(tails))}
    listed = ", ".join(f"${key}" for key in parameters)
    condition = f"name in ({listed}) or settled_as in ({listed})"
    rows = files_where(reader, condition, **parameters)
    if not rows and name.isdigit():
        rows = files_where(reader, "id = $id", id=int(name))
    return rows


def _resummed(outcomes: list[PartOutcome]) -> Resummed:
    return Resummed(
        lines_good=sum(outcome.lines_good for outcome in outcomes),
        lines_bad=sum(outcome.lines_bad for outcome in outcomes),
        total=sum(outcome.total for outcome in outcomes),
        digest=combine_digests(
            b"".join(outcome.digests for outcome in outcomes),
            sum(outcome.size for outcome in outcomes),
        ),
    )
