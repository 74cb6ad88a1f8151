"""What the pages show of folders on servers is what the terminal shows, with a real server behind it."""

import os
from pathlib import Path

import pytest

from qanat import telemetry
from tests.docs.pages import blocks
from tests.docs.test_transcripts import commands, matches, run
from tests.remote_services import Sshd

TRANSCRIPTS = dict(blocks("console", "sftp"))
# What the pages call the server, its folder and its key.
FOLDER = "sftp://metering@files.example/incoming"
HOST = "files.example"
HOST_KEY = "SHA256:d2hhdCBzc2gta2V5Z2VuIHdvdWxkIHByaW50IGhlcmU"


@pytest.mark.skipif(os.name != "posix", reason="the pages show a POSIX shell")
@pytest.mark.parametrize("page", TRANSCRIPTS)
def test_transcript(
    page: str,
    sftp_server: Sshd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Command after command, each prints what the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QANAT_REMOTE_KEY", str(sftp_server.key))
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / "monday.txt").write_text("7 100\n8 25\n")
    here = {
        FOLDER: sftp_server.address(folder).url,
        HOST_KEY: sftp_server.host_key,
        HOST: "127.0.0.1",
    }
    handlers = list(telemetry.LOGGER.handlers)
    try:
        for block in TRANSCRIPTS[page]:
            for command, expected in commands(block):
                run(replaced(command, here))
                out, err = capfd.readouterr()
                shown = replaced(expected, here)
                assert matches(shown, out + err), f"{page}:{block.line}: {command}\n{out}{err}"
    finally:
        telemetry.LOGGER.handlers[:] = handlers


def test_there_is_one() -> None:
    """The page about sources is checked."""
    assert {"docs/sources.md"} == set(TRANSCRIPTS)


def replaced(text: str, names: dict[str, str]) -> str:
    for name, real in names.items():
        text = text.replace(name, real)
    return text
