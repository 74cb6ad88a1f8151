"""Which records come too late to be told from repeats.

A record is too late when it was received longer after it came about than the horizon, *and* lies further than the horizon behind
the newest that its stage has seen. The first alone would refuse a recording that is played today; the second alone would let one
record with a wrong time, far ahead, make all others late. A record from more than a day ahead of its receipt isn't counted as
the newest.

What is seen depends on the order of the records alone, not on how they come in batches. The table in which each record is
entered once tells the newest when a stage begins, so that nothing has to be kept besides.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from qanat.pipeline import Deduplicate
from qanat.runtime.registry import Queries

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

TOO_LATE = "too_late"

# Clocks differ by seconds; whatever is further ahead has a wrong time. `load` has the same bound in its SQL.
AHEAD_MAX = timedelta(days=1)


class Parted(NamedTuple):
    """A batch, parted; and when the newest record that the stage has seen came about, None for none."""

    rows: "pa.Table"
    late: "pa.Table"
    newest: "datetime | None"


@dataclass(slots=True)
class Lateness:
    """Judges the records of one stage, in order."""

    by: Deduplicate
    _newest: "datetime | None" = None
    _loaded: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether the newest record is known."""
        return self._loaded

    def load(self, asked: Queries) -> None:
        """Look for the newest record that was entered."""
        by = self.by
        found = asked.query(
            f"select {by.happened} as newest from {by.table.name}"
            f" where {by.happened} <= {by.received} + interval '1 day'"
            f" order by {by.happened} desc limit 1"
        )
        self._newest = found.column("newest")[0].as_py() if found.num_rows else None
        self._loaded = True

    def forget(self) -> None:
        """Look for the newest anew before the next batch."""
        self._loaded = False

    def part(self, rows: "pa.Table") -> Parted:
        """Part a batch's rows; `kept` goes on from what this one made the newest, once it is committed."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not rows.num_rows:
            return Parted(rows, rows, self._newest)
        happened, received = rows.column(self.by.happened), rows.column(self.by.received)
        credible = pc.less_equal(happened, pc.add(received, pa.scalar(AHEAD_MAX)))
        seen = pc.max(happened.filter(credible)).as_py()
        newest = max(filter(None, (self._newest, seen)), default=None)
        age = pc.subtract(received, happened)
        horizon = timedelta(seconds=self.by.horizon_s)
        old = pc.greater(age, pa.scalar(horizon))
        if newest is None or not pc.any(old).as_py():
            return Parted(rows, rows.slice(0, 0), newest)
        behind = self._behind(happened, credible, horizon)
        late = pc.and_(old, behind)
        return Parted(rows.filter(pc.invert(late)), rows.filter(late), newest)

    def kept(self, newest: "datetime | None") -> None:
        """Go on from here: the transaction is committed."""
        self._newest = newest

    def _behind(
        self, happened: "pa.ChunkedArray", credible: "pa.ChunkedArray", horizon: timedelta
    ) -> "pa.Array":
        """Tell which records lie further than the horizon behind the newest at or before them."""
        import numpy as np
        import pyarrow as pa

        moments = happened.cast(pa.int64()).to_numpy()
        first = np.iinfo(np.int64).min
        if self._newest is not None:
            first = int(pa.scalar(self._newest, pa.timestamp("us", tz="UTC")).value)
        counted = np.where(credible.to_numpy(), moments, np.iinfo(np.int64).min)
        newest = np.maximum(np.maximum.accumulate(counted), first)
        # Compared without a difference, which could leave 64 bits.
        return pa.array(moments < newest - int(horizon.total_seconds() * 1e6))
