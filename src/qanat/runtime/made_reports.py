"""Reports that were made: one row per report and end of its window, replaced as a whole."""

import hashlib
import io
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from qanat.interfaces import Transaction
from qanat.output import Form, print_rows, rows_of
from qanat.pipeline import Report
from qanat.runtime.registry import Queries
from qanat.runtime.windows import start_of
from qanat.tables import Column, ColumnType, Table, Upsert, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

MADE_REPORTS = Table(
    name="made_reports",
    columns=(
        Column("report", ColumnType.TEXT),
        Column("window_start", ColumnType.TIMESTAMP),
        Column("window_end", ColumnType.TIMESTAMP, about="the first moment after it"),
        Column("made_at", ColumnType.TIMESTAMP, about="when these rows were computed"),
        Column("revision", ColumnType.INT64, about="1 when made on time; more after late events"),
        Column("row_count", ColumnType.INT64),
        Column("rows", ColumnType.TEXT, about="a JSON array of objects, as `--json` prints them"),
        Column("digest", ColumnType.TEXT, about="of `rows`"),
    ),
    key=("report", "window_end"),
    about="one row per report and window, remade when a late event changes it",
)
"""What a pipeline with reports that are made on time has among its tables."""

Compute: TypeAlias = "Callable[[Report, Queries, datetime], pa.Table]"
"""Computes a report with its default parameters for the window that ends at the given moment, in its declared columns."""

_FIND = """
    -- one row if the report is made for that window
    select window_start, window_end, made_at, revision, row_count, digest
    from made_reports
    where report = $report and window_end = $window_end
"""


class Made(NamedTuple):
    """A report as it was made, without its rows."""

    window_start: datetime
    window_end: datetime
    made_at: datetime
    revision: int
    row_count: int
    digest: str


def find(asked: Queries, report: Report, window_end: datetime) -> Made | None:
    """Return what was made for a window; None when nothing was."""
    names: dict[str, str | datetime] = {"report": report.name, "window_end": window_end}
    found = asked.query(_FIND, {**names}).to_pylist()
    return Made(**found[0]) if found else None


def put(
    transaction: Transaction,
    report: Report,
    window_end: datetime,
    rows: "pa.Table",
    made_at: datetime,
) -> Made:
    """Write a report's rows in the place of those it had; where they are the same, everything stays as it is."""
    import pyarrow as pa

    before = find(transaction, report, window_end)
    text = json_of(rows)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    if before is not None and before.digest == digest:
        return before
    revision = 1 if before is None else before.revision + 1
    start = start_of(report, window_end)
    made = Made(start, window_end, made_at, revision, rows.num_rows, digest)
    row = {"report": report.name, "rows": text, **made._asdict()}
    table = pa.Table.from_pylist([row], schema=arrow_schema(MADE_REPORTS))
    transaction.write(MADE_REPORTS, table, Upsert(MADE_REPORTS.key))
    return made


def json_of(rows: "pa.Table") -> str:
    """Write rows as a JSON array of objects, exactly as the commands print them."""
    text = io.StringIO()
    print_rows(rows.schema.names, rows_of(rows.to_batches()), Form.JSON, text)
    return text.getvalue()
