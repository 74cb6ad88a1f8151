"""`qanat new` writes what works, and overwrites nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from qanat.cli.new import files_of
from qanat.cli.new_sample import sample
from tests.unit.cli.conftest import Run
from tests.unit.outsiders import fresh_name


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--dir", "else/where"]])
def test_writes_the_project(run: Run, folder: Path, options: list[str]) -> None:
    """Into a folder of its name, or the one that is named."""
    name = fresh_name()
    ended = run("new", name, *options)
    assert ended.code == 0, ended.err
    project = folder / (options[1] if options else name)
    written = {
        path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()
    }
    assert written == set(files_of(name))
    assert f"{name}.py" in written
    assert all("starter" not in content.decode() for content in files_of(name).values())


@pytest.mark.parametrize("there", ["README.md", "sql/products.sql"])
def test_overwrites_nothing(run: Run, folder: Path, there: str) -> None:
    """One file that is there is enough: it is named, and nothing is written."""
    (folder / "shop" / there).parent.mkdir(parents=True)
    (folder / "shop" / there).write_text("mine")
    ended = run("new", "shop")
    assert (ended.code, f"There is {there}." in ended.err) == (2, True)
    assert [path for path in (folder / "shop").rglob("*") if path.is_file()] == [
        folder / "shop" / there
    ]
    assert (folder / "shop" / there).read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["Shop", "2shop", "my-shop", "my.shop", "../shop", "", "class", "json", "duckdb",
             "metering", "pipelines", "sample", "x" * 64],
)  # fmt: skip
def test_refuses_names(run: Run, folder: Path, name: str) -> None:
    """Those that Python can't import, that something else has, or that lead elsewhere."""
    ended = run("new", name)
    assert (ended.code, "NAME is" in ended.err) == (2, True)
    assert list(folder.iterdir()) == []


def test_code_is_clean(folder: Path) -> None:
    """Formatted and free of complaints, as a newcomer's own tools would want it."""
    for relative, content in files_of("shop").items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,UP,B"], ["format", "--check"]):
        options = ["--no-cache", "--line-length", "100", "."]
        subprocess.run([*ruff, *command, *options], check=True)


def test_sample_is_the_same_every_time() -> None:
    """Made by a seeded generator: the tests of a project count on it."""
    assert sample() == sample()
    assert sample().count(b"\n\n") == 254
