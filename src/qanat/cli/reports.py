"""`qanat reports`: what a pipeline's tables tell, as a table, CSV, JSON or a drawing."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from qanat.cli.naming import pipeline_argument
from qanat.cli.sql import format_options
from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import settings_command
from qanat.output import Form, form_of, print_rows, rows_of
from qanat.pipeline import Pipeline, Report
from qanat.reports.answer import Answer, ask, report_named
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Drawing = Callable[[Mapping[str, object]], bytes]


def reports(
    settings: CommonSettings,
    pipeline: Pipeline,
    report: str | None,
    given: Sequence[str],
    as_json: bool,
    as_csv: bool,
    png: Path | None,
) -> int:
    """Print one report of a pipeline, or which ones there are."""
    form = form_of(as_json=as_json, as_csv=as_csv)
    if report is None:
        if given or png:
            raise ConfigError("REPORT", None, f"given with --set and --png: {_names(pipeline)}")
        _list(pipeline, form)
        return 0
    asked = report_named(pipeline, report)
    # Before anything is asked: what can't be drawn in the end needs no answer.
    draw = None if png is None else cast("Drawing", load("qanat.reports.png:png"))
    clock = SystemClock()
    with open_session(pipeline, settings, clock) as session:
        answer = ask(asked, session, _given(given), clock.now())
    if png is not None and draw is not None:
        from qanat.reports.chart import specification

        png.write_bytes(draw(specification(answer)))
        sys.stderr.write(f"{png} was drawn\n")
        if not (as_json or as_csv):
            return 0
    _print(answer, form)
    return 0


def _list(pipeline: Pipeline, form: Form) -> None:
    rows = [(each.name, each.title, _told(each)) for each in pipeline.reports]
    print_rows(("report", "title", "parameters"), rows, form)


def _told(report: Report) -> str:
    return " ".join(f"{each.name}={each.default}" for each in report.parameters)


def _names(pipeline: Pipeline) -> str:
    return ", ".join(report.name for report in pipeline.reports) or "there is none"


def _given(texts: Sequence[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigError("--set", text, "NAME=VALUE")
        values[name] = value
    return values


def _print(answer: Answer, form: Form) -> None:
    if form is Form.TABLE:
        sys.stdout.write(f"{answer.report.title}\n\n")
    print_rows(answer.rows.schema.names, rows_of(answer.rows.to_batches()), form)


REPORTS = settings_command(
    "reports",
    CommonSettings,
    reports,
    help="Tell what PIPELINE's tables say, by REPORT; without one, list which there are.",
    pipeline=None,
    extra_params=[
        pipeline_argument(),
        click.Argument(["report"], required=False),
        click.Option(
            ["--set", "given"],
            multiple=True,
            metavar="NAME=VALUE",
            help="A parameter of the report; may be given again for others.",
        ),
        *format_options("one object per row"),
        click.Option(
            ["--png"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Draw it into this file instead; with --json or --csv, also.",
        ),
    ],
)
