"""What a run of the tests says about the ones it left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import _left_out as left_out

TESTS = """
import pytest

pytestmark = pytest.mark.filterwarnings("error")

def test_one():
    pytest.skip("no server at hand")

@pytest.mark.skipif(True, reason="no server at hand")
def test_two():
    pass

@pytest.mark.parametrize("number", range(3))
def test_three(number):
    {three}
"""


def run(folder: Path, source: str, *options: str) -> list[str]:
    """The lines that a run of these tests prints, from the section on."""
    (folder / "test_some.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-P", str(left_out.__file__), "-p", "no:cacheprovider", *options]
    environ = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    lines = ended.stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip("= ") == "Left out"]
    assert len(starts) == 1, ended.stdout + ended.stderr
    return lines[starts[0] + 1 :]


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "parallel"])
def test_each_reason_is_told_once_with_its_tests(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Wherever and however they were skipped; the closing summary stays the last line."""
    source = TESTS.format(three="pytest.skip('another reason')")
    *reasons, summary = run(tmp_path, source, *options)
    assert [line.split(maxsplit=1) for line in reasons] == [
        ["3", "another reason"],
        ["2", "no server at hand"],
    ]
    assert "5 skipped" in summary


def test_a_complete_run_says_so(tmp_path: Path) -> None:
    """An empty section would look like a mistake."""
    nothing, summary = run(tmp_path, "def test_it():\n    pass\n")
    assert nothing.strip() == "nothing"
    assert "1 passed" in summary


def test_a_module_left_out_as_a_whole_is_told(tmp_path: Path) -> None:
    """A missing package keeps a module from being collected at all."""
    source = "import pytest\npytest.importorskip('not_there')\n"
    reason, _ = run(tmp_path, source)
    assert reason.split(maxsplit=1)[0] == "1"
    assert "not_there" in reason
