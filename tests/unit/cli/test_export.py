"""What `qanat export` writes is what systemd and cron accept, and holds no secret."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from qanat.cli.export_systemd import word
from tests.unit.cli.conftest import Run

UNIT, FAILED = "qanat-metering.service", "qanat-metering-failed.service"
# Of systemd's own measure, from 0 for the tightest to 10; a unit without any fence has 9.6.
EXPOSURE_MAX = 3.0


@pytest.fixture
def systemd_analyze() -> str:
    """The program that checks units. It needs no systemd to run."""
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("QANAT_REQUIRE_SERVICES", "") not in {"", "0"} and shutil.which(
            "apt-get"
        ):
            pytest.fail("systemd-analyze isn't here, though every service is required")
        pytest.skip("no systemd-analyze (the package systemd of Linux systems)")
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder from which a unit is exported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "units").mkdir()
    return tmp_path


NAMES = ["in", "an $input with % and ' and \" \\"]


@pytest.mark.parametrize("name", NAMES)
def test_systemd_accepts_the_units(run: Run, place: Path, systemd_analyze: str, name: str) -> None:
    """Nothing is unknown, missing or odd to it."""
    (place / name).mkdir()
    ended = run(
        *("export", "systemd", "--directory", str(place), "--to", "units"),
        *("metering", "--input", name, "--serve", "--rate-limit", "10MB"),
    )
    assert 0 == ended.code, ended.err
    verified = subprocess.run(
        [systemd_analyze, "verify", f"units/{UNIT}", f"units/{FAILED}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "", "") == (verified.returncode, verified.stdout, verified.stderr)


def test_the_fence_is_tight(run: Run, place: Path, systemd_analyze: str) -> None:
    """By systemd's own measure."""
    run("export", "systemd", "--to", "units", "metering", "--input", "in")
    told = subprocess.run(
        [systemd_analyze, "security", "--offline=true", "--no-pager", f"units/{UNIT}"],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)
    assert level is not None, told
    assert float(level[1]) < EXPOSURE_MAX


def test_the_unit_does_what_was_asked(run: Run, place: Path) -> None:
    """Options are kept, paths made whole, and it may write where its settings say."""
    text = run("export", "systemd", "metering", "--input", "in", "--stop-timeout", "5s").out
    assert f" run metering --input {place}/in --stop-timeout 5s\n" in text
    assert "TimeoutStopSec=20s" in text
    assert f"ReadWritePaths=/var/lib/qanat {place}/in\n" in text
    for line in ("Type=notify", "WatchdogSec=600s", f"OnFailure={FAILED}", "User=qanat"):
        assert f"\n{line}\n" in text
    assert "died --name %n\n" in text


SECRETS = [
    ("--token", "c2VjcmV0IHNlY3JldA", "QANAT_TOKEN"),
    ("--store", "postgresql://u:c2VjcmV0@h/d", "QANAT_STORE"),
    ("--store", "postgresql://h/d?user=u&password=c2VjcmV0", "QANAT_STORE"),
]


@pytest.mark.parametrize(("option", "value", "variable"), SECRETS)
@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_secrets_are_refused(run: Run, kind: str, option: str, value: str, variable: str) -> None:
    """A unit can be read by everybody: the message says where the secret belongs."""
    ended = run("export", kind, "metering", "--input", "in", option, value)
    assert (2, "") == (ended.code, ended.out)
    assert f"Put {variable}=… into the environment file" in ended.err
    assert "c2VjcmV0" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("metering",), "--input is None"),
        (("metering", "--input", "in", "--max-keys", "few"), "--max-keys"),
        (("metering", "--nonsense"), "No such option"),
        (("irrigation",), "one of metering"),
        (("--environment-file", "env", "metering", "--input", "in"), "a whole path"),
    ],
)
def test_mistakes_are_told(run: Run, arguments: tuple[str, ...], expected: str) -> None:
    """What a run would refuse isn't written into a unit."""
    ended = run("export", "systemd", *arguments)
    assert (2, "") == (ended.code, ended.out)
    assert expected in ended.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ('say "no"', '"say \\"no\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("", '""'),
    ],
)
def test_words_are_quoted(text: str, expected: str) -> None:
    """As systemd reads them."""
    assert expected == word(text)


@pytest.mark.skipif(os.name != "posix", reason="cron is POSIX's")
def test_the_line_for_cron_runs(run: Run, place: Path) -> None:
    """Behind its five fields stands a command of the shell that counts, once its escapes are undone."""
    (place / "in 5%").mkdir()
    (place / "in 5%" / ".a").write_bytes(b"7 5\n")
    (place / "in 5%" / ".a").rename(place / "in 5%" / "a.txt")
    line = run("export", "cron", "--schedule", "@hourly", "metering", "--input", "in 5%").out
    schedule, _, command = line.partition(" ")
    assert "@hourly" == schedule
    assert "\\%" in command
    subprocess.run(["sh", "-c", command.replace("\\%", "%")], check=True, cwd="/", timeout=200)
    assert "files: 1 counted\n" == (place / "metering.log").read_text()
    assert "--once" in shlex.split(command)


@pytest.mark.parametrize("schedule", ["* * * *", "@sometimes", "* * * * * *", "* * * * *\n*", "%"])
def test_schedules_are_checked(run: Run, schedule: str) -> None:
    """Five fields, or a word."""
    ended = run("export", "cron", "--schedule", schedule, "metering", "--input", "in")
    assert (2, "") == (ended.code, ended.out)
    assert "isn't five fields" in ended.err
