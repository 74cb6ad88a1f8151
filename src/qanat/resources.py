"""Files that belong to code: `package:file`, in an installed package or beside a module that is a file of its own."""

from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def resource(reference: str) -> Traversable:
    """Return the file that `package:file` names, whether it is there or not.

    Args:
        reference: `package:file`, or `module:file` for a file beside a module (`shop:sql/orders.sql` beside `shop.py`).

    Raises:
        ModuleNotFoundError: There is no such package.
    """
    package, _, name = reference.partition(":")
    module = import_module(package)
    if module.__spec__ is not None and module.__spec__.submodule_search_locations is not None:
        return files(module).joinpath(name)
    # Python 3.11 doesn't look beside a module that is no package.
    return Path(str(module.__file__)).parent / name


def read_text(reference: str) -> str:
    """Return the text of such a file.

    Raises:
        ModuleNotFoundError: There is no such package.
        FileNotFoundError: There is no such file in it.
    """
    return resource(reference).read_text(encoding="utf-8")
