"""A `qanat run …` that others start: its arguments checked, and what they come to."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import msgspec

from qanat.cli.catalogue import command_of
from qanat.errors import ConfigError
from qanat.options import SettingsCommand
from qanat.outside import is_file
from qanat.settings import Field, fields
from qanat.settings import load as load_settings
from qanat.wiring import pipeline_named


@dataclass(frozen=True, slots=True)
class Running:
    """A run as its command line describes it.

    Attributes:
        pipeline: As a command line names it from anywhere: its name, or its file.
        name: The pipeline's own.
        given: What the command line says, by the names of settings.
        declaration: The settings that the run has.
    """

    pipeline: str
    name: str
    title: str
    given: Mapping[str, object]
    declaration: type[msgspec.Struct]

    def settings(
        self, directory: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> msgspec.Struct:
        """Fill the settings as the run itself would do it, in that folder and environment.

        Raises:
            ConfigError: The run would refuse them.
        """
        return load_settings(
            self.declaration,
            self.given,
            pipeline=self.name,
            directory=directory,
            environment=environment,
        )

    def fields(self) -> list[Field]:
        """Return the declared settings that were given."""
        return [field for field in fields(self.declaration) if field.name in self.given]


def running(pipeline: str, arguments: Sequence[str]) -> Running:
    """Read the arguments of `qanat run PIPELINE`.

    Raises:
        ConfigError: There is no such pipeline, or it can't be run.
        click.UsageError: An argument isn't one of the run's.
    """
    declared = pipeline_named(pipeline)
    if "run" not in declared.operations:
        raise ConfigError("PIPELINE", pipeline, "one that can be run")
    command = cast("SettingsCommand", command_of(declared, "run"))
    context = command.make_context(f"qanat run {pipeline}", list(arguments))
    given = {name: value for name, value in context.params.items() if value is not None}
    named = str(Path(pipeline).absolute()) if is_file(pipeline) else pipeline
    return Running(named, declared.name, declared.title, given, command.declaration)


def program() -> list[str]:
    """Return the command `qanat` as it can be started from anywhere: by its path, or by that of its Python."""
    name = "qanat.exe" if sys.platform == "win32" else "qanat"
    script = Path(sys.executable).with_name(name)
    return [str(script)] if script.is_file() else [sys.executable, "-m", "qanat"]


def passing_on(command: click.Command) -> click.Command:
    """Have everything behind the pipeline's name be the run's, whatever it looks like."""
    command.context_settings["allow_interspersed_args"] = False
    return command


PIPELINE_AND_OPTIONS: tuple[click.Parameter, ...] = (
    click.Argument(["pipeline"]),
    click.Argument(["run_options"], nargs=-1, type=click.UNPROCESSED),
)
"""The last parameters of a command that passes on."""
