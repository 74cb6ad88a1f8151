"""Asking a report of a pipeline's store: as it was made when its window was over, or computed now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Protocol

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Scalar
from qanat.pipeline import Lookup, Parameter, Pipeline, Report
from qanat.reports.stored import Stored, newest, stored_at
from qanat.reports.values import check_names, moment_of, values_of
from qanat.resources import read_text
from qanat.runtime.windows import floor, is_stored, latest_end, start_of, step_of
from qanat.tables import Column, ColumnType, Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

END = Parameter(
    "end",
    ColumnType.TIMESTAMP,
    "The end of the window, rounded down to a full one; empty for the latest that was made.",
)
"""What can be set of every report with a window, beside its own parameters."""


class Asked(Protocol):
    """What answers a statement: a session, a reader, a transaction."""

    def query(self, sql: str, parameters: Mapping[str, Scalar] | None = None) -> "pa.Table":
        """Read."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a report said.

    Attributes:
        values: Its parameters as they were used.
        rows: In the types of the report's columns.
        window_start: Of a report with a window.
        window_end: The first moment after it.
        made_at: When the rows were computed; None for a report without a window.
        revision: As which version it is stored; 0 where it was computed for this answer.
    """

    report: Report
    values: Mapping[str, Scalar]
    rows: "pa.Table"
    window_start: datetime | None = None
    window_end: datetime | None = None
    made_at: datetime | None = None
    revision: int = 0

    def age_s(self, now: datetime) -> float:
        """Return how many seconds ago it was computed."""
        return 0.0 if self.made_at is None else max(0.0, (now - self.made_at).total_seconds())


def report_named(pipeline: Pipeline, name: str) -> Report:
    """Return a report of a pipeline.

    Raises:
        ConfigError: It has none of this name.
    """
    for report in pipeline.reports:
        if report.name == name:
            return report
    known = ", ".join(report.name for report in pipeline.reports)
    raise ConfigError("REPORT", name, f"one of {known}" if known else "left out: there is none")


def parameters_of(report: Report) -> tuple[Parameter, ...]:
    """Return what a user may set of a report."""
    return (*report.parameters, END) if report.window_s else report.parameters


def ask(report: Report, asked: Asked, given: Mapping[str, str], now: datetime) -> Answer:
    """Ask a report.

    One that is made on time is answered as it is stored, for the `end` that is asked for or the newest there is, unless a
    parameter of its own is set or that window isn't stored; then it is computed.

    Args:
        report: Which one.
        asked: The store.
        given: Parameters as a user wrote them; the others have their defaults.
        now: From when spans reach back. In the parameters of a report with a window they reach back from its end.

    Raises:
        ConfigError: A parameter can't be used, or nothing was counted here yet.
        Fatal: The statement returns other columns than are declared.
    """
    if not report.window_s:
        values = values_of(report, given, now)
        return Answer(report, values, rows_of(report, asked, values))
    check_names(parameters_of(report), given)
    own = {name: text for name, text in given.items() if name != END.name}
    end = _end(report, given.get(END.name, ""), now)
    values = values_of(report, own, end or now)
    if is_stored(report):
        stored = newest(asked, report) if end is None else stored_at(asked, report, end)
        if stored is not None:
            end = stored.made.window_end.astimezone(UTC)
            values = values_of(report, own, end)
            if values == values_of(report, {}, end):
                return _as_stored(report, values, stored)
    end = end or latest_end(report, now)
    values = values_of(report, own, end)
    rows = _computed(report, asked, values, end)
    return Answer(report, values, rows, start_of(report, end), end, now)


def compute(report: Report, asked: Asked, window_end: datetime) -> "pa.Table":
    """Compute a report for a window with its default parameters (`qanat.runtime.made_reports.Compute`)."""
    return _computed(report, asked, values_of(report, {}, window_end), window_end)


def rows_of(
    question: Report | Lookup, asked: Asked, values: Mapping[str, Scalar], *, further: str = ""
) -> "pa.Table":
    """Run a report's or a look-up's statement, with `further` text behind it, and return its rows in the declared types.

    Raises:
        Fatal: It returns other columns than are declared.
    """
    rows = asked.query(statement_of(question) + further, values)
    expected = _expected(question.name, question.columns)
    if rows.schema.names != expected.names:
        raise Fatal(f"{question.name} returns {rows.schema.names}, not {expected.names}")
    return rows.cast(expected)


@cache
def _expected(name: str, columns: tuple[Column, ...]) -> "pa.Schema":
    return arrow_schema(Table(name, columns))


def statement_of(question: Report | Lookup) -> str:
    """Return the SQL of a report or a look-up, out of its file if it has one."""
    if not question.sql.endswith(".sql"):
        return question.sql
    return _text(question.sql)


@cache
def _text(reference: str) -> str:
    # To find the file takes as long as DuckDB takes for some statements.
    return read_text(reference)


def _end(report: Report, text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    end = floor(moment_of(END, text, now), step_of(report)).astimezone(UTC)
    if end > now:
        valid = f"no later than now, {now.isoformat(timespec='seconds')}"
        raise ConfigError(f"--set {END.name}", text, valid, hint=END.about)
    return end


def _as_stored(report: Report, values: Mapping[str, Scalar], stored: Stored) -> Answer:
    made = stored.made
    start, end, at = (
        moment.astimezone(UTC) for moment in (made.window_start, made.window_end, made.made_at)
    )
    return Answer(report, values, stored.rows, start, end, at, made.revision)


def _computed(
    report: Report, asked: Asked, values: Mapping[str, Scalar], end: datetime
) -> "pa.Table":
    statement = statement_of(report)
    window = {"window_start": start_of(report, end), "window_end": end}
    used = {name: moment for name, moment in window.items() if f"${name}" in statement}
    return rows_of(report, asked, {**values, **used})
