"""The examples in Python run as they stand."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import CHECKOUT, Block, blocks

RUN = dict(blocks("python", "run"))


def executed(page: str, found: list[Block]) -> ModuleType:
    """Execute blocks of one page behind each other, as one module; lines are told as in the page."""
    module = ModuleType(f"example_{Path(page).stem.replace('-', '_')}")
    sys.modules[module.__name__] = module
    for block in found:
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, str(CHECKOUT / page), "exec"), vars(module))
    return module


@pytest.mark.parametrize("page", RUN)
def test_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page that are marked to be run do so, one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    executed(page, RUN[page])


def test_every_guide_has_an_example() -> None:
    """A guide without an example that runs can't be trusted."""
    guides = {f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("add-a-*.md")}
    assert guides
    assert guides <= set(RUN)


def test_python_is_run_or_no_python() -> None:
    """No example is left out: one that can't be run is marked as text."""
    assert [] == list(blocks("python", ""))
