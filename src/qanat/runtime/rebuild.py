"""A derived table rebuilt beside the live one, out of the table in which each record was entered once, then exchanged.

Whatever a stage that tells records apart has ever counted lies in one table, each record once; so what its other tables should
hold can be computed anew, while the stage goes on. `Rebuild` does it slice by slice into a table beside the live one, each slice
in a short transaction of its own, takes in round by round what came meanwhile, and in the last transaction, which holds the live
stage off (see `runtime.live`), the remaining rows and the exchange. Until that one commits the live table is untouched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from qanat import failpoints
from qanat.errors import Busy, ConfigError, Retryable
from qanat.interfaces import Transaction
from qanat.pipeline import Deduplicate
from qanat.runtime.commit import Committer
from qanat.runtime.live import judges_rows
from qanat.runtime.rebuild_slices import SLICE_ROWS, Counts, Slices, changed
from qanat.runtime.registry import Queries
from qanat.runtime.stream_tables import TableWrite
from qanat.tables import Add, Append, ColumnType, InsertNew, Latest, Table
from qanat.telemetry import log

if TYPE_CHECKING:
    import pyarrow as pa

ROUNDS_MAX = 20
"""So often what came meanwhile is taken in without holding the stage off; what is left then is done while it waits."""

ATTEMPTS_MAX = 10
RETRY_S = 0.5
"""A transaction that fails for now is done again for some seconds; then the backfill ends, and has changed nothing."""

T = TypeVar("T")

_SUFFIX = "__rebuild"
_REPEATABLE = (Add, InsertNew, Latest, Append)


class Span(NamedTuple):
    """The records that are gone over: from `since` to before `until`; None for no bound."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether it has no bound."""
        return self.since is None and self.until is None


class Rebuilt(NamedTuple):
    """What a rebuild came to.

    Attributes:
        records: How many records were gone over.
        rows: How many rows the table has of them.
        rounds: How often rows that came meanwhile were taken in.
    """

    records: int
    rows: int
    rounds: int


