"""`qanat sql`: any question to a pipeline's tables."""

import sys

import click

from qanat.cli.naming import pipeline_argument
from qanat.clock import SystemClock
from qanat.options import settings_command
from qanat.output import form_of, print_batches
from qanat.pipeline import Pipeline
from qanat.session import open_session
from qanat.settings import CommonSettings


def sql(
    settings: CommonSettings, pipeline: Pipeline, statement: str, as_json: bool, as_csv: bool
) -> int:
    """Run a statement and print what it returns, as it comes."""
    text = sys.stdin.read() if statement == "-" else statement
    with (
        open_session(pipeline, settings, SystemClock()) as session,
        session.stream(text) as reader,
    ):
        print_batches(reader, form_of(as_json=as_json, as_csv=as_csv))
    return 0


def format_options(rows: str) -> list[click.Parameter]:
    """Make `--json` and `--csv` for a command that prints `rows`."""
    return [
        click.Option(["--json", "as_json"], is_flag=True, help=f"Print a JSON array of {rows}."),
        click.Option(["--csv", "as_csv"], is_flag=True, help="Print CSV."),
    ]


SQL = settings_command(
    "sql",
    CommonSettings,
    sql,
    help="Run STATEMENT on the tables of PIPELINE; it may only read. `-`: from standard input.",
    pipeline=None,
    extra_params=[
        pipeline_argument(),
        click.Argument(["statement"]),
        *format_options("one object per row"),
    ],
)
