"""When the scripts make, keep or refuse the environment they share."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import _environment as environment

SCRIPTS = Path(environment.__file__).parent
STARTED_BY_USERS = ["_environment.py", "check.py", "demo.py", "lock.py", "test.py"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as far as the fingerprint looks at one."""
    for name in ("pyproject.toml", *environment.LOCK_NAMES.values()):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "checkout/.venv"),
        ({"QANAT_VENV": ""}, "checkout/.venv"),
        ({"QANAT_VENV": "/elsewhere/venv"}, "/elsewhere/venv"),
        ({"QANAT_VENV": "~/venv"}, "~/venv"),
        ({"QANAT_VENV": "nearby"}, "nearby"),
    ],
)
def test_the_environment_is_in_the_checkout_unless_named(
    environ: dict[str, str], expected: str
) -> None:
    """QANAT_VENV wins; relative to where the user stands, or to the home folder."""
    path = Path(expected).expanduser()
    inside = expected.startswith("checkout")
    found = environment.venv_directory(Path("checkout"), environ)
    assert found == (path if inside else path.absolute())


@pytest.mark.parametrize(
    ("system", "expected"), [("posix", "v/bin/qanat"), ("nt", "v/Scripts/qanat.exe")]
)
def test_programs_are_where_the_system_puts_them(system: str, expected: str) -> None:
    """Windows has another folder and a suffix."""
    assert environment.program(Path("v"), "qanat", system) == Path(expected)


@pytest.mark.parametrize("changed", ["pyproject.toml", "requirements.lock"])
def test_a_changed_file_asks_for_a_new_installation(checkout: Path, changed: str) -> None:
    """The fingerprint follows the project's declaration and the lock of its purpose."""
    before = environment.fingerprint(checkout, "demo")
    (checkout / changed).write_text("changed")
    assert environment.fingerprint(checkout, "demo") != before


def test_the_lock_of_another_purpose_asks_for_nothing(checkout: Path) -> None:
    """What the tests need doesn't concern the demo."""
    before = environment.fingerprint(checkout, "demo")
    (checkout / environment.LOCK_NAMES["dev"]).write_text("changed")
    assert environment.fingerprint(checkout, "demo") == before


def test_another_checkout_asks_for_a_new_installation(checkout: Path, tmp_path: Path) -> None:
    """An environment that two checkouts share points to the one it was installed from."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "requirements.lock"):
        (copy / name).write_text(name)
    assert environment.fingerprint(copy, "demo") != environment.fingerprint(checkout, "demo")


@pytest.mark.parametrize("content", [None, "", "not json", "[]"])
def test_a_stamp_that_says_nothing_counts_as_none(tmp_path: Path, content: str | None) -> None:
    """A missing or damaged stamp reads as an empty one."""
    if content is not None:
        (tmp_path / environment.STAMP_NAME).write_text(content)
    assert environment.read_stamp(tmp_path) == {}


def test_a_moved_environment_is_not_used() -> None:
    """Its programs name the folder and the Python they were installed for."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    here = Path("here")
    assert environment.is_ours({"venv": "here", "python": version}, here)
    assert not environment.is_ours({"venv": "there", "python": version}, here)
    assert not environment.is_ours({"venv": "here", "python": "3.9"}, here)
    assert not environment.is_ours({}, here)


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", False),
        ("global.timeout='60'\n:env:.disable-pip-version-check='1'", False),
        ("global.index-url='x'", True),
        (":env:.find-links='wheels'", True),
        ("install.no-index='true'", True),
        ("global.timeout='60'\nglobal.cert='a.pem'", True),
    ],
)
def test_uv_stands_back_where_pip_has_a_registry_of_its_own(listing: str, expected: bool) -> None:
    """The user's pip configuration decides where packages come from, and uv doesn't read it."""
    assert environment.pip_has_own_source(listing) is expected


def test_a_folder_of_somebody_else_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without our stamp nothing is deleted or installed into."""
    (tmp_path / "precious").write_text("data")
    monkeypatch.setenv("QANAT_VENV", str(tmp_path))
    with pytest.raises(environment.EnvironmentUnusableError, match="not made by this script"):
        environment.prepare("demo")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("name", STARTED_BY_USERS)
def test_an_older_python_reads_the_scripts(name: str) -> None:
    """Python 3.6 gets as far as the sentence that says it is too old."""
    source = (SCRIPTS / name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))


@pytest.mark.skipif(sys.platform == "win32", reason="replaces the program: POSIX only")
def test_the_exit_code_and_the_variables_pass_through() -> None:
    """The command ends the script with its own exit code, and sees what it was given."""
    code = (
        "import sys, _environment\n"
        "inner = 'import os, sys; sys.exit(int(os.environ[\"GIVEN\"]))'\n"
        "_environment.hand_over([sys.executable, '-c', inner], {'GIVEN': '7'})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=False)
    assert ended.returncode == 7
