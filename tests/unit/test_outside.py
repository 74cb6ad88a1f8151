"""Pipelines of one's own: found by file, by qanat.toml, by entry points; and what is said when they can't be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat import outside, wiring
from qanat.errors import ConfigError
from qanat.streaming import STREAM_OPERATIONS
from qanat.wiring import known_pipelines, pipeline_named, pipeline_names
from tests.unit.outsiders import fresh_name, imports_undone, written


@pytest.fixture
def name() -> str:
    return fresh_name()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, without pipelines that packages on this machine bring."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outside, "_installed", list)
    with imports_undone():
        yield tmp_path


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        pipeline_named(text)
    return error.value


def test_by_its_file(folder: Path, name: str) -> None:
    """By any path to it, from another folder too; with an attribute or without; always the same declaration."""
    path = written(folder / "project", name)
    found = pipeline_named(f"project/{name}.py")
    assert found.name == name
    assert found == pipeline_named(str(path)) == pipeline_named(f"./project/{name}.py:PIPELINE")


def test_by_the_list(folder: Path, name: str) -> None:
    """The file of a new pipeline lists it: it is known like those that ship."""
    written(folder, name)
    assert name in pipeline_names()
    assert pipeline_named(name) == pipeline_named(f"./{name}.py")
    assert {known.name: known.problem for known in known_pipelines()}[name] == ""


def test_by_a_module_of_the_list(folder: Path, name: str) -> None:
    """A package beside the file, with another attribute."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "declared.py").write_text(
        f"from qanat import Pipeline\nMINE = Pipeline({name!r}, 'Mine', ())\n"
    )
    (folder / "qanat.toml").write_text(f'[pipelines]\n{name} = "{name}.declared:MINE"\n')
    assert pipeline_named(name).title == "Mine"


