"""How a part of the product is replaced by a broken one, in the process of a run."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]

# What a run does instead of `python -m qanat`: it breaks itself first.
_PROGRAM = """
import importlib, sys
sys.path.insert(0, {root!r})
importlib.import_module("tests.faults.broken.{name}").break_it()
from qanat.cli import main
sys.exit(main())
"""


def launcher(name: str) -> Sequence[str]:
    """Return the command that runs `qanat` broken in the way of the module `name`."""
    return (sys.executable, "-c", _PROGRAM.format(root=str(ROOT), name=name))


def replaced(owner: object, name: str, by: Callable[..., object]) -> None:
    """Put another function in the place of one of `owner`'s (a class's or a module's)."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name} that could be broken")
    setattr(owner, name, by)


def nothing(*_: object, **__: object) -> None:
    """Do nothing."""
