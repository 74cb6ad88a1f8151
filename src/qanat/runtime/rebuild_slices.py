"""Going over the records of a table in which each was entered once: in slices, and which of them came since a moment before.

The table isn't numbered, and late records lie anywhere in it. But rows are only ever added: where a short span of time holds as
many rows as before, it holds the same. So a moment is told from an earlier one by counting, and only spans with more rows are
read, without the rows that the earlier moment has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qanat.pipeline import Deduplicate
from qanat.runtime.registry import Queries

if TYPE_CHECKING:
    import pyarrow as pa

    from qanat.interfaces import Scalar

SLICE_ROWS = 50_000
"""Records in one transaction: on DuckDB the live stage waits for some 100 ms."""

BUCKET_S = 300
"""The spans in which records are counted: at a stream's usual pace some hundred each, and 105,000 of them a year."""

Counts = Mapping[int, int]
"""Rows by bucket: how many `BUCKET_S` since 1970."""

Group = tuple[datetime, datetime]


def changed(before: Counts, now: Counts) -> Sequence[Group]:
    """Return where there are more rows than before: spans without others in between, of about a slice each."""
    groups: list[Group] = []
    first, last, size = 0, 0, 0
    for bucket in sorted(now):
        more = now[bucket] - before.get(bucket, 0)
        if size and (not more or size + now[bucket] > SLICE_ROWS):
            groups.append((_moment(first), _moment(last + 1)))
            size = 0
        if more:
            first, last, size = (first if size else bucket), bucket, size + now[bucket]
    return [*groups, (_moment(first), _moment(last + 1))] if size else groups


@dataclass(frozen=True, slots=True)
class Slices:
    """The records of a table within bounds.

    Attributes:
        by: The table and its columns.
        since: From here on; None for the beginning.
        until: Before this moment; None for no end.
    """

    by: Deduplicate
    since: datetime | None
    until: datetime | None

    def counts(self, moment: Queries) -> Counts:
        """Count the rows by bucket."""
        where, bounds = self.where(self.by.happened)
        bucket = f"cast(floor(extract(epoch from {self.by.happened}) / {BUCKET_S}) as bigint)"
        rows = moment.query(
            f"-- one row per bucket\nselect {bucket} as bucket, count(*) as n"
            f" from {self.by.table.name} where {where} group by 1",
            bounds,
        )
        buckets, numbers = (rows.column(name).to_pylist() for name in ("bucket", "n"))
        return dict(zip(buckets, numbers, strict=True))

    def new_rows(
        self, groups: Sequence[Group], before: Queries | None, now: Queries
    ) -> "Iterator[pa.Table]":
        """Yield the rows in these spans that weren't there at the moment before, by key, in slices."""
        for group in groups:
            rows = self._rows(now, group, self.by.table.names)
            if before is not None:
                known = self._rows(before, group, self.by.key)
                rows = _without(rows, known, self.by.key)
            for start in range(0, rows.num_rows, SLICE_ROWS):
                yield rows.slice(start, SLICE_ROWS)

    def behind(self, moment: Queries, until: datetime) -> "pa.Table":
        """Return the records right behind a moment: enough to see in which periods they lie."""
        names = ", ".join(self.by.table.names)
        return moment.query(
            f"-- one row per record\nselect {names} from {self.by.table.name}"
            f" where {self.by.happened} >= $until order by {self.by.happened} limit 100",
            {"until": until},
        )

    def where(self, column: str) -> "tuple[str, dict[str, Scalar]]":
        """Return the condition that a column of times lies within the bounds, and its parameters."""
        bounds: dict[str, Scalar] = {}
        tests = []
        if self.since is not None:
            tests.append(f"{column} >= $since")
            bounds["since"] = self.since
        if self.until is not None:
            tests.append(f"{column} < $until")
            bounds["until"] = self.until
        return " and ".join(tests) or "true", bounds

    def within(self, rows: "pa.Table") -> "pa.Table":
        """Return those of some rows that lie within the bounds."""
        import pyarrow.compute as pc

        happened = rows.column(self.by.happened)
        if self.since is not None:
            rows = rows.filter(pc.greater_equal(happened, self.since))
            happened = rows.column(self.by.happened)
        return rows if self.until is None else rows.filter(pc.less(happened, self.until))

    def _rows(self, moment: Queries, group: Group, names: Sequence[str]) -> "pa.Table":
        where, bounds = self.where(self.by.happened)
        return moment.query(
            f"-- one row per record\nselect {', '.join(names)} from {self.by.table.name}"
            f" where {where} and {self.by.happened} >= $start and {self.by.happened} < $end"
            f" order by {', '.join(self.by.key)}",
            {**bounds, "start": group[0], "end": group[1]},
        )


def _without(rows: "pa.Table", known: "pa.Table", key: Sequence[str]) -> "pa.Table":
    """Return the rows whose keys aren't among the known ones, in their order."""
    if not known.num_rows:
        return rows
    names = list(key)
    left = rows.join(known.select(names), keys=names, join_type="left anti")
    return left.sort_by([(name, "ascending") for name in names])


def _moment(bucket: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=bucket * BUCKET_S)
