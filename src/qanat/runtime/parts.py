"""Large files: cut into parts, or into key ranges when the keys don't fit in memory; staged part by part, then merged once."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID, uuid4

from qanat import failpoints
from qanat.digests import CHUNK_BYTES
from qanat.errors import Fenced, FileChanged
from qanat.interfaces import Transaction
from qanat.records import Item
from qanat.runtime.commit import Committer
from qanat.runtime.compute import Letters
from qanat.runtime.counting import Result, digest_of
from qanat.runtime.discover import QUEUE
from qanat.runtime.filework import FileTransform, PartOutcome, PartPlan
from qanat.runtime.registry import PARTS, FileRow, FileState, file_by_id, update_file
from qanat.tables import DEAD_LETTERS, InsertNew, arrow_schema
from qanat.telemetry import log


def cut(size: int, count: int) -> list[PartPlan]:
    """Cut `size` bytes into about `count` parts of one size, at multiples of the digests' chunks.

    Cutting into as many parts as came out gives the same ones: an undo finds the parts that were counted.
    """
    while True:
        step = math.ceil(size / count / CHUNK_BYTES) * CHUNK_BYTES
        starts = range(0, size, step)
        if len(starts) == count:
            return [
                PartPlan(number, start, min(start + step, size))
                for number, start in enumerate(starts)
            ]
        count = len(starts)


@dataclass(frozen=True, slots=True)
class Parts:
    """Plans, enters and collects the parts of large files.

    Attributes:
        whole_bytes_max: A file up to this size is one transaction.
        part_bytes: The size of a part of a larger one; a multiple of the digests' chunks.
    """

    committer: Committer
    transform: FileTransform
    whole_bytes_max: int
    part_bytes: int

    def too_large(self, file: FileRow) -> bool:
        """Tell whether `file` is more than one transaction's work. A compressed one can't be cut."""
        return file.compression == "none" and file.size > self.whole_bytes_max

    def cut(self, file: FileRow) -> list[PartPlan]:
        """Cut a file into parts of about one size, at multiples of the digests' chunks."""
        return cut(file.size, math.ceil(file.size / self.part_bytes))

    @staticmethod
    def by_range(file: FileRow, ranges: int) -> list[PartPlan]:
        """Plan one pass over the whole file per key range."""
        stop = None if file.compression != "none" else file.size
        return [PartPlan(index, 0, stop, index, ranges) for index in range(ranges)]

    def plan(self, file: FileRow, item: Item, plans: Sequence[PartPlan], ranges: int) -> None:
        """Replace `item`, and all parts planned before, by the given parts."""
        attempt = uuid4()

        def body(transaction: Transaction) -> None:
            transaction.lock(f"file:{file.id}")
            current = file_by_id(transaction, file.id)
            if current.state != FileState.REGISTERED or current.attempt != file.attempt:
                raise Fenced
            now = self.committer.clock.now()
            update_file(transaction, file.id, attempt=str(attempt), parts=len(plans), ranges=ranges)
            transaction.execute("delete from parts where file_id = $file", {"file": file.id})
            earlier = [_part_id(file, file.attempt, number) for number in range(file.parts)]
            transaction.finish(QUEUE, [item.id, *earlier])
            transaction.enqueue(QUEUE, [_part_item(file, attempt, plan, now) for plan in plans])
            failpoints.reach("plan.before_commit")

        self.committer.commit(body)
        failpoints.reach("plan.after_commit")
        if file.attempt is not None:
            self.committer.store.discard(UUID(file.attempt))
        log("file.planned", file=file.id, name=file.name, parts=len(plans), ranges=ranges)

    def enter(
        self, file: FileRow, item: Item, part: PartPlan, outcome: PartOutcome, letters: Letters
    ) -> None:
        """Stage a computed part and enter it; whoever enters the last one asks for the file to be closed."""
        attempt = letters.attempt
        letters.flush()
        staged = self.committer.store.stage(
            self.transform.staging, outcome.rows, attempt, part.number
        )
        failpoints.reach("part.staged")

        def body(transaction: Transaction) -> None:
            transaction.lock(f"file:{file.id}")
            current = file_by_id(transaction, file.id)
            if current.attempt != str(attempt) or current.state != FileState.REGISTERED:
                raise Fenced
            transaction.finish(QUEUE, [item.id])
            if not transaction.enter([item.id]):
                self._enter(transaction, current, part, outcome, staged.rows)
            failpoints.reach("part.before_commit")

        self.committer.commit(body)
        failpoints.reach("part.after_commit")
        log("file.part_staged", file=file.id, part=part.number, rows=staged.rows)

    def _enter(
        self,
        transaction: Transaction,
        file: FileRow,
        part: PartPlan,
        outcome: PartOutcome,
        rows: int,
    ) -> None:
        import pyarrow as pa

        row = {
            "file_id": file.id,
            "attempt": file.attempt,
            "part": part.number,
            "start": part.start,
            "lines_good": outcome.lines_good,
            "lines_bad": outcome.lines_bad,
            "total": outcome.total,
            "digests": outcome.digests,
            "size": outcome.size,
            "rows": rows,
            "disk_digest": outcome.disk_digest,
        }
        table = pa.Table.from_pylist([row], schema=arrow_schema(PARTS))
        transaction.write(PARTS, table, InsertNew(PARTS.key))
        entered = transaction.query(
            "select count(*) as n from parts where file_id = $file and attempt = $attempt",
            {"file": file.id, "attempt": file.attempt},
        )
        if entered.column("n")[0].as_py() == file.parts:
            payload = {"kind": "close", "file": file.id, "attempt": file.attempt}
            now = self.committer.clock.now()
            item = Item(
                f"close:{file.id}:{file.attempt}", "files", json.dumps(payload).encode(), now
            )
            transaction.enqueue(QUEUE, [item])

    def result(self, file: FileRow) -> Result:
        """Collect the parts of a file that are all entered.

        Raises:
            FileChanged: Two passes over the file read different bytes.
        """
        store = self.committer.store
        attempt = UUID(str(file.attempt))
        with store.snapshot() as reader:
            rows = reader.query(
                "select * from parts where file_id = $file and attempt = $attempt order by part",
                {"file": file.id, "attempt": file.attempt},
            ).to_pylist()
        if file.ranges > 1:
            if len({row["digests"] for row in rows}) > 1:
                raise FileChanged(f"{file.name} was changed while it was read")
            digest = digest_of(rows[0]["digests"], rows[0]["size"])
        else:
            digest = digest_of(b"".join(row["digests"] for row in rows), file.size)
        bases = [
            (row["start"], before["lines_good"] + before["lines_bad"])
            for before, row in pairwise(rows)
        ]
        return Result(
            lines_good=sum(row["lines_good"] for row in rows),
            lines_bad=sum(row["lines_bad"] for row in rows),
            total=sum(int(row["total"]) for row in rows),
            digest=digest,
            disk_digest=rows[0]["disk_digest"],
            letters=arrow_schema(DEAD_LETTERS).empty_table(),
            staged_letters=store.staged(DEAD_LETTERS, attempt),
            parts=store.staged(self.transform.staging, attempt),
            line_bases=bases if file.ranges == 1 else (),
            attempt=attempt,
        )


def _part_id(file: FileRow, attempt: object, number: int) -> str:
    return f"part:{file.id}:{attempt}:{number}"


def _part_item(file: FileRow, attempt: UUID, plan: PartPlan, now: datetime) -> Item:
    payload = {
        "kind": "part",
        "file": file.id,
        "attempt": str(attempt),
        "part": [plan.number, plan.start, plan.stop, plan.index, plan.of],
    }
    return Item(_part_id(file, attempt, plan.number), "files", json.dumps(payload).encode(), now)
