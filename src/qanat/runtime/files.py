"""A stage on files: each counts wholly or not at all, in one transaction or in parts that several processes share."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from qanat import failpoints
from qanat.bell import Bell
from qanat.errors import BadFile, Fenced, QanatError, Retryable
from qanat.interfaces import WorkSource
from qanat.records import Item
from qanat.runtime.compute import Computer, Letters, Stopped
from qanat.runtime.counting import Counting, End, Result, digest_of, tell
from qanat.runtime.discover import QUEUE, Registrar
from qanat.runtime.filework import KeysExceeded, PartOutcome, PartPlan
from qanat.runtime.loop import Moved
from qanat.runtime.parts import Parts
from qanat.runtime.registry import FileRow, FileState, file_by_id
from qanat.runtime.settle import Settler
from qanat.telemetry import log


class LeaseLost(QanatError):
    """Another instance works on it: this one was silent for longer than a lease."""


# While there is work the folder is looked into once a second, and at most a tenth of the time: a folder with 100,000 kept files
# takes a second to list.
LOOK_EVERY_S = 1.0
LOOK_SHARE = 10.0

# A lease is extended while its part is computed; when its owner hangs, the work goes to another instance after so long. A dead
# owner's leases end at once, by the store.
LEASE_S = 60.0
LEASE_EXTEND_S = 15.0

# How often an idle thread looks for work that other instances left. Each look takes 4 ms of a core; while another thread of this
# process computes with every core it waits for that one alone.
OTHERS_EVERY_S = 0.25


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    ended: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, file: FileRow, end: End) -> None:
        """One more file ended."""
        self.ended[end.state] = self.ended.get(end.state, 0) + 1
        if end.state != FileState.COUNTED:
            self.problems.append(f"{file.name} is {end.state}: {end.reason}")


@dataclass(slots=True)
class FileSteps:
    """Steps over a folder (see `runtime.loop`). Several threads may each drive one, sharing everything but the lease.

    Attributes:
        discovers: This one looks into the folder for new files.
        once: Look once, at the start, and end when everything found is ended.
        looked: Set when the folder was looked at for the first time, and nothing there has to rest.
        first_look: Set when it was looked at for the first time, whatever was there.
        bell: Rung when there is new work in the store, and when work has ended.
    """

    name: str
    work: WorkSource
    registrar: Registrar
    computer: Computer
    counting: Counting
    parts: Parts
    settler: Settler
    summary: Summary
    owner: str
    letters_max: int
    discovers: bool
    once: bool
    looked: threading.Event
    first_look: threading.Event
    bell: Bell
    _heard: int = 0
    _extended_at_s: float = 0.0
    _look_at_s: float = 0.0

    def step(self) -> Moved:
        """Register what is new, or do one piece of work."""
        clock = self.counting.committer.clock
        self._heard = self.bell.count
        if self.discovers:
            self._look(clock.monotonic())
        items = self.work.claim(self.owner, 1, LEASE_S, clock.now())
        if items:
            self._extended_at_s = clock.monotonic()
            try:
                self._do(items[0])
            finally:
                self.bell.ring()
            return Moved.YES
        if self.once and self.looked.is_set() and self.work.drained("files"):
            return Moved.DRAINED
        return Moved.IDLE

    def _look(self, now_s: float) -> None:
        """Look into the folder when something may have changed there, and every so often while there is work."""
        if (self.once and self.looked.is_set()) or now_s < self._look_at_s:
            return
        self.registrar.discover()
        self.first_look.set()
        took_s = self.counting.committer.clock.monotonic() - now_s
        self._look_at_s = now_s + max(LOOK_EVERY_S, LOOK_SHARE * took_s)
        if not self.computer.source.resting():
            self.looked.set()
        self.bell.ring()

    def reload(self) -> None:
        """Nothing is kept between steps but what the folder showed."""
        self.registrar.forget()
        self._look_at_s = 0.0

    def wait(self, timeout_s: float) -> None:
        """Wait for the folder, or for work; settle what couldn't be settled before."""
        if self.discovers:
            self.settler.again()
        if self.discovers and not (self.once and self.looked.is_set()):
            if self.computer.source.wait(timeout_s):
                self._look_at_s = 0.0
        elif self.computer.turn.locked():
            self.bell.wait(self._heard, timeout_s)
        else:
            self.bell.wait(self._heard, min(timeout_s, OTHERS_EVERY_S))

    def _do(self, item: Item) -> None:
        payload: dict[str, Any] = json.loads(item.payload)
        with self.counting.committer.store.snapshot() as reader:
            file = file_by_id(reader, payload["file"])
        handlers = {"file": self._file, "part": self._part, "close": self._close}
        try:
            if file.state == FileState.REGISTERED:
                handlers[payload["kind"]](file, item, payload)
            else:
                self._drop(item)
        except Stopped:
            self.work.release([item], 0.0, "stopped")
        except LeaseLost:
            return
        except Fenced:
            self._fenced(item, payload)
            raise
        except Retryable as error:
            self._give_back(item, error)
            raise
        except BadFile as error:
            self._fail(file, item, error)

    def _give_back(self, item: Item, error: Retryable) -> None:
        try:
            self.work.release([item], error.after_s, error.message)
        except Retryable as again:
            # The store can't be reached: the lease ends with this process's session, or by the clock.
            log("stage.retried", stage=self.name, failures=0, reason=again.message)

    def _fenced(self, item: Item, payload: dict[str, Any]) -> None:
        """Another instance has ended the file, or planned it anew: is there anything left of this item?"""
        with self.counting.committer.store.snapshot() as reader:
            file = file_by_id(reader, payload["file"])
        if file.state == FileState.REGISTERED and file.attempt == payload.get("attempt"):
            self.work.release([item], 0.0, "the file was written again while it was counted")
        else:
            self._drop(item)

    def _file(self, file: FileRow, item: Item, _payload: dict[str, Any]) -> None:
        if self.parts.too_large(file):
            self.parts.plan(file, item, self.parts.cut(file), 1)
            return
        letters = self._letters(file, 0, uuid4())
        whole = PartPlan(0, 0, None if file.compression != "none" else file.size)
        try:
            outcome = self.computer.compute(file, whole, letters, lambda: self._keep(item))
        except KeysExceeded as exceeded:
            self.counting.committer.store.discard(letters.attempt)
            ranges = self.computer.transform.ranges(exceeded.keys_estimated)
            self.parts.plan(file, item, self.parts.by_range(file, ranges), ranges)
            return
        except BadFile:
            self.counting.committer.store.discard(letters.attempt)
            raise
        self._count(file, item, _whole(outcome, letters))

    def _part(self, file: FileRow, item: Item, payload: dict[str, Any]) -> None:
        if file.attempt != payload["attempt"]:
            self._drop(item)
            return
        part = PartPlan(*payload["part"])
        letters = self._letters(file, part.number, UUID(file.attempt))
        try:
            outcome = self.computer.compute(file, part, letters, lambda: self._keep(item))
        except KeysExceeded as exceeded:
            ranges = max(self.computer.transform.ranges(exceeded.keys_estimated), 2 * file.ranges)
            self.parts.plan(file, item, self.parts.by_range(file, ranges), ranges)
            return
        self.parts.enter(file, item, part, outcome, letters)

    def _close(self, file: FileRow, item: Item, payload: dict[str, Any]) -> None:
        if file.attempt != payload["attempt"]:
            self._drop(item)
            return
        self._count(file, item, self.parts.result(file))

    def _count(self, file: FileRow, item: Item, result: Result) -> None:
        end = self.counting.count(file, result, item.id)
        failpoints.reach("count.after_commit")
        tell(file, end, result)
        if result.attempt is not None:
            self.counting.committer.store.discard(result.attempt)
        self._ended(file, end, result)

    def _fail(self, file: FileRow, item: Item, error: BadFile) -> None:
        end = self.counting.fail(file, error.message, item.id, None)
        tell(file, end, None)
        if file.attempt is not None:
            self.counting.committer.store.discard(UUID(file.attempt))
        self._ended(file, end, None)

    def _ended(self, file: FileRow, end: End, result: Result | None) -> None:
        self.summary.add(file, end)
        committer = self.counting.committer
        telemetry, pipeline = committer.telemetry, committer.pipeline
        telemetry.count("qanat_files_total", pipeline=pipeline, state=str(end.state))
        if result is not None:
            labels = {"pipeline": pipeline, "stage": self.name}
            lines = result.lines_good + result.lines_bad
            telemetry.count("qanat_records_read_total", lines, **labels)
            telemetry.count("qanat_records_rejected_total", result.lines_bad, **labels)
            telemetry.count("qanat_bytes_read_total", file.size, **labels)
        self.computer.progress.files += 1
        if end.state == FileState.HELD:
            return
        self.settler.settle(file, end.state, end.number)

    def _letters(self, file: FileRow, part: int, attempt: UUID) -> Letters:
        committer = self.counting.committer
        now = committer.clock.now()
        return Letters(committer.store, self.name, file, attempt, now, part, self.letters_max)

    def _drop(self, item: Item) -> None:
        """The item's work is done already, or planned anew: take it off the queue."""
        committer = self.counting.committer
        committer.commit(lambda transaction: transaction.finish(QUEUE, [item.id]))

    def _keep(self, item: Item) -> None:
        now_s = self.counting.committer.clock.monotonic()
        if now_s - self._extended_at_s < LEASE_EXTEND_S:
            return
        self._extended_at_s = now_s
        if not self.work.extend(self.owner, [item], LEASE_S):
            raise LeaseLost


def _whole(outcome: PartOutcome, letters: Letters) -> Result:
    return Result(
        outcome.lines_good,
        outcome.lines_bad,
        outcome.total,
        digest_of(outcome.digests, outcome.size),
        outcome.disk_digest,
        letters.rows(),
        letters.staged,
        rows=outcome.rows,
        attempt=letters.attempt if letters.staged else None,
    )
