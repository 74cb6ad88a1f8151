"""A line for a crontab."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

_FIELD = r"[0-9A-Za-z*,/-]+"
_SCHEDULE = re.compile(
    rf"(?:{_FIELD} +){{4}}{_FIELD}|@(?:reboot|hourly|daily|midnight|weekly|monthly|yearly|annually)"
)


def cron_line(words: Sequence[str], schedule: str, directory: Path, log: str) -> str:
    """Return the line that runs `words` with `--once` in `directory`, and appends what it says to `log`."""
    if not _SCHEDULE.fullmatch(schedule):
        raise click.UsageError(
            f"--schedule {schedule!r} isn't five fields such as '*/10 * * * *', nor a word such as @hourly."
        )
    command = f"cd {shlex.quote(str(directory))} && {shlex.join(words)} >>{shlex.quote(log)} 2>&1"
    if "\n" in command:
        raise click.UsageError("A line of a crontab can't hold a name with a line break.")
    # A percent sign would end the command (crontab(5)).
    return f"{schedule} {command.replace('%', chr(92) + '%')}\n"
