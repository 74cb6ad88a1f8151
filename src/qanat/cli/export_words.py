"""The words of a run's command line that others start: absolute paths, and no secret."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from qanat.cli.running import Running, program
from qanat.errors import ConfigError
from qanat.settings import Field, fields, is_path

# Settings that are secrets as they are.
SECRETS = frozenset({"token"})
# Stores whose address names a file or a folder.
_FILES = frozenset({"duckdb", "postgresql+local"})


def command_line(run: Running, command: str = "run") -> list[str]:
    """Return the words of `qanat run …`, or of another command in its place, with the settings that were given.

    Raises:
        ConfigError: One of them is a secret, which everybody could read there.
    """
    words = [*program(), command, run.pipeline]
    for field in run.fields():
        words += _option(field, run.given[field.name])
    return words


def folders(run: Running, settings: msgspec.Struct, directory: Path) -> list[Path]:
    """Return the folders in which a run in `directory` writes: where it is, and those that its settings name.

    What was given on the command line is relative to here, what comes from elsewhere to `directory`.
    """
    found = [directory]
    for field in fields(run.declaration):
        place = absolute if field.name in run.given else directory.joinpath
        value = str(getattr(settings, field.name))
        if is_path(field, value):
            found.append(place(value))
        scheme, _, file = value.partition(":")
        if field.name == "store" and scheme in _FILES and file:
            found.append(place(file).parent if scheme == "duckdb" else place(file))
    return [one for one in dict.fromkeys(found) if one == directory or directory not in one.parents]


def absolute(text: str) -> Path:
    """Return a path as it is from here, whichever folder the run starts in."""
    return Path(text).expanduser().absolute()


def _option(field: Field, value: object) -> list[str]:
    if field.type is bool:
        return [field.option if value else f"--no-{field.option.removeprefix('--')}"]
    if field.name in SECRETS or (field.name == "store" and _has_password(str(value))):
        raise ConfigError(
            field.option,
            "…",
            "left out here: a secret",
            hint=f"Everybody may read a unit or a list of processes. Put {field.variable}=… into the environment file.",
        )
    if is_path(field, value):
        return [field.option, str(absolute(str(value)))]
    scheme, _, place = str(value).partition(":")
    if field.name == "store" and scheme in _FILES and place:
        return [field.option, f"{scheme}:{absolute(place)}"]
    return [field.option, str(value)]


def _has_password(url: str) -> bool:
    try:
        split = urlsplit(url)
        return split.password is not None or "password=" in split.query
    except ValueError:
        return True
