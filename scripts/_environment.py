"""The virtual environment that the scripts beside this file share. The standard library only.

A stamp in the environment says what was installed into it and for whom, so that a second start
costs milliseconds. Set QANAT_VENV to keep the environment elsewhere than in `.venv`.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

OLDEST_PYTHON = (3, 11)

# Before the first annotation, and in a file whose syntax Python 3.6 reads: an older one gets a
# sentence, not a traceback.
if sys.version_info < OLDEST_PYTHON:
    sys.exit(
        "error: Qanat needs Python {0}.{1} or newer; this is {2} ({3}).\n"
        "Run the script with a newer one, for example: python{0}.{1} {4}".format(
            *OLDEST_PYTHON, sys.version.split()[0], sys.executable, " ".join(sys.argv)
        )
    )

CHECKOUT = Path(__file__).resolve().parent.parent
STAMP_NAME = "qanat-environment.json"
# What each purpose installs. Both files pin and hash every package; the second contains the first.
LOCK_NAMES = {"demo": "requirements.lock", "dev": "requirements-dev.lock"}
# pip's settings that say where packages come from. uv doesn't read them, so it stands back.
PIP_SOURCE_SETTINGS = ("cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy")


class EnvironmentUnusableError(Exception):
    """The environment can't be made or used; the message says why and what to do."""


def prepare(purpose: str) -> Path:
    """Return the environment's folder, after installing what `purpose` ("demo", "dev") needs."""
    venv = venv_directory(CHECKOUT, os.environ)
    stamp = read_stamp(venv)
    usable = is_ours(stamp, venv) and program(venv, "python").exists()
    if usable and stamp.get(purpose) == fingerprint(CHECKOUT, purpose):
        return venv
    if not usable:
        _create(venv, replace=bool(stamp))
    # An installation that breaks off must leave nothing that counts as installed.
    _write_stamp(venv, {})
    _install(venv, purpose)
    contained = LOCK_NAMES if purpose == "dev" else [purpose]
    _write_stamp(venv, {name: fingerprint(CHECKOUT, name) for name in contained})
    return venv


def prepare_or_exit(purpose: str) -> Path:
    """The same, for a script: what goes wrong ends it with a sentence."""
    try:
        return prepare(purpose)
    except EnvironmentUnusableError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted; the environment is finished at the next start")


