"""Command-line options out of a settings declaration, so that a setting is declared once.

```python
class RunSettings(CommonSettings, frozen=True, kw_only=True):
    input: Annotated[Path, msgspec.Meta(description="The folder to read.")]

RUN = settings_command("mine", RunSettings, run, help="Count my files.", pipeline="mine")
```
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import click
import msgspec

from qanat.settings import Duration, Field, LogFormat, LogLevel, Place, Size, fields, load
from qanat.telemetry import log_to

S = TypeVar("S", bound=msgspec.Struct)

_METAVARS: dict[object, str] = {
    Path: "PATH",
    Place: "PATH|URL",
    Size: "SIZE",
    Duration: "DURATION",
    int: "INTEGER",
    float: "NUMBER",
}
# A default is written in the largest unit that leaves a whole number.
_SIZES = ((2**30, "GiB"), (2**20, "MiB"), (10**9, "GB"), (10**6, "MB"), (2**10, "KiB"), (1, ""))
_DURATIONS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"), (0.001, "ms"))


@runtime_checkable
class Logging(Protocol):
    """Settings that say how to log, the common ones among them."""

    @property
    def log_format(self) -> LogFormat:
        """The form of log lines."""
        ...

    @property
    def log_level(self) -> LogLevel:
        """How much is logged."""
        ...


@runtime_checkable
class Named(Protocol):
    """A pipeline, of which only the name matters here."""

    @property
    def name(self) -> str:
        """That of its table in `qanat.toml`."""
        ...


class SettingsCommand(click.Command):
    """A command whose options are settings; others can ask it which."""

    declaration: type[msgspec.Struct]


def settings_command(
    name: str,
    declaration: type[S],
    run: Callable[..., int],
    *,
    help: str,  # noqa: A002 - click's own word
    pipeline: str | None,
    extra_params: Sequence[click.Parameter] = (),
) -> SettingsCommand:
    """Make a command whose options are the settings of `declaration`.

    Args:
        name: What the command is called.
        declaration: The settings (see `qanat.settings`).
        run: Called with the filled settings, and the values of `extra_params` by name; returns the
            exit code.
        help: The first sentence is shown in lists of commands.
        pipeline: The table of `qanat.toml` that applies. None: that of the extra parameter `pipeline`, a name
            or a pipeline, if there is one.
        extra_params: Arguments and options beside the settings; they come first in the help.
    """
    extra = {param.name for param in extra_params}
    clashing = extra & {field.name for field in fields(declaration)}
    if clashing:
        both = sorted(map(str, clashing))
        raise ValueError(f"{name}: both settings and extra parameters: {both}")

    def callback(**values: object) -> None:
        beside = {key: value for key, value in values.items() if key in extra}
        given = {key: value for key, value in values.items() if key not in extra}
        table = pipeline or beside.get("pipeline")
        if isinstance(table, Named):
            table = table.name
        settings = load_settings(declaration, given, pipeline=None if table is None else str(table))
        code = run(settings, **beside)
        if code:
            click.get_current_context().exit(code)

    command = SettingsCommand(
        name, callback=callback, help=help, params=[*extra_params, *common_options(declaration)]
    )
    command.declaration = declaration
    return command


def common_options(declaration: type[msgspec.Struct]) -> list[click.Parameter]:
    """Make the options of a declaration, for a command that is put together by hand.

    None of them has a default: `load_settings` has to see what was really given.
    """
    return [_option(field) for field in fields(declaration)]


def load_settings(declaration: type[S], given: Mapping[str, object], *, pipeline: str | None) -> S:
    """Fill a declaration from what the command line gave, the environment, `qanat.toml` and
    defaults; begin to log as they say.

    Raises:
        ConfigError: A value can't be used.
    """
    settings = load(declaration, given, pipeline=pipeline)
    if isinstance(settings, Logging):
        log_as(settings)
    return settings


def settings_reader(declaration: type[S], *, pipeline: str | None) -> Callable[[], S]:
    """Return what fills a declaration again, later, with what the command of this context was given.

    The command line and the environment stay as they were; `qanat.toml` may have changed.
    """
    context = click.get_current_context(silent=True)
    names = {field.name for field in fields(declaration)}
    params = {} if context is None else context.params
    given = {name: value for name, value in params.items() if name in names}
    directory = Path.cwd()
    return lambda: load(declaration, given, pipeline=pipeline, directory=directory)


def log_as(settings: Logging) -> None:
    """Log as the settings say from now on."""
    log_to(as_json=settings.log_format is LogFormat.JSON, level=str(settings.log_level))


def _option(field: Field) -> click.Option:
    if field.type is bool:
        negated = f"--no-{field.option.removeprefix('--')}"
        return click.Option(
            [f"{field.option}/{negated}", field.name], default=None, help=_help(field)
        )
    kind = click.Choice(field.choices) if field.choices else click.STRING
    metavar = None if field.choices else _METAVARS.get(field.type, "TEXT")
    return click.Option(
        [field.option, field.name], type=kind, metavar=metavar, default=None, help=_help(field)
    )


def _help(field: Field) -> str:
    default = "required" if field.required else _default(field)
    notes = "; ".join(filter(None, [default, field.variable]))
    return f"{field.about}  [{notes}]"


def _default(field: Field) -> str:
    value = field.default
    if value is None or value == "" or field.type is bool:
        return ""
    if isinstance(value, int | float) and field.type in (Size, Duration):
        return f"default: {_with_unit(value, _SIZES if field.type is Size else _DURATIONS)}"
    return f"default: {value}"


def _with_unit(value: float, units: Sequence[tuple[float, str]]) -> str:
    fitting = (f"{value / factor:g}{unit}" for factor, unit in units if value % factor == 0)
    return next(fitting, f"{value:g}") if value else "0"
