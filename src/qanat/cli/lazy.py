"""Groups of commands that import a command when it is asked for, and not when they list it."""

from collections.abc import Callable, Sequence
from typing import cast

import click

from qanat.cli.catalogue import (
    COMMANDS,
    OPERATIONS,
    WITHOUT_PIPELINE,
    broken,
    command_of,
    offered,
    offering,
)
from qanat.outside import is_file
from qanat.wiring import load, pipeline_named, pipeline_names


class NobodyReads(Exception):
    """The program that read our output is gone."""


class Root(click.Group):
    """`qanat`: the general commands, and one group for each operation of the pipelines."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; NobodyReads, where click itself would end the process as failed."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise NobodyReads from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, in order."""
        return sorted({*COMMANDS, *offered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a general command, or make the group of an operation."""
        if cmd_name in COMMANDS:
            return cast("click.Command", load(COMMANDS[cmd_name].reference))
        if cmd_name in OPERATIONS or cmd_name in offered():
            return OperationGroup(cmd_name)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the catalogue."""
        looking = [(name, entry.about) for name, entry in sorted(COMMANDS.items())]
        for title, rows in (("Pipelines", list(offered().items())), ("Looking", looking)):
            with formatter.section(title):
                formatter.write_dl(rows)
        _tell_broken(formatter)


class OperationGroup(click.Group):
    """`qanat OPERATION PIPELINE …`: hands over to the command that the pipeline declares."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            operation,
            help=OPERATIONS.get(operation),
            no_args_is_help=True,
            subcommand_metavar="PIPELINE …",
            # Options before the pipeline's name are the pipeline's command's own.
            context_settings={"ignore_unknown_options": True},
        )
        self._operation = operation

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave a `--` to the command: one that comes first would end our own options, and be gone."""
        at = args.index("--") if "--" in args else 0
        if "--" in args and all(argument.startswith("-") for argument in args[:at]):
            args = [*args[:at], "--", *args[at:]]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the pipelines that offer the operation."""
        return [pipeline.name for pipeline in offering(self._operation)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that a pipeline declares for the operation."""
        if not is_file(cmd_name) and cmd_name not in pipeline_names():
            return None
        pipeline = pipeline_named(cmd_name)
        if self._operation not in pipeline.operations:
            return None
        return command_of(pipeline, self._operation)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the pipeline: the first argument, or behind options, or the only one there is."""
        name = self._named(args)
        command = None if name is None else self.get_command(ctx, name)
        if name is not None and command is not None:
            return name, command, [*args[: args.index(name)], *args[args.index(name) + 1 :]]
        there = self.list_commands(ctx)
        if name is None and self._operation in WITHOUT_PIPELINE and len(there) == 1:
            return there[0], self.get_command(ctx, there[0]), args
        known = ", ".join(there) or "none"
        given = "Options alone don't name" if args[0].startswith("-") else f"{args[0]!r} isn't"
        raise click.UsageError(
            f"{given} a pipeline with {self._operation!r}; there are: {known}.", ctx
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the pipelines by their titles."""
        pipelines = offering(self._operation)
        with formatter.section("Pipelines"):
            formatter.write_dl([(pipeline.name, pipeline.title) for pipeline in pipelines])
        if self._operation in WITHOUT_PIPELINE and len(pipelines) == 1:
            formatter.write_paragraph()
            formatter.write_text(f"The name may be left out: there is only {pipelines[0].name}.")
        _tell_broken(formatter)

    def _named(self, args: Sequence[str]) -> str | None:
        """Find the pipeline among the arguments: a name that is known, or else a file."""
        names = pipeline_names()
        found = _first(args, lambda argument: argument in names)
        if found is None and self._operation not in WITHOUT_PIPELINE:
            found = _first(args, is_file)
        return found


def _first(args: Sequence[str], fits: Callable[[str], bool]) -> str | None:
    """Find the pipeline's name: the first argument, or in `--option value name …`."""
    if not args[0].startswith("-"):
        return args[0] if fits(args[0]) else None
    args = args[: args.index("--")] if "--" in args else args
    return next((argument for argument in args if fits(argument)), None)


def _tell_broken(formatter: click.HelpFormatter) -> None:
    """Say which of the listed pipelines can't be had, and go on without them."""
    rows = [(known.name, known.problem) for known in broken()]
    if rows:
        with formatter.section("Can't be read"):
            formatter.write_dl(rows)
