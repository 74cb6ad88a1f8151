"""Checks everything that needs no running program: `python3 scripts/check.py`.

Format, lint, types, the direction of imports, and the sizes of modules and functions. With `--fix`,
what can be mended by a tool is mended first.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from _environment import CHECKOUT, prepare_or_exit, program
from _shape import too_long

FOLDERS = ("src", "tests", "scripts", "bench", "deploy", "examples")


def main() -> int:
    """Run every check, whatever the ones before it said; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--fix", action="store_true", help="format, and apply the safe fixes, first"
    )
    fix = parser.parse_args().fix
    os.chdir(CHECKOUT)
    venv = prepare_or_exit("dev")
    folders = [name for name in FOLDERS if any(Path(name).rglob("*.py"))]
    failed = [
        name for name, command in commands(folders, fix=fix) if not succeeds(name, venv, command)
    ]
    offenders = list(too_long([Path(name) for name in folders]))
    print("== sizes", *offenders, sep="\n", flush=True)
    if offenders:
        failed.append("sizes")
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks passed.", flush=True)
    return 1 if failed else 0


def commands(folders: list[str], *, fix: bool) -> list[tuple[str, list[str]]]:
    """What to run, by the name under which it is reported."""
    mend = [
        ("mend", ["ruff", "check", "--fix-only", *folders]),
        ("reformat", ["ruff", "format", *folders]),
    ]
    return [
        *(mend if fix else []),
        ("format", ["ruff", "format", "--check", *folders]),
        ("lint", ["ruff", "check", "--output-format", "concise", *folders]),
        ("types", ["mypy", *folders]),
        ("imports", ["lint-imports"]),
    ]


def succeeds(name: str, venv: Path, command: list[str]) -> bool:
    """Run one check under its heading."""
    print(f"== {name}", flush=True)
    complete = [str(program(venv, command[0])), *command[1:]]
    return subprocess.run(complete, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
