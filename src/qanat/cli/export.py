"""`qanat export`: what has a run started by the system: units for systemd, a line for cron."""

import sys
from pathlib import Path

import click

from qanat.cli.export_cron import cron_line
from qanat.cli.export_systemd import FAILED, Place, units
from qanat.cli.export_words import command_line
from qanat.cli.running import PIPELINE_AND_OPTIONS, passing_on, running

DIRECTORY = "/var/lib/qanat"


def systemd(
    pipeline: str,
    run_options: tuple[str, ...],
    user: str,
    directory: Path,
    environment_file: str,
    to: Path | None,
) -> None:
    """Write or print the units."""
    if environment_file and not environment_file.startswith("/"):
        raise click.UsageError("--environment-file has to be a whole path.")
    run = running(pipeline, run_options)
    environment_file = environment_file or f"/etc/qanat/{run.name}.env"
    place = Place(user, directory.absolute(), environment_file)
    written = units(run, command_line(run), place)
    for name, text in written.items():
        if to is None:
            sys.stdout.write(f"# ---- {name}\n{text}\n")
            continue
        (to / name).write_text(text, encoding="utf-8", newline="\n")
        sys.stderr.write(f"written: {to / name}\n")
    if to is not None:
        unit = next(name for name in written if FAILED not in name)
        sys.stderr.write(f"then: systemctl daemon-reload && systemctl enable --now {unit}\n")


def cron(
    pipeline: str, run_options: tuple[str, ...], schedule: str, directory: Path, log: str
) -> None:
    """Print the line."""
    run = running(pipeline, [*run_options, "--once"])
    place = directory.absolute()
    run.settings(place, {})
    words = command_line(run, "supervise")
    sys.stdout.write(cron_line(words, schedule, place, log or f"{run.name}.log"))


EXPORT = click.Group(
    "export",
    help="Write what has a run started unattended: by systemd, or by cron.",
    no_args_is_help=True,
)
EXPORT.add_command(
    passing_on(
        click.Command(
            "systemd",
            callback=systemd,
            help="Print units for systemd that run PIPELINE with RUN_OPTIONS, those of `qanat run`: told when it is"
            " ready, watched, restarted, reloaded, fenced in. Passwords aren't written into a unit, but belong into the"
            " environment file.",
            params=[
                click.Option(
                    ["--user"], default="qanat", show_default=True, help="As whom it runs."
                ),
                click.Option(
                    ["--directory"],
                    type=click.Path(path_type=Path),
                    default=DIRECTORY,
                    show_default=True,
                    help="Where it runs: qanat.toml and relative paths of settings are looked for here.",
                ),
                click.Option(
                    ["--environment-file"],
                    default="",
                    help="The file of variables, for secrets.  [default: /etc/qanat/PIPELINE.env]",
                ),
                click.Option(
                    ["--to"],
                    type=click.Path(path_type=Path, exists=True, file_okay=False),
                    help="Write into this folder, such as /etc/systemd/system, instead of printing.",
                ),
                *PIPELINE_AND_OPTIONS,
            ],
        )
    )
)
EXPORT.add_command(
    passing_on(
        click.Command(
            "cron",
            callback=cron,
            help="Print a line for a crontab that counts what is there every so often, with RUN_OPTIONS, those of"
            " `qanat run`.",
            params=[
                click.Option(
                    ["--schedule"],
                    default="*/10 * * * *",
                    show_default=True,
                    help="The five fields of a crontab, or a word such as @hourly.",
                ),
                click.Option(
                    ["--directory"],
                    type=click.Path(path_type=Path),
                    default=".",
                    help="Where it runs.  [default: this folder]",
                ),
                click.Option(
                    ["--log"], default="", help="Where its messages go.  [default: PIPELINE.log]"
                ),
                *PIPELINE_AND_OPTIONS,
            ],
        )
    )
)
