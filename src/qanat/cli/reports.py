"""`qanat reports`: what a pipeline's tables tell, as a table, CSV, JSON or a drawing."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, cast

import click

from qanat.cli.naming import pipeline_argument
from qanat.cli.sql import format_options
from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import settings_command
from qanat.output import Form, form_of, moment_text, print_rows, rows_of
from qanat.pipeline import Lookup, Parameter, Pipeline, Report
from qanat.reports.answer import END, Answer, ask, parameters_of
from qanat.reports.lookup import OFFSET_MAX, ROWS, ROWS_MAX, look_up
from qanat.session import open_session
from qanat.settings import CommonSettings
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    Drawing = Callable[[Mapping[str, object]], bytes]


class Options(TypedDict):
    """The command's own options, as they were given."""

    given: Sequence[str]
    end: str | None
    limit: int | None
    offset: int | None
    as_json: bool
    as_csv: bool
    png: Path | None


def reports(
    settings: CommonSettings, pipeline: Pipeline, report: str | None, **options: Unpack[Options]
) -> int:
    """Print one report or look-up of a pipeline, or which ones there are."""
    if report is None:
        if options["given"] or options["end"] or options["png"]:
            raise ConfigError("REPORT", None, f"given with --set and --png: {_names(pipeline)}")
        _list(pipeline, form_of(as_json=options["as_json"], as_csv=options["as_csv"]))
        return 0
    question = _question(pipeline, report)
    if isinstance(question, Lookup):
        _print_page(pipeline, settings, question, options)
    else:
        _print_report(pipeline, settings, question, options)
    return 0


def _print_report(
    pipeline: Pipeline, settings: CommonSettings, report: Report, options: Options
) -> None:
    if options["limit"] is not None or options["offset"] is not None:
        raise ConfigError(
            "--limit", options["limit"], f"left out: {report.name} is a report, not a look-up"
        )
    png, form = options["png"], form_of(as_json=options["as_json"], as_csv=options["as_csv"])
    # Before anything is asked: what can't be drawn in the end needs no answer.
    draw = None if png is None else cast("Drawing", load("qanat.reports.png:png"))
    values = _given(options)
    clock = SystemClock()
    with open_session(pipeline, settings, clock) as session:
        answer = ask(report, session, values, clock.now())
    if png is not None and draw is not None:
        from qanat.reports.chart import specification

        png.write_bytes(draw(specification(answer)))
        sys.stderr.write(f"{png} was drawn\n")
        if form is Form.TABLE:
            return
    if form is Form.TABLE:
        sys.stdout.write(f"{report.title}\n{_window(answer)}\n")
    _print_rows(answer.rows, form)


def _print_page(
    pipeline: Pipeline, settings: CommonSettings, lookup: Lookup, options: Options
) -> None:
    if options["png"] is not None:
        raise ConfigError("--png", str(options["png"]), f"left out: {lookup.name} is a look-up")
    form = form_of(as_json=options["as_json"], as_csv=options["as_csv"])
    limit = ROWS if options["limit"] is None else options["limit"]
    offset = options["offset"] or 0
    values = _given(options)
    clock = SystemClock()
    with open_session(pipeline, settings, clock) as session:
        page = look_up(lookup, session, values, clock.now(), limit=limit, offset=offset)
    if form is Form.TABLE:
        sys.stdout.write(f"{lookup.title}\n\n")
    _print_rows(page.rows, form)
    if page.more:
        sys.stderr.write(f"There are more: --offset {offset + limit}\n")


def _question(pipeline: Pipeline, name: str) -> Report | Lookup:
    questions: list[Report | Lookup] = [*pipeline.reports, *pipeline.lookups]
    for question in questions:
        if question.name == name:
            return question
    names = _names(pipeline)
    raise ConfigError("REPORT", name, f"one of {names}" if names else "left out: there is none")


def _list(pipeline: Pipeline, form: Form) -> None:
    rows = [
        *((each.name, each.title, _told(parameters_of(each))) for each in pipeline.reports),
        *((each.name, each.title, _told(each.parameters)) for each in pipeline.lookups),
    ]
    print_rows(("report", "title", "parameters"), rows, form)


def _told(parameters: Sequence[Parameter]) -> str:
    return " ".join(f"{each.name}={each.default}" for each in parameters)


def _names(pipeline: Pipeline) -> str:
    names = [each.name for each in pipeline.reports] + [each.name for each in pipeline.lookups]
    return ", ".join(names)


def _given(options: Options) -> dict[str, str]:
    values = {}
    for text in options["given"]:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigError("--set", text, "NAME=VALUE")
        values[name] = value
    if options["end"] is not None:
        values[END.name] = options["end"]
    return values


def _window(answer: Answer) -> str:
    if answer.window_start is None or answer.window_end is None or answer.made_at is None:
        return ""
    start, end, made = map(moment_text, (answer.window_start, answer.window_end, answer.made_at))
    made = f"made at {made}" if answer.revision else "computed now"
    return f"from {start} to before {end}, {made}\n"


def _print_rows(rows: "pa.Table", form: Form) -> None:
    print_rows(rows.schema.names, rows_of(rows.to_batches()), form)


REPORTS = settings_command(
    "reports",
    CommonSettings,
    reports,
    help="Tell what PIPELINE's tables say, by REPORT (or the name of a look-up); without one, list which there are.",
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
        click.Option(
            ["--end"],
            metavar="MOMENT",
            help="The end of a report's window, instead of the latest: a time, or a span such as 2h ago.",
        ),
        click.Option(
            ["--limit"],
            type=int,
            help=f"Rows of a look-up at most ({ROWS}; up to {ROWS_MAX}).",
        ),
        click.Option(
            ["--offset"],
            type=int,
            help=f"Rows of a look-up to leave out before (0; up to {OFFSET_MAX}).",
        ),
        *format_options("one object per row"),
        click.Option(
            ["--png"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Draw it into this file instead; with --json or --csv, also.",
        ),
    ],
)
