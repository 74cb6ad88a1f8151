"""`qanat died`: tells of a death that the service manager saw."""

import os
import sys

import click

from qanat.clock import SystemClock
from qanat.options import settings_command
from qanat.service.death import told_by_manager
from qanat.service.tell import DeathSettings, check, tell


def died(settings: DeathSettings, name: str, given_up: bool) -> int:
    """Tell of the end that the environment describes, if it wasn't in order."""
    check(settings)
    death = told_by_manager(name, os.environ, given_up=given_up)
    if death is None:
        return 0
    sys.stderr.write(f"{death.text}\n")
    return 0 if tell(death, settings, SystemClock().now()) else 1


DIED = settings_command(
    "died",
    DeathSettings,
    died,
    help="Tell that a run has died, and why. systemd runs it (ExecStopPost=, OnFailure=) and says what it saw in"
    " SERVICE_RESULT, EXIT_CODE and EXIT_STATUS; after an orderly end it does nothing.",
    pipeline=None,
    extra_params=[
        click.Option(["--name"], default="qanat", show_default=True, help="What to call it."),
        click.Option(["--given-up"], is_flag=True, help="It isn't started again."),
    ],
)
