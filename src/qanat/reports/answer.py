"""Asking a report of a pipeline's store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Scalar
from qanat.pipeline import Lookup, Pipeline, Report
from qanat.reports.values import values_of
from qanat.tables import Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa


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
    """

    report: Report
    values: Mapping[str, Scalar]
    rows: "pa.Table"


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


def ask(report: Report, asked: Asked, given: Mapping[str, str], now: datetime) -> Answer:
    """Ask a report.

    Args:
        report: Which one.
        asked: The store.
        given: Parameters as a user wrote them; the others have their defaults.
        now: From when spans reach back.

    Raises:
        ConfigError: A parameter can't be used, or nothing was counted here yet.
        Fatal: The statement returns other columns than are declared.
    """
    values = values_of(report, given, now)
    rows = asked.query(statement_of(report), values)
    expected = arrow_schema(Table(report.name, report.columns))
    if rows.schema.names != expected.names:
        raise Fatal(f"the report {report.name} returns {rows.schema.names}, not {expected.names}")
    return Answer(report, values, rows.cast(expected))


def statement_of(report: Report | Lookup) -> str:
    """Return the SQL of a report or a look-up, out of its file if it has one."""
    if not report.sql.endswith(".sql"):
        return report.sql
    package, _, name = report.sql.partition(":")
    return files(package).joinpath(name).read_text(encoding="utf-8")
