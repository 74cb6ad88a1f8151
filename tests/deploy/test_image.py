"""The Dockerfile, as far as it can be checked without an engine: what it names is there, and what it promises holds."""

import io
import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement

from qanat.cli.running import running
from qanat.service.supervisor import SuperviseSettings
from qanat.settings import fields

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHECKOUT = DEPLOY.parent
INSTRUCTIONS = {
    *("CMD", "COMMENT", "COPY", "ENTRYPOINT", "ENV", "FROM", "HEALTHCHECK", "RUN"),
    *("STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
# Variables of others that the image sets.
FOREIGN = {"NUMBA_CACHE_DIR", "PATH", "PYTHONUNBUFFERED"}


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, in order."""
    content = (DEPLOY / "Dockerfile").read_bytes()
    parsed = DockerfileParser(fileobj=io.BytesIO(content), env_replace=False).structure
    found: list[list[tuple[str, str]]] = []
    for each in parsed:
        if each["instruction"] == "FROM":
            found.append([])
        if each["instruction"] != "COMMENT":
            found[-1].append((each["instruction"], each["value"]))
    assert {one["instruction"] for one in parsed} <= INSTRUCTIONS
    return found


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    (value,) = values(stages()[-1], "ENV")
    return dict(word.split("=", 1) for word in value.split())


def image_command() -> list[str]:
    """What runs when nothing else is asked for."""
    final = stages()[-1]
    (entry,), (command,) = values(final, "ENTRYPOINT"), values(final, "CMD")
    words: list[str] = [*json.loads(entry), *json.loads(command)]
    return words


def test_it_runs_as_nobody_special() -> None:
    """Two stages; the last one has a user of its own, after everything that needs root, and stops by SIGTERM."""
    build, final = stages()
    names = [name for name, _ in final]
    assert 1 == names.count("USER")
    assert names.index("USER") > max(names.index("RUN"), names.index("COPY"))
    assert ["qanat"] == values(final, "USER")
    assert ["SIGTERM"] == values(final, "STOPSIGNAL")
    assert values(build, "FROM")[0].partition(" ")[0] == values(final, "FROM")[0]


def test_what_is_copied_is_there() -> None:
    """Each file exists, and what is sent to the engine contains it."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    for stage in stages():
        for value in values(stage, "COPY"):
            *sources, _target = value.split()
            if sources[0].startswith("--from="):
                assert "--from=build" == sources[0]
                continue
            for source in sources:
                assert (CHECKOUT / source).exists(), source
                assert any(fnmatch(source, pattern) for pattern in kept), source
    assert "*" in lines
    assert all((CHECKOUT / name).exists() for name in kept)


def test_variables_are_settings() -> None:
    """Each variable of ours that is set is one that the command reads."""
    known = {field.variable for field in fields(running("metering", []).declaration)}
    known |= {field.variable for field in fields(SuperviseSettings)}
    assert [] == sorted(set(image_environment()) - known - FOREIGN)


def test_the_command_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is valid in the environment that the image sets."""
    for name, value in image_environment().items():
        if name.startswith("QANAT_"):
            monkeypatch.setenv(name, value)
    assert ["qanat", "supervise", "metering"] == image_command()
    settings = running("metering", image_command()[3:]).settings()
    assert "/incoming" == getattr(settings, "input", None)


def test_the_health_check_is_in_the_image() -> None:
    """What the engine runs to ask is a file that was copied."""
    final = stages()[-1]
    (check,) = values(final, "HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    assert any(value.endswith(f" {words[1]}") for value in values(final, "COPY"))


@pytest.mark.skipif(sys.platform == "win32", reason="sed as the image has it")
def test_constraints_are_made_of_the_lock() -> None:
    """The lines that the image installs by are requirements, each pinned, those of the extra among them."""
    (command,) = [v for v in values(stages()[0], "RUN") if v.startswith("sed")]
    words = command.partition(" > ")[0]
    made = subprocess.run(
        words, shell=True, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    pinned = [Requirement(line) for line in made.stdout.splitlines() if line.strip()]
    assert all(re.fullmatch(r"==[^,]+", str(each.specifier)) for each in pinned)
    assert {"duckdb", "psycopg", "psycopg-binary", "hatchling"} <= {each.name for each in pinned}
