"""Programs that some tests use and no Python package brings, taken out of Debian's packages.

Nothing is installed, and no service is started: of each package only the program is unpacked, beside
Python in the environment. Where there is no apt-get, or no network, it is left out, and the tests
that need it say so.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = {"promtool": "prometheus"}
"""The package of each program."""

# What unpacks to /usr/bin/NAME in the package.
_PLACE = "usr/bin"
_TIMEOUT_S = 300


def fetch_missing(folder: Path) -> None:
    """Put the programs that aren't there yet into `folder`; print which couldn't be had, and why."""
    missing = [name for name in PACKAGES if not _there(name, folder)]
    if not missing or shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    for name in missing:
        try:
            _fetch(name, folder)
        except (OSError, subprocess.SubprocessError) as error:
            print(
                f"{name} of the package {PACKAGES[name]} couldn't be had: {error}", file=sys.stderr
            )


def _there(name: str, folder: Path) -> bool:
    return (folder / name).exists() or shutil.which(name) is not None


def _fetch(name: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # apt downloads as an account of its own
        if _run("apt-get", "download", PACKAGES[name], cwd=place):
            _run("apt-get", "update", cwd=place)  # it may only be that there are no lists yet
            if code := _run("apt-get", "download", PACKAGES[name], cwd=place):
                raise OSError(f"apt-get download ended with {code}")
        (package,) = Path(place).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, "."], cwd=place, check=True, timeout=_TIMEOUT_S)
        shutil.copy2(Path(place, _PLACE, name), folder / name)


def _run(*command: str, cwd: str) -> int:
    quiet = subprocess.run(command, cwd=cwd, check=False, timeout=_TIMEOUT_S, capture_output=True)
    return quiet.returncode
