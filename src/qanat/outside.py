"""Pipelines that don't ship: in a file of their own, listed in `qanat.toml`, or brought by an installed package.

They have the same rights as those that ship. Nobody's code is imported to see which names there are.
"""

import re
import sys
from collections.abc import Mapping
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, cast

from qanat.errors import ConfigError, QanatError
from qanat.pipeline import Pipeline
from qanat.settings import FILE

GROUP = "qanat.pipelines"
"""The group of entry points by which a package brings pipelines."""

TABLE = "pipelines"
"""The table of `qanat.toml` that lists pipelines."""

ATTRIBUTE = "PIPELINE"
"""What a file calls its pipeline, unless it is said."""

NAME_IS = f"small letters, digits, - and _, a letter first, at most 63; not {TABLE}"
"""What a pipeline may be called, in words."""

# The name is that of files, of a table in qanat.toml, and a part of addresses.
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<attribute>[A-Za-z_]\w*))?", re.DOTALL)
_MODULE = re.compile(r"(?P<module>[A-Za-z_][\w.]*)(?::(?P<attribute>[A-Za-z_]\w*))?")


class Place(NamedTuple):
    """Where a pipeline is.

    Attributes:
        reference: `FILE.py`, `FILE.py:ATTRIBUTE` or `package.module:ATTRIBUTE`.
        folder: What a file is relative to, and where modules are looked for as well; None for installed ones.
        told: How a message names it.
    """

    reference: str
    folder: Path | None
    told: str


def is_name(text: str) -> bool:
    """Tell whether a pipeline may be called so (see `NAME_IS`)."""
    return _NAME.fullmatch(text) is not None and text != TABLE


def is_file(text: str) -> bool:
    """Tell whether a text names a pipeline by its file: `shop.py`, `./shop.py:PIPELINE`."""
    return _FILE.fullmatch(text) is not None


def places(folder: Path, shipped: Mapping[str, str]) -> dict[str, Place]:
    """Return where the pipelines are that `qanat.toml` in `folder` lists, and those of installed packages, by name.

    Raises:
        ConfigError: The file can't be read, or two pipelines have one name.
    """
    found = listed(folder, shipped)
    for name, reference in _installed():
        place = Place(reference, None, f"the entry point {name} of {GROUP}")
        if name in found or name in shipped:
            other = found[name].told if name in found else "one that ships"
            raise _clash(place.told, name, other)
        found[name] = place
    return found


