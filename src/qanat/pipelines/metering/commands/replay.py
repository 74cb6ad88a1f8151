"""`qanat replay metering`: count a dead letter after all, or put it aside."""

import json
import sys

import click

from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import common_options, load_settings
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.operations import operations
from qanat.session import open_session
from qanat.settings import CommonSettings


def _replay(letter: str, text: str | None, drop: bool, as_json: bool, **given: object) -> None:
    if drop and text is not None:
        raise ConfigError("--as", text, "left out with --drop")
    settings = load_settings(CommonSettings, given, pipeline=PIPELINE.name)
    clock = SystemClock()
    with open_session(PIPELINE, settings, clock, operations=operations(clock)) as session:
        if drop:
            answer = session.call("drop", letter=letter)
        else:
            answer = session.call("replay", letter=letter, text=text)
    told = (
        f"{letter} was put aside\n"
        if drop
        else f"{letter}: {answer.get('amount')} was added to consumer {answer.get('consumer')}\n"
    )
    sys.stdout.write(f"{json.dumps(answer)}\n" if as_json else told)


REPLAY = click.Command(
    "metering",
    help="Count a dead LETTER after all (its id is in `qanat dead-letters metering`), once.",
    callback=_replay,
    params=[
        click.Argument(["letter"]),
        click.Option(
            ["--as", "text"], metavar="LINE", help="The corrected line, such as '123 456'."
        ),
        click.Option(["--drop"], is_flag=True, help="Put it aside instead, for good."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
        *common_options(CommonSettings),
    ],
)
