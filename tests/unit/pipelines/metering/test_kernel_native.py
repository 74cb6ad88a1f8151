"""The machine code is compiled once, kept where that is possible, and checked before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from qanat.pipelines.metering.kernel import native

PACKAGE = "qanat.pipelines.metering"


def test_warm_load_needs_no_compiler() -> None:
    """Once this machine has compiled the kernel, a new process loads it without importing numba."""
    native.load()
    program = (
        f"import sys; from {PACKAGE}.spans import sum_span; assert 'llvmlite' not in sys.modules;"
        f"from {PACKAGE}.kernel import native; native.load(); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_kept_code_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code comes back as it was written; a damaged, shortened or missing file counts as none."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "made" / "here"))
    assert native._read("kernel") is None
    native._write("kernel", b"machine code")
    assert b"machine code" == native._read("kernel")
    (file,) = (tmp_path / "made" / "here").iterdir()
    content = file.read_bytes()
    for damaged in (content[:-1], content[:7], b"", content[:-1] + b"?"):
        file.write_bytes(damaged)
        assert native._read("kernel") is None


def test_code_that_can_t_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder can be made the kernel works all the same."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "folder"))
    native._write("kernel", b"machine code")
    assert native._read("kernel") is None


def test_every_source_is_in_the_fingerprint() -> None:
    """A change of any module that the entry is made of leads to new machine code."""
    folder = Path(native.__file__).parent
    seen: set[Path] = set()
    waiting = [folder / "entry.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                base = folder.parent.joinpath(*(node.module or "").split(".")[3:])
                modules = [base, *(base / alias.name for alias in node.names)]
                files = [module.with_suffix(".py") for module in modules]
                waiting += [file for file in files if file.is_file()]
    listed = {(folder / source).resolve() for source in native._SOURCES}
    assert {path.resolve() for path in seen} <= listed
