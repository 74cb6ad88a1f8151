"""`qanat verify`, `qanat undo` and `qanat requeue`: what can be done with a single file."""

import json
import sys
from collections.abc import Callable

import click

from qanat.clock import SystemClock
from qanat.errors import QanatError
from qanat.options import common_options, load_settings
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.operations import operations
from qanat.session import Json, open_session
from qanat.settings import CommonSettings


def _call(operation: str, file: str, given: dict[str, object]) -> dict[str, Json]:
    settings = load_settings(CommonSettings, given, pipeline=PIPELINE.name)
    clock = SystemClock()
    with open_session(PIPELINE, settings, clock, operations=operations(clock)) as session:
        return session.call(operation, name=file)


def _command(name: str, about: str) -> click.Command:
    def run(file: str, as_json: bool, **given: object) -> None:
        answer = _call(name, file, given)
        sys.stdout.write(f"{json.dumps(answer)}\n" if as_json else _TOLD[name](answer))
        if answer.get("equal") is False:
            raise Differs

    return click.Command(
        name,
        help=about,
        callback=run,
        params=[
            click.Argument(["file"]),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
            *common_options(CommonSettings),
        ],
    )


class Differs(QanatError):
    """The file isn't what was counted."""


def _verified(answer: dict[str, Json]) -> str:
    counted, summed = answer["counted"], answer["summed"]
    if answer["equal"]:
        return f"file {answer['file']} {answer['name']}: equal: {json.dumps(counted)}\n"
    return (
        f"file {answer['file']} {answer['name']}: DIFFERS\n"
        f"  counted: {json.dumps(counted)}\n  summed:  {json.dumps(summed)}\n"
    )


_TOLD: dict[str, Callable[[dict[str, Json]], str]] = {
    "verify": _verified,
    "undo": lambda answer: (
        f"file {answer['file']} {answer['name']}: taken out again"
        f" (lines: {answer['lines']}, {answer['total']} in all)\n"
    ),
    "requeue": lambda answer: (
        f"file {answer['file']} {answer['name']}: was {answer['was']}, will be counted by the next run\n"
    ),
}

VERIFY = _command("verify", "Sum a counted FILE again and compare it with what was counted.")
UNDO = _command(
    "undo", "Take a counted FILE out of totals and usage again, as if it had never been counted."
)
REQUEUE = _command("requeue", "Have a held, failed or undone FILE counted after all.")
