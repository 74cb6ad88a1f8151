"""Programs of the system that some tests need, installed where nobody would miss them otherwise: in CI, on Debian and Ubuntu.

The standard library only: test.py uses it before the environment is there.
"""

import os
import shutil
import subprocess

PACKAGES = {
    "systemd-analyze": "systemd",
}
"""The package that has each program. It brings files only: no test asks for a service of the system to run."""


def missing() -> (
    "list[str]"
):  # a string, which an older Python passes over on its way to its sentence
    """The packages whose programs aren't on the PATH, with the folders in which daemons lie."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return sorted({PACKAGES[name] for name in PACKAGES if shutil.which(name, path=path) is None})


def install_missing() -> None:
    """Install what is missing. Where that can't be done, the tests that need it say so by failing."""
    wanted = missing()
    if not wanted or shutil.which("apt-get") is None:
        return
    root = [] if os.getuid() == 0 else ["sudo", "--non-interactive"]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    print(f"Installing {' '.join(wanted)} ...", flush=True)
    for arguments in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", *wanted]):
        command = [*root, "apt-get", "-o", "Dpkg::Use-Pty=0", *arguments]
        if arguments[0] == "install":
            command.append("--yes")
        try:
            ended = subprocess.run(command, env=environment, check=False)
        except OSError as error:
            print(f"{' '.join(command)}: {error}")
            return
        if ended.returncode:
            print(f"{' '.join(command)} ended with {ended.returncode}")
