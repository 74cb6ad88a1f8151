"""Programs out of Debian's packages are fetched when they are missing, and never otherwise."""

import ast
from pathlib import Path

import pytest

import _debian


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a folder of its own, in which apt-get gets nothing."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("apt-get", "dpkg-deb", "env", "sudo"):
        (programs / program).write_text("#!/bin/sh\nexit 100\n", encoding="utf-8")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(_debian, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(_debian, "_POLICY", tmp_path / "policy")
    monkeypatch.setattr(_debian, "_MASK", tmp_path / "units" / "mask")
    return programs


def test_what_is_there_is_not_fetched(
    tmp_path: Path, debian: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program in the folder, or on the PATH, stays as it is."""
    for folder, names in ((tmp_path, _debian.UNPACKED), (debian, _debian.INSTALLED)):
        for name in names:
            (folder / name).write_text("mine", encoding="utf-8")
            (folder / name).chmod(0o755)
    _debian.fetch_missing(tmp_path, required=True)
    assert {"mine"} == {(tmp_path / name).read_text("utf-8") for name in _debian.UNPACKED}
    assert ("", "") == capsys.readouterr()


def test_without_debian_nothing_happens(
    tmp_path: Path,
    debian: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On a system without apt-get nothing is tried; the tests say what they miss."""
    monkeypatch.setenv("PATH", str(tmp_path))
    _debian.fetch_missing(tmp_path, required=True)
    assert [debian] == list(tmp_path.iterdir())
    assert ("", "") == capsys.readouterr()


def test_what_cannot_be_had_is_told(
    tmp_path: Path, debian: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packages that can't be fetched are named with the reason; that is no failure of the script, and leaves nothing behind."""
    _debian.fetch_missing(tmp_path, required=True)
    told = capsys.readouterr().err
    assert all(
        f"{name} of the package {package}" in told for name, package in _debian.UNPACKED.items()
    )
    assert all(package in told for package in _debian.INSTALLED.values())
    assert "apt-get install ended with 100" in told
    assert [debian] == list(tmp_path.iterdir())


def test_each_program_is_used_by_a_test() -> None:
    """Nothing is installed that no test asks for."""
    tests = Path(__file__).resolve().parents[1]
    texts = [
        path.read_text(encoding="utf-8")
        for path in tests.rglob("*.py")
        if path.name != Path(__file__).name
    ]
    names = [*_debian.INSTALLED, *_debian.UNPACKED]
    assert [] == [name for name in names if not any(f'"{name}"' in text for text in texts)]


def test_an_older_python_reads_it() -> None:
    """test.py imports it before it can say that Python is too old."""
    source = Path(_debian.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
