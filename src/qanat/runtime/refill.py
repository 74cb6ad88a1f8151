"""The table in which each record is entered once, filled again from the topic that the stage reads.

What the topic still holds is written as it is there, the first of repeated records; what it has forgotten stays as it is. Never
a record that the live stage hasn't come to: it would take it for a repeat then, and count it nowhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qanat import failpoints
from qanat.errors import Retryable, SourceLost
from qanat.interfaces import Source, Transaction
from qanat.pipeline import Deduplicate
from qanat.records import Partition
from qanat.runtime.commit import Committer
from qanat.runtime.lateness import Lateness
from qanat.runtime.live import judges_rows
from qanat.runtime.rebuild import Rebuilt, Span, alone, beside, patiently
from qanat.runtime.rebuild_slices import SLICE_ROWS, Slices
from qanat.runtime.stream_topics import Transform, unchanged
from qanat.tables import InsertNew
from qanat.telemetry import log
from qanat.topics import OFFSET, PARTITION

if TYPE_CHECKING:
    import pyarrow as pa

# A topic gives what it holds at once; where it doesn't, its file is in trouble.
_POLL_S = 10.0


@dataclass(slots=True)
class Refill:
    """Fills the table again, once.

    Attributes:
        committer: Of a stage named after the work.
        stage: The live stage, whose progress in the topic bounds what is written.
        source: The topic; nothing is acknowledged.
        transform: The live stage's.
    """

    committer: Committer
    stage: str
    by: Deduplicate
    source: Source
    span: Span
    owner: str
    transform: Transform = unchanged
    _ends: dict[Partition, int] = field(default_factory=dict)
    _waiting: "list[pa.Table]" = field(default_factory=list)
    _left: "list[pa.Table]" = field(default_factory=list)
    _lateness: Lateness = field(init=False)

    def __post_init__(self) -> None:
        """Begin to judge how late records are where the topic begins."""
        self._lateness = Lateness(self.by)

    def run(self) -> Rebuilt:
        """Fill it, and tell what came of it.

        Raises:
            Busy: Another process does.
            SourceLost: The stage read another topic than this.
        """
        with alone(self.committer, self.by.table, self.owner):
            log("backfill.started", table=self.by.table.name)
            self.source.open(dict.fromkeys(self.source.partitions()))
            records = self._fill()
            more, rows = patiently(self.committer, self._finish)
        failpoints.reach("backfill.after_swap")
        log("backfill.swapped", table=self.by.table.name, records=records + more, rows=rows)
        return Rebuilt(records + more, rows, 1)

    def _fill(self) -> int:
        """Write what the live stage has come to by now into the table beside, in slices."""
        reached = self.committer.commit(self._reached)
        records = 0
        for rows in self._until(reached):
            given = self._given(rows)
            patiently(self.committer, lambda tx, given=given: self._write(tx, given))  # type: ignore[misc]
            failpoints.reach("backfill.slice_committed")
            records += rows.num_rows
        return records

    def _finish(self, transaction: Transaction) -> tuple[int, int]:
        """Write what is left, and take all over, while no batch is between; may be done again after it failed."""
        judges_rows(transaction)
        for rows in self._until(self._reached(transaction)):
            self._left.append(self._given(rows))
        for given in self._left:
            self._write(transaction, given)
        rebuilt = beside(self.by.table)
        count = transaction.query(f"select count(*) as n from {rebuilt.name}").column("n")
        self._take_over(transaction)
        transaction.drop(rebuilt)
        failpoints.reach("backfill.before_swap")
        return sum(given.num_rows for given in self._left), int(count[0].as_py())

    def _take_over(self, transaction: Transaction) -> None:
        """Replace the records that are wrong and add those that are missing; most are as they should be.

        When a record was received doesn't count: the topic may have forgotten the first time that it came.
        """
        live, rebuilt = self.by.table, beside(self.by.table)
        same = " and ".join(f'r."{name}" = t."{name}"' for name in self.by.key)
        told = [name for name in live.names if name not in {*self.by.key, self.by.received}]
        differs = " or ".join(f'r."{name}" is distinct from t."{name}"' for name in told) or "false"
        names = ", ".join(f'"{name}"' for name in live.names)
        wrong = f"select 1 from {rebuilt.name} r where {same} and ({differs})"
        transaction.execute(f"delete from {live.name} as t where exists ({wrong})")
        there = f"select 1 from {live.name} t where {same}"
        missing = f"select {names} from {rebuilt.name} r where not exists ({there})"
        transaction.execute(f"insert into {live.name} ({names}) {missing}")

    def _reached(self, transaction: Transaction) -> Mapping[Partition, int]:
        """Return the offsets before which the live stage has read."""
        progress = transaction.progress(self.stage)
        incarnation = self.source.incarnation()
        for at in progress.values():
            if at.incarnation not in {None, incarnation}:
                raise SourceLost(
                    f"{self.stage} read {at.incarnation}, and the topic is {incarnation}."
                )
        return {name: int(at.position) for name, at in progress.items() if at.position is not None}

    def _until(self, reached: Mapping[Partition, int]) -> "Iterator[pa.Table]":
        """Yield the topic's records before these offsets that weren't yielded yet."""
        yield from self._released(reached)
        while any(self._ends.get(name, 0) < end for name, end in reached.items()):
            batch = self.source.poll(SLICE_ROWS, _POLL_S)
            if batch is None:
                if any(self.source.lag().values()):
                    raise Retryable(f"the topic that {self.stage} reads gives nothing")
                return  # it has forgotten even what was read last
            self._ends |= {name: int(end) for name, end in batch.ends.items()}
            self._waiting.append(batch.rows)
            yield from self._released(reached)

    def _released(self, reached: Mapping[Partition, int]) -> "Iterator[pa.Table]":
        import pyarrow as pa
        import pyarrow.compute as pc

        waiting, self._waiting = self._waiting, []
        for rows in waiting:
            offsets = zip(
                rows.column(PARTITION).to_pylist(),
                rows.column(OFFSET).to_pylist(),
                strict=True,
            )
            before = [offset < reached.get(name, 0) for name, offset in offsets]
            if all(before):
                yield rows
                continue
            mask = pa.array(before)
            if any(before):
                yield rows.filter(mask)
            self._waiting.append(rows.filter(pc.invert(mask)))

    def _given(self, rows: "pa.Table") -> "pa.Table":
        """Return the records that the stage enters: those that aren't too late, by the newest since where the topic begins."""
        made = self.transform(rows, self.committer.clock.now()).rows
        timely, _, newest = self._lateness.part(made)
        self._lateness.kept(newest)
        within = Slices(self.by, self.span.since, self.span.until).within(timely)
        return within.select(self.by.table.names)

    def _write(self, transaction: Transaction, given: "pa.Table") -> None:
        transaction.write(beside(self.by.table), given, InsertNew(self.by.key))
