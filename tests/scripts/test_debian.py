"""Which packages of the system are asked for."""

import ast
from pathlib import Path

import pytest

import _debian as debian


def test_what_is_there_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on the PATH needs no package."""
    (tmp_path / "pretended").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(debian, "PACKAGES", {"pretended": "one", "absent-here": "another"})
    assert ["another"] == debian.missing()


def test_each_program_is_used_by_a_test() -> None:
    """Nothing is installed that no test asks for."""
    tests = Path(__file__).resolve().parents[1]
    texts = [
        path.read_text(encoding="utf-8")
        for path in tests.rglob("*.py")
        if path.name != Path(__file__).name
    ]
    assert [] == [
        name for name in debian.PACKAGES if not any(f'"{name}"' in text for text in texts)
    ]


def test_an_older_python_reads_it() -> None:
    """test.py imports it before it can say that Python is too old."""
    source = Path(debian.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
