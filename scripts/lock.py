"""Pins what the environment installs, anew: `python3 scripts/lock.py`. Needs uv (`pip install uv`).

Keeps the versions that are pinned and still fit, for every system and every Python that
pyproject.toml allows. uv's options raise them: `--upgrade`, or `--upgrade-package NAME`.
"""

import shutil
import subprocess
import sys

from _environment import CHECKOUT, LOCK_NAMES

# No header and no address: the file is the same whoever writes it, and names no registry.
COMPILE = [
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url"),
    "pyproject.toml",
]


def main() -> int:
    """Write both files; the smaller one takes its versions from the larger."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("error: uv is not on the PATH. Install it with: pip install uv")
    everything = ["--group", "dev", "--all-extras", "-o", LOCK_NAMES["dev"], *sys.argv[1:]]
    demo = ["--group", "build", "-c", LOCK_NAMES["dev"], "-o", LOCK_NAMES["demo"], "--upgrade"]
    for choice in (everything, demo):
        subprocess.run([uv, *COMPILE, *choice], cwd=CHECKOUT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