def main(purpose: str, command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Prepare the environment, then become `command`, whose first word is one of its programs."""
    venv = prepare_or_exit(purpose)
    hand_over([str(program(venv, command[0])), *command[1:]], environ)


def hand_over(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become `command`: its signals, its terminal and its exit code are the script's own."""
    sys.stdout.flush()
    complete = {**os.environ, **environ}
    if os.name == "posix":
        os.execve(command[0], list(command), complete)  # noqa: S606
    # Windows has no exec that a shell waits for. Ctrl+C reaches the child by itself there.
    with subprocess.Popen(command, env=complete) as child:
        while True:
            try:
                sys.exit(child.wait())
            except KeyboardInterrupt:
                continue


def venv_directory(checkout: Path, environ: Mapping[str, str]) -> Path:
    """Where the environment is: `.venv` in the checkout, or where QANAT_VENV says."""
    chosen = environ.get("QANAT_VENV")
    return Path(chosen).expanduser().absolute() if chosen else checkout / ".venv"


def program(venv: Path, name: str, system: str = os.name) -> Path:
    """The path of a program of the environment, on POSIX or Windows ("nt")."""
    return venv / "Scripts" / f"{name}.exe" if system == "nt" else venv / "bin" / name


def fingerprint(checkout: Path, purpose: str) -> str:
    """What the environment depends on: changes when it has to be installed again."""
    digest = hashlib.sha256(str(checkout).encode())
    for name in ("pyproject.toml", LOCK_NAMES[purpose]):
        digest.update((checkout / name).read_bytes())
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """What the stamp says; empty where there is none or it can't be read."""
    try:
        stamp = json.loads((venv / STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_ours(stamp: Mapping[str, str], venv: Path) -> bool:
    """Whether a stamp was written here and by this Python.

    A copied or moved environment still points to the place where it was made.
    """
    return stamp.get("venv") == str(venv) and stamp.get("python") == _python_version()


def pip_has_own_source(pip_config_list: str) -> bool:
    """Whether the output of `pip config list` says where packages come from, or through what."""
    settings = (line.partition("=")[0] for line in pip_config_list.splitlines())
    return any(setting.rpartition(".")[2] in PIP_SOURCE_SETTINGS for setting in settings)


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _create(venv: Path, *, replace: bool) -> None:
    """Make an empty environment; replace one only if it carries our stamp."""
    if venv.exists() and not replace and any(venv.iterdir()):
        raise EnvironmentUnusableError(
            f"{venv} exists and was not made by this script.\n"
            "Move it away, or set QANAT_VENV to another folder."
        )
    command = _creation_command(venv)
    print(f"Creating the environment {venv} (Python {_python_version()}) ...", flush=True)
    if replace:
        shutil.rmtree(venv)
    venv.mkdir(parents=True, exist_ok=True)
    # First, so that what an interruption leaves behind is known to be ours, and unfinished.
    _write_stamp(venv, {"venv": "unfinished"})
    _run(command, f"{venv} could not be created; the lines above say why.")


def _creation_command(venv: Path) -> list[str]:
    has_venv, has_ensurepip, has_pip = (
        importlib.util.find_spec(module) is not None for module in ("venv", "ensurepip", "pip")
    )
    if has_venv and has_ensurepip:
        return [sys.executable, "-m", "venv", str(venv)]
    # Debian and Ubuntu ship Python without ensurepip; uv or the system's pip will do instead.
    uv = shutil.which("uv")
    if uv:
        return [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(venv)]
    if has_venv and has_pip:
        return [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    raise EnvironmentUnusableError(
        f"this Python ({sys.executable}) has no ensurepip, which a virtual environment needs.\n"
        f"On Debian and Ubuntu: sudo apt install python{_python_version()}-venv\n"
        "Elsewhere: install the package of your system that brings venv and pip, or uv."
    )


def _install(venv: Path, purpose: str) -> None:
    print(
        f"Installing what {LOCK_NAMES[purpose]} lists; this takes a minute or two ...", flush=True
    )
    installers = _installers(venv)
    for number, installer in enumerate(installers, start=1):
        hint = (
            f"`{' '.join(installer)}` could not install the packages; its last lines say why.\n"
            "pip gets them from the registry it is set up for: see `pip config list`."
        )
        try:
            # What builds the project is locked as well: no package comes from outside of the lock.
            _run([*installer, "--require-hashes", "-r", str(CHECKOUT / LOCK_NAMES[purpose])], hint)
            _run([*installer, "--no-deps", "--no-build-isolation", "-e", str(CHECKOUT)], hint)
        except EnvironmentUnusableError:
            if number == len(installers):
                raise
        else:
            return


def _installers(venv: Path) -> list[list[str]]:
    """What to try: uv, if it is at hand and asks where pip would ask; then pip, if there is one."""
    python = str(program(venv, "python"))
    pip = [python, "-m", "pip"]
    has_pip = any(venv.glob("**/site-packages/pip/__init__.py"))
    if not has_pip and importlib.util.find_spec("pip"):
        pip, has_pip = [sys.executable, "-m", "pip", "--python", python], True
    uv = shutil.which("uv")
    configured = subprocess.run(
        [*pip, "config", "list"], capture_output=True, text=True, check=False
    )
    found = []
    if uv and not pip_has_own_source(configured.stdout):
        found.append([uv, "pip", "install", "--quiet", "--python", python])
    if has_pip:
        found.append([*pip, "install", "--quiet", "--disable-pip-version-check"])
    return found


def _run(command: Sequence[str], hint: str) -> None:
    try:
        subprocess.run(command, check=True, cwd=CHECKOUT)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentUnusableError(hint) from error


def _write_stamp(venv: Path, entries: Mapping[str, str]) -> None:
    stamp = {"venv": str(venv), "python": _python_version(), **entries}
    (venv / STAMP_NAME).write_text(json.dumps(stamp, indent=2), encoding="utf-8")
