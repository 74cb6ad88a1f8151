"""What can be wrong with declared reports and look-ups."""

import re
from collections.abc import Iterator

from qanat.errors import ConfigError
from qanat.outside import is_name
from qanat.pipeline import Chart, Lookup, Pipeline, Report
from qanat.reports.answer import statement_of
from qanat.reports.lookup import PAGE_END

WINDOW = frozenset({"window_start", "window_end"})
"""The parameters that a report with a window has besides its own."""

PAGE = frozenset({PAGE_END})
"""The one that a look-up has besides its own."""

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


def question_problems(pipeline: Pipeline) -> Iterator[ConfigError]:
    """Tell what is wrong with reports and look-ups."""
    seen: set[str] = set()
    questions: list[Report | Lookup] = [*pipeline.reports, *pipeline.lookups]
    for question in questions:
        kind = "report" if isinstance(question, Report) else "look-up"
        told = f"{pipeline.name}: the {kind} {question.name}"
        if not is_name(question.name):
            yield ConfigError(
                f"{pipeline.name}: a {kind}'s name", question.name, "small letters, digits, - and _"
            )
        if question.name in seen:
            yield ConfigError(f"{pipeline.name}: a {kind}'s name", question.name, "there only once")
        seen.add(question.name)
        yield from _statement_problems(question, told)
        if isinstance(question, Report):
            yield from _report_problems(question, told)


def _statement_problems(question: Report | Lookup, told: str) -> Iterator[ConfigError]:
    if not question.columns:
        yield ConfigError(f"{told}: columns", question.columns, "at least one Column")
    try:
        statement = _COMMENT.sub("", statement_of(question))
    except (FileNotFoundError, ModuleNotFoundError) as error:
        valid = "the text of a statement, or `package:file.sql` of a file that is there"
        yield ConfigError(f"{told}: sql", question.sql, valid, hint=str(error))
        return
    own = {parameter.name for parameter in question.parameters}
    known_names = own | _given(question)
    for name in _PARAMETER.findall(statement):
        if name not in known_names:
            known = ", ".join(sorted(known_names)) or "declared; there is none"
            yield ConfigError(f"{told}: a parameter of its SQL", f"${name}", f"one of {known}")
    if isinstance(question, Lookup) and _ORDER.search(statement) is None:
        yield ConfigError(
            f"{told}: sql", question.sql, "a statement that ends with an `order by` without ties",
            hint="It is read page by page.",
        )  # fmt: skip


def _given(question: Report | Lookup) -> frozenset[str]:
    """Return the parameters that whoever asks doesn't set."""
    if isinstance(question, Lookup):
        return PAGE
    return WINDOW if question.window_s else frozenset()


def _report_problems(report: Report, told: str) -> Iterator[ConfigError]:
    if report.every_s and not report.window_s:
        yield ConfigError(f"{told}: every_s", report.every_s, "0 where there is no window_s")
    names = [column.name for column in report.columns]
    for chart in report.charts:
        for name in _columns_of(chart):
            if name not in names:
                yield ConfigError(f"{told}: a chart's column", name, f"one of {', '.join(names)}")


def _columns_of(chart: Chart) -> tuple[str, ...]:
    others = (chart.label, chart.start, chart.end, chart.colour, chart.whole)
    return (*chart.values, *filter(None, others))
