"""The one service that the tests need and no Python package brings: an OpenSSH server, never a running one.

The tests start their own, from a folder of theirs. The system's service stays switched off.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Debian's place for it, which isn't on every user's PATH.
SSHD_PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
_MASK = Path("/etc/systemd/system/ssh.service")
_POLICY = Path("/usr/sbin/policy-rc.d")


def prepare_sshd() -> None:
    """Install the program by apt-get, where that can be done; the tests say so when it is missing."""
    apt = shutil.which("apt-get")
    root = sys.platform == "linux" and os.geteuid() == 0
    if shutil.which("sshd", path=SSHD_PATH) or apt is None or not root:
        return
    print("Installing openssh-server for the tests; its service stays off ...", flush=True)
    policy = _forbid_starting()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = [apt, "install", "-qq", "-y", "--no-install-recommends", "openssh-server"]
    try:
        for command in ([apt, "update", "-qq"], install):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    finally:
        if policy:
            _POLICY.unlink()


def _forbid_starting() -> bool:
    """Let neither the installation nor a later boot start the service; tell whether the policy is ours."""
    if _MASK.parent.is_dir() and not os.path.lexists(_MASK):
        _MASK.symlink_to("/dev/null")
    if _POLICY.exists():
        return False
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    return True
