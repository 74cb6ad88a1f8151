"""Under which account the local PostgreSQL runs: its programs refuse to run as root.

Anybody but root runs them as themselves. Root lends them an account without privileges, which has to reach the programs
and the data. Widening the permissions of folders on the way would expose them to everybody; instead, where a folder
is closed to the account (a virtual environment or a project below `/root`, pytest's folders), the programs run
under the account with one Linux capability, the right to pass closed folders, and without any other.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qanat.errors import ConfigError

# `postgres` where a system package has made it, for then no other service shares it; `nobody` is everywhere.
_ACCOUNTS = ("postgres", "nobody")
# Set from outside they would redirect the programs to another server.
_FOREIGN_VARIABLES = ("PGDATA", "PGHOST", "PGHOSTADDR", "PGPORT", "PGOPTIONS", "PGUSER")


@dataclass(frozen=True, slots=True)
class Account:
    """How to start a program of PostgreSQL.

    Attributes:
        uid: The user to become; None to stay who we are.
        gid: That user's group.
        wrapper: What stands before the command when becoming the user isn't enough.
    """

    uid: int | None = None
    gid: int | None = None
    wrapper: tuple[str, ...] = ()

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run `command` to its end; return its exit code and what it printed."""
        environment = {k: v for k, v in os.environ.items() if k not in _FOREIGN_VARIABLES}
        # A file, not a pipe: a server that was started inherits it, and a pipe would never reach its end.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            code = self._start(
                [*self.wrapper, *command], environment | {"LC_ALL": "C"}, output.fileno()
            )
            output.seek(0)
            return code, output.read()

    def _start(self, command: list[str], environment: dict[str, str], output: int) -> int:
        # The folder we are in may be closed to the account.
        folder = Path(command[0]).anchor or os.sep
        if self.uid is None or self.wrapper:
            done = subprocess.run(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, check=False,
            )  # fmt: skip
        else:
            done = subprocess.run(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, check=False,
                user=self.uid, group=self.gid, extra_groups=(),
            )  # fmt: skip
        return done.returncode

    def own(self, path: Path) -> None:
        """Give `path` to the account."""
        if sys.platform != "win32" and self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def find_account(program: Path, directory: Path) -> Account:
    """Return the account that can run `program` on data in `directory` (which exists).

    Raises:
        ConfigError: We are root, and no account can reach both.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return Account()
    for uid, gid in _candidates(directory):
        for account in (Account(uid, gid), Account(uid, gid, _capable(uid, gid))):
            if _reaches(account, program, directory):
                return account
    raise ConfigError(
        "the folder of the local PostgreSQL",
        str(directory),
        "within reach of an account without privileges, for PostgreSQL refuses to run as root",
        hint="Run as an ordinary user, or choose a folder that others may pass through.",
    )


def _candidates(directory: Path) -> list[tuple[int, int]]:
    """Who may run it: whoever owns data that is there already, or else the accounts that exist."""
    import pwd

    data = directory / "data"
    if data.exists() and data.stat().st_uid != 0:
        return [(data.stat().st_uid, data.stat().st_gid)]
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    return [(entries[n].pw_uid, entries[n].pw_gid) for n in _ACCOUNTS if n in entries]


def _capable(uid: int, gid: int) -> tuple[str, ...]:
    """What gives the account the right to pass closed folders; empty where the tool is missing (not Linux)."""
    tool = shutil.which("setpriv")
    if tool is None:
        return ()
    capability = "+dac_override"
    return (
        tool, f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
        f"--inh-caps={capability}", f"--ambient-caps={capability}", "--",
    )  # fmt: skip


def _reaches(account: Account, program: Path, directory: Path) -> bool:
    try:
        entered, _ = account.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)])
        ran, _ = account.run([str(program), "--version"])
    except OSError:  # the account isn't mapped in this container, or may not execute the program
        return False
    return entered == 0 and ran == 0
