"""Rolling usage up: hours become days, days become months, each amount always in exactly one of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from qanat import failpoints
from qanat.interfaces import Scalar, Transaction
from qanat.pipelines.metering import ADD_TO_USAGE, ROLLUPS, SUMS, USAGE
from qanat.pipelines.metering.periods import Granularity, end_of, start_of
from qanat.runtime.commit import Committer
from qanat.service.pulse import current
from qanat.tables import Upsert, arrow_schema
from qanat.telemetry import log

# What rows are called while they move, within one transaction: an amount that is added to the period meanwhile, by another
# instance on PostgreSQL, can't find them and begins a row of its own, which the next roll-up takes along.
MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Ages:
    """From which age on usage becomes coarser; 0 for never."""

    days_after_s: float
    months_after_s: float


def roll_up(committer: Committer, ages: Ages, now: datetime) -> int:
    """Roll up every whole period that is older than its age at `now`; return how many periods that were.

    One transaction per period: what a crash leaves undone is done by the next call.
    """
    done = 0
    for finer, coarser, age_s in (
        (Granularity.HOUR, Granularity.DAY, ages.days_after_s),
        (Granularity.DAY, Granularity.MONTH, ages.months_after_s),
    ):
        if age_s:
            before = start_of(coarser, now - timedelta(seconds=age_s))
            done += _to(committer, finer, coarser, before)
    return done


def _to(committer: Committer, finer: Granularity, coarser: Granularity, before: datetime) -> int:
    periods = list(_periods(committer, finer, coarser, before))
    for start in periods:
        committer.commit(lambda tx, start=start: _move(tx, finer, coarser, start))  # type: ignore[misc]
        failpoints.reach("rollup.after_commit")
        current().beat()
        log("rollup.done", granularity=str(coarser), period=start.isoformat())
    committer.commit(lambda tx: _remember(tx, coarser, before))
    return len(periods)


def _periods(
    committer: Committer, finer: Granularity, coarser: Granularity, before: datetime
) -> Iterator[datetime]:
    sql = (
        "select distinct date_trunc($coarser, period_start) as start from usage"
        " where granularity = $finer and period_start < $before order by start"
    )
    with committer.store.snapshot() as reader:
        rows = reader.query(sql, {"coarser": str(coarser), "finer": str(finer), "before": before})
    return iter(rows.column("start").to_pylist())


def _move(
    transaction: Transaction, finer: Granularity, coarser: Granularity, start: datetime
) -> None:
    transaction.lock("rollup")
    bounds: dict[str, Scalar] = {
        "finer": str(finer),
        "moving": MOVING,
        "start": start,
        "stop": end_of(coarser, start),
    }
    transaction.execute(
        "update usage set granularity = $moving"
        " where granularity = $finer and period_start >= $start and period_start < $stop",
        bounds,
    )
    rows = transaction.query(
        "select consumer, cast(sum(amount) as numeric(38, 0)) as amount from usage"
        " where granularity = $moving group by consumer order by consumer",
        {"moving": MOVING},
    )
    transaction.execute("delete from usage where granularity = $moving", {"moving": MOVING})
    constants: dict[str, Scalar] = {"period_start": start, "granularity": str(coarser)}
    transaction.write(USAGE, rows.cast(arrow_schema(SUMS)), ADD_TO_USAGE, constants)
    failpoints.reach("rollup.before_commit")


def _remember(transaction: Transaction, coarser: Granularity, before: datetime) -> None:
    import pyarrow as pa

    row = pa.Table.from_pylist(
        [{"granularity": str(coarser), "before": before}], schema=arrow_schema(ROLLUPS)
    )
    transaction.write(ROLLUPS, row, Upsert(ROLLUPS.key))
