"""Settings: declared once as a struct, filled from options, environment, `qanat.toml` and defaults, in that order.

A settings struct is a frozen `msgspec.Struct` whose fields are `Annotated[type, msgspec.Meta(description=…)]`. From that one
declaration come the command's options, its help, the documentation and the validation.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumType, StrEnum
from pathlib import Path
from typing import Annotated, NewType, TypeVar, cast

import msgspec

from qanat.errors import ConfigError

FILE = "qanat.toml"
PREFIX = "QANAT_"

Size = NewType("Size", int)
"""Bytes; written as a number or with a unit: `64MB`, `1GiB`."""

Duration = NewType("Duration", float)
"""Seconds; written as a number or with a unit: `90s`, `12h`, `7d`."""

Place = NewType("Place", str)
"""A path, or an address with a scheme: `incoming`, `sftp://host/incoming`."""

WHOLE = "whole_table"
"""A class attribute of a declaration: true when it has every setting that the pipeline's table in the file may have.

Others are filled from what they know of the table; a misspelt name is found by the command that knows all.
"""

_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_TIME_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Field:
    """One setting, as help and documentation need it.

    Attributes:
        name: With underscores; the option is `--name-with-dashes`, the variable `QANAT_NAME`.
        type: The Python type (bool, int, float, str, Path, Place, Size, Duration or a StrEnum).
        default: None when there is none and the setting is required or optional.
        choices: The valid words, for an enumeration.
    """

    name: str
    type: object
    default: object
    required: bool
    about: str
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The command-line option's name."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.name.upper()


def fields(declaration: type[msgspec.Struct]) -> list[Field]:
    """List the settings of a declaration, in order."""
    found = []
    hints = msgspec.structs.fields(declaration)
    for item in hints:
        kind, about = _unwrap(item.type)
        choices = (
            tuple(kind.__members__[name].value for name in kind.__members__)
            if isinstance(kind, EnumType)
            else ()
        )
        required = item.required
        default = None if required else item.default
        found.append(Field(item.name, kind, default, required, about, choices))
    return found


def is_path(field: Field, value: object) -> bool:
    """Tell whether a setting's value names a file or folder of this machine."""
    return field.type is Path or (field.type is Place and "://" not in str(value))


