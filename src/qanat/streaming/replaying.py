"""`qanat replay NAME` for pipelines of streams: count a dead letter after all, or put it aside."""

import sys

import click

from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import settings_command
from qanat.output import print_json
from qanat.pipeline import Pipeline
from qanat.session import open_session
from qanat.streaming.operations import operations
from qanat.streaming.settings import LogSettings


def replay(
    pipeline: Pipeline,
    settings: LogSettings,
    letter: str,
    text: str | None,
    drop: bool,
    as_json: bool,
) -> int:
    """Have a letter counted, or put aside, by whoever holds the store."""
    if drop and text is not None:
        raise ConfigError("--as", text, "left out with --drop")
    clock = SystemClock()
    offered = operations(pipeline, clock)
    with open_session(pipeline, settings, clock, operations=offered) as session:
        if drop:
            answer = session.call("drop", letter=letter)
        else:
            answer = session.call("replay", letter=letter, text=text)
    if as_json:
        print_json(answer)
        return 0
    counted = "was counted" if answer.get("records") else "repeats a record that was counted"
    sys.stdout.write(f"{letter} {'was put aside' if drop else counted}\n")
    return 0


def command(pipeline: Pipeline) -> click.Command:
    """Make the command of one pipeline."""
    return settings_command(
        pipeline.name,
        LogSettings,
        lambda settings, **given: replay(pipeline, settings, **given),
        help=f"Count a dead LETTER after all (its id is in `qanat dead-letters {pipeline.name}`), once.",
        pipeline=pipeline.name,
        extra_params=[
            click.Argument(["letter"]),
            click.Option(["--as", "text"], metavar="RECORD", help="The corrected record."),
            click.Option(["--drop"], is_flag=True, help="Put it aside instead, for good."),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
        ],
    )
