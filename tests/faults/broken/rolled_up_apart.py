"""Usage is taken away in one transaction, and added to the coarser period in the next."""

from datetime import datetime

import pyarrow as pa

from qanat import failpoints
from qanat.interfaces import Scalar, Transaction
from qanat.pipelines.metering import ADD_TO_USAGE, SUMS, USAGE, rollup
from qanat.pipelines.metering.periods import Granularity, end_of
from qanat.runtime.commit import Committer
from qanat.tables import arrow_schema
from tests.faults.broken.breaking import replaced


def to(committer: Committer, finer: Granularity, coarser: Granularity, before: datetime) -> int:
    """Roll up in two transactions for each period."""
    periods = list(rollup._periods(committer, finer, coarser, before))
    for start in periods:
        bounds: dict[str, Scalar] = {
            "finer": str(finer),
            "start": start,
            "stop": end_of(coarser, start),
        }
        place: dict[str, Scalar] = {"period_start": start, "granularity": str(coarser)}
        taken = committer.commit(lambda tx, bounds=bounds: _take(tx, bounds))  # type: ignore[misc]
        committer.commit(lambda tx, taken=taken, place=place: _add(tx, taken, place))  # type: ignore[misc]
    return len(periods)


def _take(transaction: Transaction, bounds: dict[str, Scalar]) -> pa.Table:
    condition = "granularity = $finer and period_start >= $start and period_start < $stop"
    rows = transaction.query(
        "select consumer, cast(sum(amount) as numeric(38, 0)) as amount from usage"
        f" where {condition} group by consumer",
        bounds,
    )
    transaction.execute(f"delete from usage where {condition}", bounds)
    return rows.cast(arrow_schema(SUMS))


def _add(transaction: Transaction, rows: pa.Table, place: dict[str, Scalar]) -> None:
    transaction.write(USAGE, rows, ADD_TO_USAGE, place)
    failpoints.reach("rollup.before_commit")


def break_it() -> None:
    """Break this process."""
    replaced(rollup, "_to", to)