def load(
    declaration: type[S],
    given: Mapping[str, object],
    *,
    pipeline: str | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> S:
    """Fill a settings struct.

    Args:
        declaration: The struct.
        given: What the command line says; None means that it says nothing.
        pipeline: The table `[NAME]` of the file that applies; top-level keys apply to all.
        directory: Where `qanat.toml` is looked for (the current folder).
        environment: Instead of `os.environ`.

    Raises:
        ConfigError: A value can't be used, or the file names a setting that doesn't exist.
    """
    environment = os.environ if environment is None else environment
    known = {field.name: field for field in fields(declaration)}
    whole = bool(getattr(declaration, WHOLE, False))
    values = _from_file(known, pipeline, directory or Path.cwd(), whole=whole)
    for field in known.values():
        if environment.get(field.variable):
            values[field.name] = environment[field.variable]
        if given.get(field.name) is not None:
            values[field.name] = given[field.name]
    for name, value in values.items():
        values[name] = _convert(known[name], value)
    for field in known.values():
        if field.required and field.name not in values:
            raise ConfigError(field.option, None, "given", f"{field.about}")
    try:
        return msgspec.convert(values, declaration, strict=False, dec_hook=_as_is)
    except msgspec.ValidationError as error:
        raise _explained(error, values, known) from error


def parse_size(text: str | float) -> Size:
    """Read a number of bytes such as `64MB` (10^6) or `1GiB` (2^30); ValueError when it is none."""
    return Size(int(_with_unit(str(text), _SIZE_UNITS, upper=True)))


def parse_duration(text: str | float) -> Duration:
    """Read seconds such as `90s`, `12h` or `7d`; ValueError when it is none."""
    return Duration(_with_unit(str(text), _TIME_UNITS, upper=False))


def _with_unit(text: str, units: Mapping[str, float], *, upper: bool) -> float:
    known = {unit.upper() if upper else unit: factor for unit, factor in units.items()}
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = "?" if match is None else match[2].upper() if upper else match[2]
    if match is None or unit not in known:
        raise ValueError(
            f"{text!r} isn't a number with a unit out of {', '.join(filter(None, units))}"
        )
    return float(match[1]) * known[unit]


def _unwrap(annotation: object) -> tuple[object, str]:
    about = ""
    metadata = getattr(annotation, "__metadata__", ())
    for meta in metadata:
        if isinstance(meta, msgspec.Meta):
            about = meta.description or about
    origin = getattr(annotation, "__origin__", annotation) if metadata else annotation
    arguments = [a for a in getattr(origin, "__args__", ()) if a is not type(None)]
    return (arguments[0] if len(arguments) == 1 else origin), about


def _from_file(
    known: Mapping[str, Field], pipeline: str | None, directory: Path, *, whole: bool
) -> dict[str, object]:
    path = directory / FILE
    if not path.is_file():
        return {}
    import tomllib  # hardly anybody has the file, and every command declares settings

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(FILE, str(path), f"valid TOML ({error})") from error
    common = {key: value for key, value in content.items() if not isinstance(value, dict)}
    own = cast("dict[str, object]", content.get(pipeline, {})) if pipeline else {}
    for key in own:
        if whole and key.replace("-", "_") not in known:
            raise ConfigError(f"{FILE} [{pipeline}]", key, f"one of {', '.join(sorted(known))}")
    merged = {key.replace("-", "_"): value for key, value in {**common, **own}.items()}
    return {key: value for key, value in merged.items() if key in known}


def _convert(field: Field, value: object) -> object:
    try:
        if field.type is Size:
            return parse_size(cast("str", value))
        if field.type is Duration:
            return parse_duration(cast("str", value))
    except ValueError as error:
        raise ConfigError(field.option, value, str(error).partition("isn't ")[2]) from error
    return value


def _as_is(kind: type, value: object) -> object:
    """Make what msgspec doesn't know (a Path) from its text."""
    return value if isinstance(value, kind) else kind(value)


def _explained(
    error: msgspec.ValidationError, values: Mapping[str, object], known: Mapping[str, Field]
) -> ConfigError:
    text, _, place = str(error).partition(" - at `$.")
    name = place.rstrip("`")
    field = known.get(name)
    if field is None:
        return ConfigError("settings", dict(values), text)
    valid = f"one of {', '.join(field.choices)}" if field.choices else _in_words(text)
    return ConfigError(field.option, values.get(name), valid)


def _in_words(text: str) -> str:
    """Say what was expected without Python's names of types."""
    expected = text.removeprefix("Expected ").partition(", got ")[0]
    for kind, words in (
        ("int", "a whole number"),
        ("float", "a number"),
        ("bool", "true or false"),
    ):
        expected = expected.replace(f"`{kind}`", words)
    return expected.replace(">=", "of at least").replace("<=", "of at most").replace(">", "above")


class LogFormat(StrEnum):
    """The form of log lines."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every command that opens a pipeline's store."""

    store: Annotated[
        str,
        msgspec.Meta(
            description="Where the tables are: `duckdb:[FILE]`, `postgresql://…`, `postgresql+local:[DIR]`."
        ),
    ] = "duckdb:"
    data_dir: Annotated[
        Path, msgspec.Meta(description="The folder of everything that Qanat keeps itself.")
    ] = Path("qanat-data")
    store_memory: Annotated[
        Size, msgspec.Meta(description="What DuckDB may use in memory; it spills to disk beyond.")
    ] = Size(192 << 20)
    log_format: Annotated[LogFormat, msgspec.Meta(description="Log lines as text or as JSON.")] = (
        LogFormat.TEXT
    )
    log_level: Annotated[
        LogLevel, msgspec.Meta(description="How much is logged to standard error.")
    ] = LogLevel.WARNING
