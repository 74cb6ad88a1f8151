"""Programs that some tests need and no Python package brings, out of Debian's packages.

Where only a program is wanted it is unpacked into the environment, and nothing is installed. What needs the system's
libraries is installed, as root, or by sudo where every service is required; no daemon is started by that, now or at a later
boot. Whatever can't be had is told, and the tests that need it say so again.

The standard library only: test.py uses this before the environment is there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

INSTALLED = {"chromium": "chromium", "sshd": "openssh-server", "systemd-analyze": "systemd"}
UNPACKED = {"promtool": "prometheus"}
"""The package of each program."""

# Daemons lie where not every user's PATH leads.
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
# What unpacks to /usr/bin/NAME in the package.
_PLACE = "usr/bin"
_TIMEOUT_S = 600
# Debian asks this program before it starts a daemon; 101 means no.
_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = "#!/bin/sh\nexit 101\n"
_MASK = Path("/etc/systemd/system/ssh.service")


def fetch_missing(folder: Path, required: bool) -> None:
    """Get the programs that aren't there yet, some of them into `folder`; print what couldn't be had, and why."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    _install_missing(required)
    for name, package in UNPACKED.items():
        if _there(name, folder):
            continue
        try:
            _unpack(name, package, folder)
        except (OSError, subprocess.SubprocessError) as error:
            _tell(f"{name} of the package {package} couldn't be had: {error}")


def missing() -> (
    "list[str]"
):  # a string, which an older Python passes over on its way to its sentence
    """The packages that have to be installed."""
    return sorted(package for name, package in INSTALLED.items() if not _there(name, None))


def _there(name: str, folder: "Path | None") -> bool:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    return (folder is not None and (folder / name).exists()) or bool(shutil.which(name, path=path))


def _install_missing(required: bool) -> None:
    wanted = missing()
    if not wanted or not (os.geteuid() == 0 or required):
        return
    _tell(f"Installing {' '.join(wanted)} for the tests; no service is started ...")
    root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    policy = _forbid_starting() if os.geteuid() == 0 else False
    try:
        for arguments in (
            ["update", "-qq"],
            ["install", "-qq", "--yes", "--no-install-recommends", *wanted],
        ):
            command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]
            code = _run(*command, *arguments, folder=Path("/"))
            if code:
                _tell(f"apt-get {arguments[0]} ended with {code}")
    except (OSError, subprocess.SubprocessError) as error:
        _tell(f"{' '.join(wanted)} couldn't be had: {error}")
    finally:
        if policy:
            _POLICY.unlink()


def _forbid_starting() -> bool:
    """Let neither the installation nor a later boot start a daemon; tell whether the policy is ours."""
    if _MASK.parent.is_dir() and not os.path.lexists(str(_MASK)):
        _MASK.symlink_to("/dev/null")
    if _POLICY.exists():
        return False
    _POLICY.write_text(_FORBID)
    _POLICY.chmod(0o755)
    return True


def _unpack(name: str, package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # apt downloads as an account of its own
        download = ("apt-get", "download", package)
        if _run(*download, folder=Path(place)):
            _run("apt-get", "update", folder=Path(place))  # there may only be no lists yet
            code = _run(*download, folder=Path(place))
            if code:
                raise OSError(f"apt-get download ended with {code}")
        (archive,) = Path(place).glob("*.deb")
        subprocess.run(
            ["dpkg-deb", "-x", str(archive), "."], cwd=place, check=True, timeout=_TIMEOUT_S
        )
        shutil.copy2(str(Path(place, _PLACE, name)), str(folder / name))


def _run(*command: str, folder: Path) -> int:
    return subprocess.run(
        command, cwd=str(folder), check=False, timeout=_TIMEOUT_S, capture_output=True
    ).returncode


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