def listed(folder: Path, shipped: Mapping[str, str]) -> dict[str, Place]:
    """Return where the pipelines are that `qanat.toml` in `folder` lists.

    Raises:
        ConfigError: The file can't be read, or a name is that of a pipeline that ships.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    import tomllib  # hardly anybody has the file

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(TABLE, {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(FILE, str(path), f"valid TOML ({error})") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{FILE} {TABLE}", table, f'a table: [{TABLE}], then lines NAME = "FILE"')
    found = {}
    for name, reference in table.items():
        told = f"{FILE} [{TABLE}] {name}"
        if not isinstance(reference, str) or not (is_file(reference) or _is_module(reference)):
            raise ConfigError(
                told, reference, 'a text such as "shop.py" or "package.module:PIPELINE"'
            )
        if name in shipped:
            raise _clash(told, name, "one that ships")
        found[name] = Place(reference, folder, told)
    return found


def at_file(text: str, folder: Path, shipped: Mapping[str, str]) -> Pipeline:
    """Return the pipeline of a file, which tells its name itself.

    Raises:
        ConfigError: There is no such file, it can't be imported, has no such pipeline, or the name is that of one that ships.
    """
    pipeline = _of_file(text, folder, "PIPELINE")
    if pipeline.name in shipped:
        raise _clash(f"the name in {text}", pipeline.name, "one that ships")
    return pipeline


def at(name: str, place: Place) -> Pipeline:
    """Return the pipeline that is listed under a name.

    Raises:
        ConfigError: It can't be imported, isn't a pipeline, or calls itself something else.
    """
    if place.folder is not None and is_file(place.reference):
        pipeline = _of_file(place.reference, place.folder, place.told)
    else:
        pipeline = _of_module(place)
    if pipeline.name != name:
        raise ConfigError(
            place.told, place.reference, f"a pipeline with the name {name!r}",
            hint=f"It calls itself {pipeline.name!r}: list it under that name.",
        )  # fmt: skip
    return pipeline


def _is_module(reference: str) -> bool:
    return _MODULE.fullmatch(reference) is not None


def _installed() -> list[tuple[str, str]]:
    from importlib.metadata import entry_points  # takes as long as the rest of a short command

    return sorted((point.name, point.value) for point in entry_points(group=GROUP))


def _clash(told: str, name: str, other: str) -> ConfigError:
    return ConfigError(told, name, f"another name: there is {other} with this one")


def _of_file(text: str, folder: Path, setting: str) -> Pipeline:
    match = cast("re.Match[str]", _FILE.fullmatch(text))
    path = (folder / Path(match["path"]).expanduser()).resolve()
    if not path.is_file():
        raise ConfigError(setting, text, "a Python file that is there", hint=f"No file: {path}")
    return _attribute(_module_at(path, text, setting), match["attribute"], text, setting)


def _of_module(place: Place) -> Pipeline:
    match = _MODULE.fullmatch(place.reference)
    if match is None:
        raise ConfigError(place.told, place.reference, "package.module:PIPELINE")
    if place.folder is not None:
        _look_in(place.folder.resolve())
    module = _imported(match["module"], place.reference, place.told, place.folder)
    return _attribute(module, match["attribute"], place.reference, place.told)


def _module_at(path: Path, text: str, setting: str) -> ModuleType:
    """Import a file under its own name, so that it can name its functions and files as `shop:…`."""
    name = path.stem
    if not name.isidentifier() or name in sys.stdlib_module_names:
        raise ConfigError(
            setting, text, "a file whose name Python can import and has no module of its own for",
            hint=f"Rename {path.name}.",
        )  # fmt: skip
    _look_in(path.parent)
    module = _imported(name, text, setting, path.parent)
    if module.__file__ is None or Path(module.__file__).resolve() != path:
        raise ConfigError(
            setting, text, "a file whose name no other module has",
            hint=f"There is {module.__file__ or f'a package {name}'} as well: rename {path.name}.",
        )  # fmt: skip
    return module


def _look_in(folder: Path) -> None:
    """Have modules looked for in a folder, first of all, as Python does for a script's own."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        invalidate_caches()


def _imported(name: str, text: str, setting: str, folder: Path | None) -> ModuleType:
    try:
        return import_module(name)
    except QanatError:
        raise
    except Exception as error:
        raise ConfigError(
            setting, text, "Python code that can be imported", hint=_where(error, folder)
        ) from error


def _where(error: Exception, folder: Path | None) -> str:
    """Say what went wrong, and in which line of the user's."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename:
        told = f"{Path(error.filename).name}, line {error.lineno}"
        return f"{told}: {(error.text or '').strip()}\nSyntaxError: {error.msg}"
    from traceback import extract_tb

    own = str(folder) if folder is not None else ""
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename != __file__
    ]
    frames = [frame for frame in frames if own and frame.filename.startswith(own)] or frames
    if not frames:
        return said
    last = frames[-1]
    return f"{Path(last.filename).name}, line {last.lineno}: {last.line}\n{said}"


def _attribute(module: ModuleType, attribute: str | None, text: str, setting: str) -> Pipeline:
    found = getattr(module, attribute or ATTRIBUTE, None)
    if isinstance(found, Pipeline):
        if not is_name(found.name):
            raise ConfigError(f"the name in {text}", found.name, NAME_IS)
        return found
    others = [name for name, value in vars(module).items() if isinstance(value, Pipeline)]
    there = f"It has {', '.join(others)}: put `:{others[0]}` behind it." if others else ""
    raise ConfigError(
        setting, text, f"where a Pipeline is called {attribute or ATTRIBUTE}",
        hint=there or f"There is no Pipeline in {module.__name__}.",
    )  # fmt: skip
