"""Programs out of Debian's packages are fetched when they are missing, and never otherwise."""

from pathlib import Path

import pytest

import _debian


def test_what_is_there_is_not_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program in the folder stays as it is."""
    for name in _debian.PACKAGES:
        (tmp_path / name).write_text("mine", encoding="utf-8")
    _debian.fetch_missing(tmp_path)
    assert {"mine"} == {(tmp_path / name).read_text("utf-8") for name in _debian.PACKAGES}
    assert ("", "") == capsys.readouterr()


def test_without_debian_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without apt-get nothing is tried; the tests say what they miss."""
    monkeypatch.setenv("PATH", str(tmp_path))
    _debian.fetch_missing(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_what_cannot_be_had_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packages that can't be fetched are named with the reason; that is no failure of the script."""
    for program in ("apt-get", "dpkg-deb"):
        (tmp_path / program).write_text("#!/bin/sh\nexit 100\n", encoding="utf-8")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    _debian.fetch_missing(tmp_path)
    told = capsys.readouterr().err
    assert all(
        f"{name} of the package {_debian.PACKAGES[name]}" in told for name in _debian.PACKAGES
    )
