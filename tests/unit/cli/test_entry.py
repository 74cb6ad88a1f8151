"""The command as a whole: what it lists, how it ends, what it loads."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from qanat.cli import entry, main
from qanat.cli.catalogue import COMMANDS, OPERATIONS, offered
from qanat.cli.lazy import Root
from qanat.errors import Busy, Fatal, QanatError, Refused
from tests.unit.cli.conftest import Run

DRIVERS = ("duckdb", "fastapi", "numba", "numpy", "psycopg", "pyarrow", "rich", "watchfiles")


@pytest.mark.parametrize(
    "code", ["import qanat.cli", "from qanat.cli import main; main(['--help'])"]
)
def test_help_loads_no_driver(code: str) -> None:
    """Neither importing the command nor its help imports what only a pipeline needs."""
    script = f"import sys\n{code}\nprint([m for m in {DRIVERS} if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command(run: Run) -> None:
    """General commands and what pipelines offer, each with its line."""
    ended = run("--help")
    assert ended.code == 0
    listed = [line.split()[0] for line in ended.out.splitlines() if line.startswith("  ")]
    assert {*COMMANDS, *offered()} <= set(listed)


def test_what_pipelines_offer_has_its_line() -> None:
    """No operation of a pipeline that ships is listed by its name alone."""
    assert set(offered()) <= set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"serve"}))
def test_each_general_command_is_there(run: Run, name: str) -> None:
    """What the catalogue names can be imported, and tells how it is used."""
    ended = run(name, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: qanat {name} [OPTIONS]")


def test_version(run: Run) -> None:
    """The installed version, in one line."""
    ended = run("--version")
    assert (ended.code, ended.out) == (0, f"qanat {version('qanat')}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["sql"],
        ["sql", "no-such-pipeline", "select 1"],
        ["sql", "metering", "select 1", "--no-such-option"],
        ["sql", "metering", "select 1", "--log-level", "loud"],
        ["sql", "metering", "select 1", "--store-memory", "much"],
        ["sql", "metering", "select 1", "--store", "oracle:x"],
        ["run", "no-such-pipeline"],
        ["run", "--input", "somewhere"],
        ["dead-letters", "metering", "--limit", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_with_2(run: Run, arguments: list[str]) -> None:
    """It says on standard error what was wrong, and prints nothing else."""
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Fatal("it broke", hint="mend it"), 1, "qanat: it broke\n  mend it\n"),
        (Busy("held"), 1, "qanat: held\n"),
        (Refused(["twice"]), 2, "qanat: refused before the start:\n- twice\n"),
        (FileNotFoundError(2, "gone", "a.txt"), 1, "qanat: [Errno 2] gone: 'a.txt'\n"),
        (KeyboardInterrupt(), 130, None),
        (click.ClickException("wrong"), 1, "Error: wrong\n"),
    ],
)
def test_what_is_raised_becomes_an_exit_code(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    told: str | None,
) -> None:
    """An error ends the command with its message, its hint, and the code of its class; no
    traceback.
    """

    def fail() -> None:
        raise error

    root = Root("qanat", callback=fail, invoke_without_command=True)
    monkeypatch.setattr(entry, "_root", lambda: root)
    assert code == main([])
    if told is not None:
        assert told == capsys.readouterr().err


def test_python_m(tmp_path: Path) -> None:
    """`python -m qanat` is the command."""
    command = [sys.executable, "-m", "qanat", "no-such-command"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: qanat")


def test_the_process_ends_at_once_but_in_order() -> None:
    """What the command wanted to be called at the end is, what was written arrives, and nothing else is taken apart."""
    script = """if True:
        import atexit, sys
        from qanat.cli import entry
        class Kept:
            def __del__(self):
                print("taken apart")
        kept = Kept()
        def command():
            atexit.register(print, "tidied up", end="")
            print("done")
            return 3
        entry.main = command
        sys.exit(entry.program())
    """
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (3, "done\ntidied up")


def test_a_run_over_an_ordinary_file_loads_what_it_needs_alone(tmp_path: Path) -> None:
    """Each of these costs a run 10 to 400 ms, and none is needed to add good lines to a store."""
    folder = tmp_path / "in"
    folder.mkdir()
    slow = ("numba", "numpy.ma", "pyarrow.compute", "rich", "watchfiles")
    script = f"""if True:
        import sys
        from qanat.cli import main
        for name in ("a", "b"):
            with open(rf"{folder}/{{name}}", "w") as file:
                file.write(f"7 1\\n8 2\\n{{ord(name)}} 3\\n")
            code = main(["run", "metering", "--once", "--input", r"{folder}", "--data-dir", r"{tmp_path}"])
            assert code == 0
            print([name for name in {slow} if name in sys.modules])
    """
    command = [sys.executable, "-c", script]
    # The first time the kernel may have to be compiled, by numba.
    subprocess.run(
        [*command[:1], "-c", "from qanat.pipelines.metering.kernel.native import load; load()"],
        check=True,
    )
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["[]", "[]"]


def test_every_error_has_an_exit_code_of_the_command() -> None:
    """1 or 2: the codes that scripts may rely on."""
    kinds = [QanatError]
    while kinds:
        kind = kinds.pop()
        kinds.extend(kind.__subclasses__())
        assert kind.exit_code in {1, 2}
