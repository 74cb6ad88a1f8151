"""The commands and their help treat a pipeline of one's own like those that ship."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.outsiders import fresh_name, imports_undone, written


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """That of a new pipeline in the current folder."""
    monkeypatch.chdir(tmp_path)
    name = fresh_name()
    written(tmp_path, name)
    with imports_undone():
        yield name


@pytest.mark.parametrize("way", ["{name}", "{name}.py", "./{name}.py:PIPELINE"])
def test_is_shown_by_any_of_its_names(run: Run, name: str, way: str) -> None:
    """By the list, or by its file."""
    ended = run("show", way.format(name=name))
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{name}: Orders of a shop\n")


def test_is_listed(run: Run, name: str) -> None:
    """Among those that can be run, and where an operation doesn't know a name."""
    ended = run("run", "--help")
    assert (ended.code, f"{name}  Orders of a shop" in ended.out) == (0, True)
    assert name in run("run", "unknown").err


def test_has_its_own_table_of_settings(run: Run, name: str, tmp_path: Path) -> None:
    """However it is named: the data folder of its table is where nothing was counted yet."""
    for way in (name, f"{name}.py"):
        ended = run("sql", way, "select 1")
        assert ended.code == 2
        assert "duckdb:data'" in ended.err
        assert f"`qanat run {name}`" in ended.err


def test_an_operation_behind_options(run: Run, name: str) -> None:
    """The name may stand behind options, as may the file."""
    for way in (name, f"{name}.py"):
        ended = run("run", "--once", way, "--help")
        assert ended.code == 0, ended.err
        assert "Orders of a shop" in ended.out


def test_an_operation_that_it_has_not(run: Run, name: str) -> None:
    """Is refused, with who has it."""
    ended = run("undo", name)
    assert ended.code == 2
    assert f"{name!r} isn't a pipeline with 'undo'; there are: metering." in ended.err


def test_a_broken_one_is_told_and_left_out(run: Run, name: str, tmp_path: Path) -> None:
    """The others are listed, and work; it itself says what is wrong."""
    broken = fresh_name()
    (tmp_path / f"{broken}.py").write_text("undefined\n")
    listed = (tmp_path / "qanat.toml").read_text()
    listed = listed.replace("[pipelines]", f'[pipelines]\n{broken} = "{broken}.py"')
    (tmp_path / "qanat.toml").write_text(listed)
    for command in (["--help"], ["run", "--help"]):
        ended = run(*command)
        assert ended.code == 0
        assert "Can't be read" in ended.out
        assert broken in ended.out
    assert f"{broken} is left out" in run("status").err
    assert run("show", name).code == 0
    ended = run("show", broken)
    assert (ended.code, f"{broken}.py, line 1: undefined" in ended.err) == (2, True)


def test_units_name_its_file_from_anywhere(run: Run, name: str, tmp_path: Path) -> None:
    """A unit starts in another folder; it and its parts go by the pipeline's own name."""
    ended = run("export", "systemd", f"./{name}.py")
    assert ended.code == 0, ended.err
    assert f"qanat-{name}.service" in ended.out
    assert str(tmp_path / f"{name}.py") in ended.out


def test_is_refused_before_it_runs(run: Run, name: str, tmp_path: Path) -> None:
    """A declaration that doesn't hold together: the same words, whether it is shown or run."""
    path = tmp_path / f"{name}.py"
    path.write_text(path.read_text().replace(f'"{name}:read"', f'"{name}:raed"'))
    told = [run("show", name).err, run("run", name, "--once").err]
    assert told[0] == told[1]
    assert f"{name}: the stage count: transform is '{name}:raed'" in told[0]
    assert not (tmp_path / "data" / f"{name}.duckdb").exists()
