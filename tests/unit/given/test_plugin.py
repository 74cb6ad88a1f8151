"""The pytest plugin in runs of pytest of its own: what it offers, and that nobody else notices it."""

import subprocess
import sys
import tomllib
from pathlib import Path

from qanat.wiring import load
from tests.docs.pages import CHECKOUT
from tests.unit.outsiders import written

# Whether the checkout that is installed has the entry point already or not.
ALONE = ["-p", "no:qanat"]
LOADED = [*ALONE, "-p", "qanat.given.plugin"]
STRICT = ["-W", "error", "--strict-config", "--strict-markers", "-p", "no:cacheprovider", "-q"]


def pytest_ran(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest there, everything strict."""
    command = [sys.executable, "-m", "pytest", *STRICT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_new_pipelines_tests_pass(tmp_path: Path) -> None:
    """Those that `qanat new` writes, with warnings as errors."""
    written(tmp_path, "shop")
    ended = pytest_ran(tmp_path, *LOADED)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 passed" in ended.stdout


def test_without_it_others_run(tmp_path: Path) -> None:
    """Switched off, its fixture is unknown, and everything else is as ever."""
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(): pass\ndef test_theirs(qanat_pipeline): pass\n"
    )
    ended = pytest_ran(tmp_path, *ALONE)
    assert ended.returncode == 1
    assert "fixture 'qanat_pipeline' not found" in ended.stdout
    assert "1 passed, 1 error" in ended.stdout


def test_loading_it_loads_nothing_heavy() -> None:
    """Whoever has Qanat installed has it in every run of pytest."""
    heavy = ("duckdb", "numpy", "pyarrow", "sqlglot", "click", "msgspec", "qanat.testing")
    code = (
        "import sys, pytest, qanat.given.plugin\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_the_package_names_it() -> None:
    """The entry point leads to the fixture."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = project["entry-points"]["pytest11"]["qanat"]
    assert load(f"{module}:qanat_pipeline") is not None
