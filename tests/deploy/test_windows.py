"""The batch files, as text: they call commands that there are, with options that there are."""

import re
from pathlib import Path

import click
import pytest

from qanat.cli.lazy import OperationGroup, Root
from tests.deploy.test_image import DEPLOY

FILES = sorted((DEPLOY / "windows").glob("*.bat"))
# Whatever `qanat` is called by: the program of the environment, or its name in a remark.
_CALL = re.compile(r'(?:qanat\.exe"|`qanat) (?P<words>[^`%\r\n>(]+)')


def commands() -> dict[str, click.Command]:
    """Every command, by its words."""
    root = Root("qanat")
    context = click.Context(root)
    found: dict[str, click.Command] = {}
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, OperationGroup):
            for pipeline in command.list_commands(context):
                found[f"{name} {pipeline}"] = command
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_are_there(path: Path) -> None:
    """Each call names a command of ours, and no option that it hasn't."""
    calls = [match["words"].split() for match in _CALL.finditer(path.read_text("ascii"))]
    assert calls
    for words in calls:
        if words == ["--version"]:
            continue
        assert words[0] in commands(), words
        options = {name for param in commands()[words[0]].params for name in param.opts}
        assert [] == [word for word in words if word.startswith("-") and word not in options]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_they_are_batch_files(path: Path) -> None:
    """Lines end as the command processor wants them; parentheses match; each file that is named is there."""
    content = path.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    text = content.decode("ascii")
    assert text.startswith("@echo off\r\n")
    code = [line for line in text.splitlines() if not line.startswith(("rem ", "echo "))]
    assert sum(line.count("(") for line in code) == sum(line.count(")") for line in code)
    assert all(line.count('"') % 2 == 0 for line in code)
    named = set(re.findall(r"\b(\w+\.bat)\b", text))
    assert named <= {other.name for other in FILES}


def test_what_was_installed_is_started() -> None:
    """Both speak of one place."""
    places = {
        path.name: set(re.findall(r"%~dp0(venv\\Scripts)", path.read_text("ascii")))
        for path in FILES
    }
    assert {"install.bat", "start.bat", "status.bat"} == set(places)
    assert {"venv\\Scripts"} == set.union(*places.values())
    assert all(places.values())
