"""What the pages show of a terminal is what the terminal shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat import telemetry
from qanat.cli import main
from tests.docs.pages import Block, blocks

STARTED: list["subprocess.Popen[bytes]"] = []
TRANSCRIPTS = dict(blocks("console", "run"))
PROMPT = "$ "
# In a page: the command goes on in the background, until the page ends.
BACKGROUND = " &"
# In a page: something that differs from time to time.
ANYTHING = "…"


@pytest.fixture(autouse=True)
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, and the log as it was."""
    monkeypatch.chdir(tmp_path)
    handlers = list(telemetry.LOGGER.handlers)
    yield
    while STARTED:
        process = STARTED.pop()
        process.terminate()
        process.wait()
    telemetry.LOGGER.handlers[:] = handlers


@pytest.mark.skipif(os.name != "posix", reason="the pages show a POSIX shell")
@pytest.mark.parametrize("page", TRANSCRIPTS)
def test_transcript(page: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Command after command, each prints what the page says."""
    for block in TRANSCRIPTS[page]:
        for command, expected in commands(block):
            run(command)
            out, err = capfd.readouterr()
            assert matches(expected, out + err), f"{page}:{block.line}: {command}\n{out}{err}"


def test_there_are_transcripts() -> None:
    """The README and the first steps are checked."""
    assert {"README.md", "docs/start.md", "docs/operations.md"} <= set(TRANSCRIPTS)


def test_matching_is_strict() -> None:
    """Only what is marked may differ."""
    assert matches("a … c\n", "a b c\n")
    assert not matches("a b c\n", "a b d\n")
    assert not matches("a\n", "a\nb\n")
    assert not matches("a.c\n", "abc\n")


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a transcript, with what it prints."""
    for piece in block.text.split(f"\n{PROMPT}"):
        command, _, expected = piece.removeprefix(PROMPT).partition("\n")
        yield command, expected if not expected or expected.endswith("\n") else f"{expected}\n"


def run(command: str) -> None:
    """Run `qanat` in this process, in the background in one of its own, anything else in a shell."""
    words = shlex.split(command.removesuffix(BACKGROUND))
    if command.endswith(BACKGROUND):
        assert words[0] == "qanat"
        program = [sys.executable, "-m", *words]
        nowhere = subprocess.DEVNULL
        STARTED.append(subprocess.Popen(program, stdout=nowhere, stderr=nowhere))
    elif words[0] == "qanat":
        main(words[1:])
    else:
        subprocess.run(command, shell=True, check=True)


def matches(expected: str, printed: str) -> bool:
    """Compare, letting `…` stand for anything within a line."""
    pattern = ".*".join(map(re.escape, expected.split(ANYTHING)))
    return re.fullmatch(pattern, printed) is not None
