"""`qanat announce`: telling a run that files are finished."""

import sys
from pathlib import Path
from typing import Annotated

import click
import msgspec

from qanat.clock import SystemClock
from qanat.options import settings_command
from qanat.output import print_json, printable
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.announce_client import announce
from qanat.runtime.announce_words import Answer, Word
from qanat.runtime.registry import FileState
from qanat.settings import Duration


class AnnounceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of an announcement."""

    announce: Annotated[
        Path, msgspec.Meta(description="The socket at which the run listens: its own --announce.")
    ]
    announce_wait: Annotated[
        Duration,
        msgspec.Meta(description="How long the answer is waited for: a commit may be going on."),
    ] = Duration(60.0)


def run(settings: AnnounceSettings, file: tuple[str, ...], as_json: bool) -> int:
    """Announce one file after the other; 1 if one of them isn't going to be counted."""
    clock, wait_s = SystemClock(), float(settings.announce_wait)
    answers: list[Answer] = []
    for name in file:
        answers.append(announce(settings.announce, Path(name), clock, wait_s))
        if not as_json:
            _tell(name, answers[-1])
    if as_json:
        print_json([answer.fields() for answer in answers])
    return 0 if all(map(_good, answers)) else 1


def _good(answer: Answer) -> bool:
    return answer.state in {FileState.REGISTERED, FileState.COUNTED}


def _tell(name: str, answer: Answer) -> None:
    why = f": {answer.message}" if answer.message else ""
    if answer.answer is Word.OK:
        told = f"file {answer.file} {answer.name}: {answer.state}{why}"
    else:
        told = f"{name}: {answer.answer} ({answer.reason}){why}"
    stream = sys.stdout if _good(answer) else sys.stderr
    stream.write(f"{printable(told)}\n")


ANNOUNCE = settings_command(
    PIPELINE.name,
    AnnounceSettings,
    run,
    help="Tell a run that each FILE is finished; it is registered when the answer is there.",
    pipeline=PIPELINE.name,
    extra_params=[
        click.Argument(["file"], nargs=-1, required=True),
        click.Option(["--json", "as_json"], is_flag=True, help="Print a JSON array of answers."),
    ],
)
