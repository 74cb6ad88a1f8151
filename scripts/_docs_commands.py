"""Settings and commands, as the command line itself declares them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import click
import msgspec

from qanat.cli.catalogue import COMMANDS
from qanat.cli.lazy import Root
from qanat.options import common_options
from qanat.pipelines.metering.commands.announce import AnnounceSettings
from qanat.pipelines.metering.commands.demo import DemoSettings
from qanat.pipelines.metering.commands.generate import GenerateSettings
from qanat.pipelines.metering.settings import RunSettings
from qanat.prove.command import ProveSettings
from qanat.prove.streams.command import ProveStreamSettings
from qanat.serve.command import ServeSettings
from qanat.service.supervisor import SuperviseSettings
from qanat.service.tell import DeathSettings
from qanat.settings import CommonSettings, Field, fields
from qanat.streaming.demo import StreamDemoSettings
from qanat.streaming.settings import LogSettings, StreamSettings

# As wide as a page of code is anywhere; the same on every machine.
HELP_WIDTH = 96

DECLARATIONS: Mapping[str, type[msgspec.Struct]] = {
    "common": CommonSettings,
    "run": RunSettings,
    "announce": AnnounceSettings,
    "generate": GenerateSettings,
    "demo": DemoSettings,
    "log": LogSettings,
    "run-streams": StreamSettings,
    "demo-streams": StreamDemoSettings,
    "serve": ServeSettings,
    "prove": ProveSettings,
    "prove-streams": ProveStreamSettings,
    "died": DeathSettings,
    "supervise": SuperviseSettings,
}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """Text that can stand in a table: a bar outside of it ends a column."""
    return text.replace("|", "\\|").replace("\n", " ")


def settings(declaration: type[msgspec.Struct]) -> str:
    """A line for each setting that the declaration adds to the common ones, or that has another default there."""
    common = {(field.name, field.default) for field in fields(CommonSettings)}
    options = {option.name: cast("click.Option", option) for option in common_options(declaration)}
    rows = [
        (
            f"`{field.name}`",
            " ".join(
                f"`{name}`"
                for name in (*options[field.name].opts, *options[field.name].secondary_opts)
            ),
            f"`{field.variable}`",
            _default(field, options[field.name]),
            _meaning(field),
        )
        for field in fields(declaration)
        if declaration is CommonSettings or (field.name, field.default) not in common
    ]
    return table(("setting", "option", "variable", "default", "meaning"), rows)


def helps() -> str:
    """Every command with its help, as the command prints it."""
    return "\n\n".join(
        f"## `{path}`\n\n```text\n{help_of(path, command)}\n```"
        for path, command in every_command()
    )


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name."""
    root = Root("qanat")
    context = click.Context(root, info_name="qanat")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if name in COMMANDS and not isinstance(command, click.Group):
            yield f"qanat {name}", cast("click.Command", command)
            continue
        group = cast("click.Group", command)
        within = click.Context(group, info_name=name, parent=context)
        for pipeline in group.list_commands(within):
            yield (
                f"qanat {name} {pipeline}",
                cast("click.Command", group.get_command(within, pipeline)),
            )


def help_of(path: str, command: click.Command) -> str:
    """The help of a command at a fixed width."""
    context = click.Context(
        command, info_name=path, terminal_width=HELP_WIDTH, max_content_width=HELP_WIDTH
    )
    return command.get_help(context)


def _default(field: Field, option: click.Option) -> str:
    """The default as the help shows it."""
    notes = (option.help or "").rpartition("  [")[2].rstrip("]").split("; ")
    told = next((note for note in notes if note.startswith("default: ")), "")
    if field.required:
        return "required"
    if field.type is bool:
        return "on" if field.default else "off"
    return f"`{told.removeprefix('default: ')}`" if told else "none"


def _meaning(field: Field) -> str:
    if not field.choices:
        return field.about
    return f"{field.about} One of {', '.join(f'`{word}`' for word in field.choices)}."


PARTS: Mapping[str, Callable[[], str]] = {
    **{f"settings-{name}": partial(settings, kind) for name, kind in DECLARATIONS.items()},
    "commands": helps,
}
