"""Whoever follows the tutorial, and nothing else, has a pipeline that works: every command and every file of it."""

import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from qanat.given import given
from tests.docs.pages import Block, page
from tests.docs.test_transcripts import commands, matches
from tests.unit.outsiders import written

PAGE = "docs/tutorial.md"
TESTING = "docs/testing-pipelines.md"
PORTS = ("8700", "8765")
"""Those that the page says; here each is one that is free."""

PROGRAMS = {
    "qanat": [sys.executable, "-m", "qanat"],
    "python": [sys.executable],
    # Whether the checkout that is installed has the plugin's entry point already or not.
    "pytest": [sys.executable, "-m", "pytest", "-p", "no:qanat", "-p", "qanat.given.plugin",
               "-p", "no:cacheprovider"],
}  # fmt: skip
BACKGROUND = " &"


@dataclass
class Newcomer:
    """Somebody in an empty folder, with a terminal and an editor."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        """Do what a block of the page says."""
        place = f"{PAGE}:{block.line}"
        if block.language == "console":
            for command, expected in commands(block):
                printed = self.run(command)
                assert matches(expected, printed), f"{place}: {command}\n{printed}"
            return
        path = self.folder / block.purpose
        if block.language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        elif path.exists():
            path.write_text(path.read_text(encoding="utf-8") + block.text, encoding="utf-8")
        else:
            path.write_text(block.text, encoding="utf-8")

    def run(self, command: str) -> str:
        """Type a command; return what it prints."""
        for said, free in self.ports.items():
            command = command.replace(said, free)
        words = shlex.split(command.removesuffix(BACKGROUND))
        if words[0] == "cd":
            self.folder /= words[1]
            return ""
        if words[0] == "curl":
            with urllib.request.urlopen(words[1]) as answer:
                return f"{answer.read().decode()}\n"
        words = [*PROGRAMS.get(words[0], [words[0]]), *words[1:]]
        if command.endswith(BACKGROUND):
            self.start(words)
            return ""
        ended = subprocess.run(
            words, cwd=self.folder, env=self.environment, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        return ended.stdout

    def start(self, words: list[str]) -> None:
        """Have a server run until the end; it is there when it says so."""
        process = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()

    @property
    def environment(self) -> dict[str, str]:
        """The stream's server isn't where the declaration says."""
        stream = self.ports[PORTS[0]]
        return {**os.environ, "QANAT_INPUT": f"http://127.0.0.1:{stream}/v2/stream/orders"}


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    newcomer = Newcomer(
        tmp_path, {port: str(free) for port, free in zip(PORTS, _free(), strict=True)}
    )
    yield newcomer
    for process in newcomer.started:
        process.terminate()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the page shows a POSIX shell")
def test_tutorial(newcomer: Newcomer) -> None:
    """From the first line to the last, each command prints what the page says."""
    followed = [block for block in page(PAGE).blocks if block.purpose]
    assert len(followed) > 10
    for block in followed:
        newcomer.follow(block)


def test_every_block_is_followed() -> None:
    """None is only looked at."""
    assert [] == [block.line for block in page(PAGE).blocks if not block.purpose]


def test_testing_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that the page about tests begins with passes, for a new pipeline `shop`."""
    written(tmp_path, "shop")
    monkeypatch.syspath_prepend(tmp_path)
    [block] = [block for block in page(TESTING).blocks if block.language == "python"]
    names: dict[str, Any] = {}
    try:
        exec(compile("\n" * (block.line - 1) + block.text, TESTING, "exec"), names)
        names["test_orders_are_counted"](given)
    finally:
        sys.modules.pop("shop", None)


def changed(text: str, difference: str) -> str:
    """Apply a difference without numbers of lines: what it takes away has to be there, once, and in one piece."""
    lines = difference.splitlines()
    before = "\n".join(line[1:] for line in lines if line[:1] != "+")
    after = "\n".join(line[1:] for line in lines if line[:1] != "-")
    assert text.count(before) == 1, before
    return text.replace(before, after)


def _free() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
