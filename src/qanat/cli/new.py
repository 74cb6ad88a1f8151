"""`qanat new`: a small pipeline of one's own that works, with its tests."""

import keyword
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from qanat.cli.new_sample import sample
from qanat.errors import ConfigError
from qanat.outside import TABLE, is_name
from qanat.resources import read_text
from qanat.settings import FILE
from qanat.wiring import PIPELINES

# What the files say where the name of the pipeline belongs.
_WORD = "starter"
# What is written, and out of which file beside this module; in this order.
_FILES = {
    "{name}.py": "starter.py.txt",
    "sql/products.sql": "sql/products.sql",
    "sql/best_sellers.sql": "sql/best_sellers.sql",
    "sql/orders_of.sql": "sql/orders_of.sql",
    "test_{name}.py": "test_starter.py.txt",
    FILE: "qanat.toml.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
}
_SAMPLE = "sample.sse"


def new(name: str, directory: Path | None) -> None:
    """Write the files of a new pipeline; nothing that is there is touched.

    Raises:
        ConfigError: The name can't be used, or one of the files is there already.
    """
    check_name(name)
    folder = directory if directory is not None else Path(name)
    contents = files_of(name)
    _check_free(folder, contents)
    for relative, content in contents.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sys.stdout.write(f"{path}\n")
    sys.stdout.write(f"Begin with: cd {folder} && pytest. Then see README.md there.\n")


def files_of(name: str) -> dict[str, bytes]:
    """Return the files of a new pipeline: what is in each, by its place."""
    found = {
        place.format(name=name): read_text(f"qanat.cli:starter/{source}")
        .replace(_WORD, name)
        .encode()
        for place, source in _FILES.items()
    }
    return {**found, _SAMPLE: sample()}


def check_name(name: str) -> None:
    """Refuse a name that a pipeline in a file of its own can't have.

    Raises:
        ConfigError: Says why.
    """
    setting = "NAME"
    if not is_name(name) or not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigError(
            setting,
            name,
            "small letters, digits and _, a letter first: it is that of a Python file",
        )
    if name in PIPELINES or name in {TABLE, "sample", "sql", "qanat"}:
        raise ConfigError(setting, name, "one that isn't taken: Qanat has this one itself")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise ConfigError(setting, name, "one that no Python module has")


def _check_free(folder: Path, contents: dict[str, bytes]) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError("--dir", str(folder), "a folder")
    there = [relative for relative in contents if (folder / relative).exists()]
    if there:
        raise ConfigError(
            "--dir",
            str(folder),
            "a folder without these files",
            hint=f"There is {', '.join(there)}.",
        )


NEW = click.Command(
    "new",
    callback=new,
    help="Write a small pipeline of your own that works: its declaration, its SQL, its tests and a recorded stream.",
    params=[
        click.Argument(["name"]),
        click.Option(
            ["--dir", "directory"],
            type=click.Path(path_type=Path),
            help="Into this folder, which is made if need be.  [default: NAME]",
        ),
    ],
)