def test_by_an_entry_point(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installed package brings is imported when it is asked for."""
    written(folder, name)
    (folder / "qanat.toml").unlink()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(outside, "_installed", lambda: [(name, f"{name}:PIPELINE")])
    assert name in pipeline_names()
    assert pipeline_named(name).name == name


def test_streams_have_operations_by_themselves(folder: Path, name: str) -> None:
    """A pipeline of streams that declares none has those of all; one of another kind has none."""
    written(folder, name)
    assert pipeline_named(name).operations == STREAM_OPERATIONS
    other = fresh_name()
    (folder / f"{other}.py").write_text(
        f"from qanat import Pipeline\nPIPELINE = Pipeline({other!r}, 'None', ())\n"
    )
    assert pipeline_named(f"{other}.py").operations == {}


def test_its_tables_operations_can_be_called(folder: Path, name: str) -> None:
    """Dead letters are replayed by whoever holds the store."""
    written(folder, name)
    assert "replay" in wiring.operations_of(pipeline_named(name))


def test_nothing_is_imported_to_list_names(folder: Path, name: str) -> None:
    """A file beside us isn't looked into, and one that is listed only when it has to be."""
    (folder / f"{name}.py").write_text("raise RuntimeError('imported')\n")
    assert name not in pipeline_names()
    (folder / "qanat.toml").write_text(f'[pipelines]\n{name} = "{name}.py"\n')
    assert name in pipeline_names()


def test_no_file() -> None:
    """The whole path is told."""
    error = refused("./nothing.py")
    assert "'./nothing.py'; it has to be a Python file that is there" in error.message
    assert str(Path.cwd() / "nothing.py") in error.hint


def test_no_name(folder: Path, name: str) -> None:
    """What there is, and the file of that name, if there is one."""
    (folder / f"{name}.py").write_text("")
    error = refused(name)
    assert "one of metering, " in error.message
    assert error.hint == f"Or do you mean the file? Its name is ./{name}.py"


def test_no_pipeline_in_it(folder: Path, name: str) -> None:
    """What else is there that is one."""
    (folder / f"{name}.py").write_text(
        f"from qanat import Pipeline\nSHOP = Pipeline({name!r}, '', ())\n"
    )
    error = refused(f"{name}.py")
    assert "where a Pipeline is called PIPELINE" in error.message
    assert error.hint == "It has SHOP: put `:SHOP` behind it."
    assert "There is no Pipeline" in refused(f"{_empty(folder)}.py").hint


BROKEN = [
    ("x = 1\nundefined\n", "line 2: undefined\nNameError: name 'undefined' is not defined"),
    ("x = 1\n\nx = (\n", "line 3: x = (\nSyntaxError: '(' was never closed"),
    ("import shop_nowhere\n", "line 1: import shop_nowhere\nModuleNotFoundError: "),
    ("import json\njson.loads('{')\n", "line 2: json.loads('{')\nJSONDecodeError: "),
    ("from qanat import Table\nTable()\n", "line 2: Table()\nTypeError: "),
]


@pytest.mark.parametrize(("text", "told"), BROKEN, ids=lambda text: text[:20])
def test_a_file_that_raises(folder: Path, name: str, text: str, told: str) -> None:
    """The line of the user's own that did it."""
    (folder / f"{name}.py").write_text(text)
    error = refused(f"{name}.py")
    assert "Python code that can be imported" in error.message
    assert error.hint.startswith(f"{name}.py, {told}")


def test_one_that_calls_itself_otherwise(folder: Path, name: str) -> None:
    """Its data and settings go by its own name, so that the list must say that."""
    written(folder, name)
    (folder / "qanat.toml").write_text(f'[pipelines]\nother = "{name}.py"\n')
    error = refused("other")
    assert f"It calls itself {name!r}" in error.hint


def test_a_name_that_is_taken(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one that ships, in the list, in a file, or by two at once."""
    (folder / f"{name}.py").write_text(
        "from qanat import Pipeline\nPIPELINE = Pipeline('metering', '', ())\n"
    )
    assert "one that ships" in refused(f"{name}.py").message
    (folder / "qanat.toml").write_text(f'[pipelines]\nmetering = "{name}.py"\n')
    assert "one that ships" in refused("metering").message
    (folder / "qanat.toml").write_text(f'[pipelines]\n{name} = "{name}.py"\n')
    monkeypatch.setattr(outside, "_installed", lambda: [(name, "elsewhere:PIPELINE")])
    assert f"qanat.toml [pipelines] {name}" in refused("nothing").message


@pytest.mark.parametrize("called", ["../elsewhere", "My Shop", "", "pipelines"])
def test_a_name_that_nothing_may_have(folder: Path, name: str, called: str) -> None:
    """It is that of files and tables."""
    (folder / f"{name}.py").write_text(
        f"from qanat import Pipeline\nPIPELINE = Pipeline({called!r}, '', ())\n"
    )
    assert "small letters, digits" in refused(f"{name}.py").message


def test_a_file_with_the_name_of_a_module(folder: Path, name: str) -> None:
    """Python would import the other one, now or later."""
    (folder / "json.py").write_text("")
    assert "Rename json.py" in refused("json.py").hint
    (folder / "a-b.py").write_text("")
    assert "Rename a-b.py" in refused("a-b.py").hint
    written(folder, name)
    assert pipeline_named(f"{name}.py").name == name
    twin = written(folder / "elsewhere", name)
    assert f"rename {name}.py" in refused(str(twin)).hint


LISTS = [
    ("pipelines = 3\n", "a table"),
    ("[pipelines]\nshop = 3\n", "a text such as"),
    ('[pipelines]\nshop = "a file"\n', "a text such as"),
    ("[pipelines\n", "valid TOML"),
]


@pytest.mark.parametrize(("text", "told"), LISTS)
def test_a_list_that_makes_no_sense(folder: Path, text: str, told: str) -> None:
    """Is told; those that ship are known all the same."""
    (folder / "qanat.toml").write_text(text)
    assert told in refused("shop").message
    problems = {known.name: known.problem for known in known_pipelines()}
    assert told in problems["qanat.toml"]
    assert problems["metering"] == ""


def _empty(folder: Path) -> str:
    name = fresh_name()
    (folder / f"{name}.py").write_text("")
    return name
