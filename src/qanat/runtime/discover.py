"""Registering files: each gets a number, once, whoever finds it."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from qanat import failpoints
from qanat.interfaces import Transaction
from qanat.records import FileStat, FoundFile, Item
from qanat.runtime.commit import Committer
from qanat.runtime.compute import FileSource
from qanat.runtime.registry import (
    FILES,
    FileRow,
    FileState,
    file_rows,
    files_named,
    next_numbers,
    update_file,
)
from qanat.tables import InsertNew
from qanat.telemetry import log

# Files registered in one transaction. At 2 to 3 ms per commit a thousand files cost a few commits; a crash loses at most the
# looks at so many files.
BATCH_FILES_MAX = 256

QUEUE = "files"


def file_item(file_id: int, now: datetime, attempt: str = "") -> Item:
    """Return the work item that counts a file. `attempt` tells a requeued one from the first."""
    suffix = f":{attempt}" if attempt else ""
    payload = json.dumps({"kind": "file", "file": file_id}).encode()
    return Item(f"file:{file_id}{suffix}", "files", payload, now)


def ledger_id(file: FileRow) -> str:
    """Return the id under which a file enters the ledger when it is counted."""
    return f"file:{file.id}"


@dataclass(slots=True)
class Registrar:
    """Finds new files and registers them.

    Attributes:
        on_found: Called when there are some, before they are registered.
    """

    source: FileSource
    committer: Committer
    on_found: Callable[[], None] = lambda: None
    _known: set[FileStat] = field(default_factory=set)
    _told: dict[str, str] = field(default_factory=dict)

    def discover(self) -> int:
        """Look into the folder; register what isn't known; return how many files were new."""
        listed = self.source.scan()
        self._known.intersection_update(listed)
        unknown = [stat for stat in listed if stat not in self._known]
        new = 0
        for start in range(0, len(unknown), BATCH_FILES_MAX):
            new += self._batch(unknown[start : start + BATCH_FILES_MAX])
        self._tell_problems()
        return new

    def forget(self) -> None:
        """Ask the store again about every file at the next look."""
        self._known.clear()

    def _tell_problems(self) -> None:
        problems = {
            waiting.stat.name: waiting.detail
            for waiting in self.source.waiting()
            if waiting.problem
        }
        for name, detail in problems.items():
            if self._told.get(name) != detail:
                log("folder.problem", level=logging.WARNING, name=name, reason=detail)
        self._told = problems

    def _batch(self, stats: Sequence[FileStat]) -> int:
        with self.committer.store.snapshot() as reader:
            registered = {row.stat for row in files_named(reader, (stat.name for stat in stats))}
        self._known.update(registered.intersection(stats))
        fresh = [stat for stat in stats if stat not in registered]
        found = [look for look in map(self.source.find, fresh) if look is not None]
        if not found:
            return 0
        entered = self.register(found)
        self._known.update(look.stat for look in found)
        return len(entered)

    def register(self, found: Sequence[FoundFile]) -> list[FileRow]:
        """Register finished files; return the rows of those that were new. Any thread may call."""
        self.on_found()
        entered = self.committer.commit(lambda transaction: self._enter(transaction, found))
        failpoints.reach("register.after_commit")
        for row in entered:
            log("file.registered", file=row.id, name=row.name, size=row.size)
        return entered

    def _enter(self, transaction: Transaction, found: Sequence[FoundFile]) -> list[FileRow]:
        now = self.committer.clock.now()
        # First the numbers: who else registers waits for them, so that what is read next is still so at the commit.
        first = next_numbers(transaction, "file", len(found))
        known = files_named(transaction, (look.stat.name for look in found))
        stats = {row.stat for row in known}
        existing = {(row.name, row.sketch): row for row in known}
        rows = []
        for number, look in enumerate(found, first):
            twin = existing.get((look.stat.name, look.sketch))
            if look.stat in stats:  # found and announced at once, or by two instances
                continue
            if twin is None:
                rows.append(_row(number, look, look.sketch, now))
            elif twin.state == FileState.REGISTERED:
                _renew(transaction, twin, look)
            else:
                # The name and the sketch came to an end before, and this is another file on disk: perhaps the same content
                # again, perhaps a change that the sketch doesn't reach. Its digest will tell, when it is read.
                rows.append(_row(number, look, f"{look.sketch}#{number}", now))
        entered = transaction.write(FILES, file_rows(rows), InsertNew(key=("name", "sketch")))
        new = set(entered.column("id").to_pylist())
        kept = [row for row in rows if row.id in new]
        transaction.enqueue(QUEUE, [file_item(row.id, now) for row in kept])
        failpoints.reach("register.before_commit")
        return kept


def _renew(transaction: Transaction, twin: FileRow, look: FoundFile) -> None:
    """A registered file was written again with the same ends before it was counted: it is the one to count now."""
    stat = look.stat
    update_file(
        transaction,
        twin.id,
        size=stat.size,
        mtime_ns=stat.mtime_ns,
        inode=stat.inode,
        device=stat.device,
    )


def _row(number: int, look: FoundFile, sketch: str, now: datetime) -> FileRow:
    return FileRow(
        id=number,
        name=look.stat.name,
        size=look.stat.size,
        mtime_ns=look.stat.mtime_ns,
        inode=look.stat.inode,
        device=look.stat.device,
        sketch=sketch,
        compression=look.compression,
        promised_digest=look.promised_digest,
        digest=None,
        state=FileState.REGISTERED,
        reason=None,
        registered_at=now,
        ended_at=None,
        lines_good=None,
        lines_bad=None,
        total=None,
        attempt=None,
        parts=0,
        ranges=1,
        forced=False,
        number=None,
        settled=False,
        settled_as=None,
    )


def waiting(rows: Iterable[FileRow]) -> list[FileRow]:
    """Return those of `rows` that aren't ended yet."""
    return [row for row in rows if row.state == FileState.REGISTERED]
