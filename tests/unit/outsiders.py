"""Projects of pipelines in files of their own, each with a name of its own: a module is imported once per process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from qanat.cli.new import files_of


def fresh_name() -> str:
    """A name that no module has."""
    return f"shop_{uuid4().hex[:12]}"


def written(folder: Path, name: str) -> Path:
    """Write a new pipeline's files; return the declaration's."""
    for relative, content in files_of(name).items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / f"{name}.py"


@contextmanager
def imports_undone() -> Iterator[None]:
    """Forget what was imported meanwhile from elsewhere than our own tree."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith("shop_"):
                del sys.modules[name]