@dataclass(slots=True)
class Rebuild:
    """Rebuilds one table, once.

    Attributes:
        committer: Of a stage named after the work, not of the live stage.
        by: In which table each record is.
        write: The table, its mode, and what makes its rows.
        owner: Names this instance; only one rebuilds a table at a time.
    """

    committer: Committer
    by: Deduplicate
    write: TableWrite
    span: Span
    owner: str
    _slices: Slices = field(init=False)
    _records: int = 0
    _rounds: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be computed out of records in another order than they came."""
        self._slices = Slices(self.by, self.span.since, self.span.until)
        mode = self.write.mode
        if not isinstance(mode, _REPEATABLE):
            raise ConfigError(
                "TABLE", self.write.table.name, "one that is added to, appended to, or keeps the latest",
                hint=f"Rows written by {type(mode).__name__} depend on the order in which records came.",
            )  # fmt: skip
        if not self.span.whole:
            time_column(self.write.table)

    @property
    def beside(self) -> Table:
        """The table that is filled beside the live one."""
        return beside(self.write.table)

    def run(self) -> Rebuilt:
        """Rebuild, exchange, and tell what came of it.

        Raises:
            Busy: Another process rebuilds this table.
            ConfigError: The span cuts through periods that the table adds up.
        """
        with alone(self.committer, self.write.table, self.owner):
            return self._rebuild()

    def _rebuild(self) -> Rebuilt:
        log("backfill.started", table=self.write.table.name)
        store = self.committer.store
        before: Queries | None = None
        done: Counts = {}
        with ExitStack() as held:
            for _ in range(ROUNDS_MAX):
                self._rounds += 1
                moment = ExitStack()
                earlier = held.pop_all()
                held.push(moment)
                held.push(earlier)
                now = moment.enter_context(store.snapshot())
                counts = self._slices.counts(now)
                added = self._take_in(changed(done, counts), before, now)
                earlier.close()
                before, done = now, counts
                if added < SLICE_ROWS:
                    break
            rows = self._finish(before, done)
        failpoints.reach("backfill.after_swap")
        log("backfill.swapped", table=self.write.table.name, records=self._records, rows=rows)
        return Rebuilt(self._records, rows, self._rounds)

    def _take_in(
        self, groups: Sequence[tuple[datetime, datetime]], before: Queries | None, now: Queries
    ) -> int:
        """Write the rows of records that are there now and weren't before, in slices; return how many records."""
        added = 0
        for rows in self._slices.new_rows(groups, before, now):
            patiently(self.committer, lambda tx, rows=rows: self._write(tx, rows))  # type: ignore[misc]
            failpoints.reach("backfill.slice_committed")
            added += rows.num_rows
        self._records += added
        log("backfill.caught_up", table=self.write.table.name, records=added)
        return added

    def _write(self, transaction: Transaction, rows: "pa.Table") -> None:
        make = self.write.make
        made = make(rows) if make is not None else rows.select(self.write.table.names)
        transaction.write(self.beside, made, self.write.mode)

    def _finish(self, before: Queries | None, done: Counts) -> int:
        """Take in what is left, and exchange, while no batch is between."""

        def body(transaction: Transaction) -> tuple[int, int]:
            judges_rows(transaction)
            left = changed(done, self._slices.counts(transaction))
            records = 0
            for rows in self._slices.new_rows(left, before, transaction):
                self._write(transaction, rows)
                records += rows.num_rows
            count = transaction.query(f"select count(*) as n from {self.beside.name}")
            self._exchange(transaction)
            failpoints.reach("backfill.before_swap")
            return records, int(count.column("n")[0].as_py())

        records, rows = patiently(self.committer, body)
        self._records += records
        return rows

    def _exchange(self, transaction: Transaction) -> None:
        if self.span.whole:
            transaction.swap(self.write.table, self.beside)
            return
        live, beside, time = self.write.table, self.beside.name, time_column(self.write.table)
        self._check_periods(transaction, time)
        where, bounds = self._slices.where(time)
        outside = f"select count(*) as n from {beside} where not ({where})"
        if transaction.query(outside, bounds).column("n")[0].as_py():
            raise self._cut()
        names = ", ".join(f'"{name}"' for name in live.names)
        transaction.execute(f"delete from {live.name} where {where}", bounds)
        transaction.execute(f"insert into {live.name} ({names}) select {names} from {beside}")
        transaction.drop(self.beside)

    def _check_periods(self, transaction: Transaction, time: str) -> None:
        """Refuse an end in the midst of a period: the records right behind it have to lie in later ones."""
        until = self.span.until
        if until is None:
            return
        rows = self._slices.behind(transaction, until)
        if not rows.num_rows:
            return
        make = self.write.make
        made = make(rows) if make is not None else rows
        if min(made.column(time).to_pylist()) < until:
            raise self._cut()

    def _cut(self) -> ConfigError:
        bounds = " to ".join("…" if one is None else one.isoformat() for one in self.span)
        return ConfigError(
            "--since and --until", bounds, f"bounds between periods of {self.write.table.name}",
            hint="Its rows add up what lies on both sides of a bound. Choose full days, or rebuild the whole table.",
        )  # fmt: skip


def beside(table: Table) -> Table:
    """Return the table that is filled beside a live one. Further indexes are made by the exchange."""
    return replace(table, name=f"{table.name}{_SUFFIX}", indexes=())


@contextmanager
def alone(committer: Committer, table: Table, owner: str) -> Iterator[None]:
    """Be the only one who rebuilds a table; what one who was killed left is removed.

    Raises:
        Busy: Another process rebuilds it.
    """
    store, name = committer.store, f"backfill:{table.name}"
    if not store.claim(name, ["0"], owner):
        raise Busy(f"another process is rebuilding {table.name}")
    try:
        committer.commit(lambda transaction: transaction.drop(beside(table)))
        store.migrate([beside(table)])
        yield
    finally:
        store.release(name, ["0"], owner)


def patiently(committer: Committer, body: Callable[[Transaction], T]) -> T:
    """Commit; where that fails for now, do it again, so often that a lost race or a full moment is over."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return committer.commit(body)
        except Retryable as error:
            if attempt == ATTEMPTS_MAX:
                raise
            committer.clock.sleep(max(error.after_s, RETRY_S))
    raise AssertionError("unreachable: the last attempt returns or raises")


def time_column(table: Table) -> str:
    """Return the column that says to which time a row belongs.

    Raises:
        ConfigError: Its key has none, or several.
    """
    found = [name for name in table.key if table.column(name).type is ColumnType.TIMESTAMP]
    if len(found) != 1:
        raise ConfigError(
            "--since and --until", table.name, "a table with one time in its key",
            hint="Its rows come from records of all times: rebuild it wholly, without bounds.",
        )  # fmt: skip
    return found[0]
