"""The compose file: what it names is there; and its set-up, with real processes in the place of containers."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from qanat.cli.running import running
from qanat.service.stopping import STOP_TIMEOUT_S
from qanat.service.supervisor import GRACE_S, SuperviseSettings
from qanat.settings import fields, parse_duration
from qanat.wiring import scheme_of
from tests.deploy.test_image import DEPLOY, image_environment
from tests.journeys.manager import managed, put

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
METERING: dict[str, Any] = SERVICES["metering"]
# Of the compose specification, those that the file uses.
KEYS = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init"),
    *("read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "volumes"),
}


def test_keys_are_of_the_specification() -> None:
    """A misspelt key would be refused, or passed over."""
    assert {"services", "volumes"} == set(COMPOSE)
    assert [] == [key for service in SERVICES.values() for key in service if key not in KEYS]


def test_what_it_names_is_there() -> None:
    """The Dockerfile from its context, each service and each volume."""
    build = METERING["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert (DEPLOY / "Dockerfile").resolve() == (context / build["dockerfile"]).resolve()
    assert set(METERING["depends_on"]) <= set(SERVICES)
    assert "healthcheck" in SERVICES["postgres"]
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source, _, target = volume.partition(":")
            assert source.startswith("./") or source in COMPOSE["volumes"]
            assert target.startswith("/")


def test_variables_are_settings() -> None:
    """Each variable is one that the command reads, and its store is of a known kind on a known host."""
    known = {field.variable for field in fields(running("metering", []).declaration)}
    known |= {field.variable for field in fields(SuperviseSettings)}
    assert [] == sorted(set(METERING["environment"]) - known)
    store = METERING["environment"]["QANAT_STORE"]
    assert "postgresql" == scheme_of(store)
    user, database = (SERVICES["postgres"]["environment"][f"POSTGRES_{n}"] for n in ("USER", "DB"))
    assert f"postgresql://{user}:${{POSTGRES_PASSWORD}}@postgres/{database}" == store


def test_no_secret_is_written_down() -> None:
    """What is secret comes from outside, and its absence is told."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert "${POSTGRES_PASSWORD:?" in SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    outside = set(re.findall(r"\$\{(\w+)", text))
    assert {"POSTGRES_PASSWORD", "QANAT_ON_DEATH_URL", "QANAT_ON_DEATH_TOKEN"} == outside


def test_it_has_the_time_to_stop() -> None:
    """The engine waits for longer than the run and its supervisor need at most."""
    assert parse_duration(METERING["stop_grace_period"]) > STOP_TIMEOUT_S + GRACE_S


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the container's processes are POSIX's")
def test_the_same_with_real_processes(tmp_path: Path, postgres_fresh: str) -> None:
    """Command and variables of image and compose file, with folders and a server of here: it counts, answers, stops."""
    import psycopg

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    places = {"/incoming": str(tmp_path / "in"), "/data": str(tmp_path / "data")}
    (tmp_path / "in").mkdir()
    set_there = {**image_environment(), **METERING["environment"]}
    environment = {
        name: places.get(value, value) for name, value in set_there.items() if name[:6] == "QANAT_"
    }
    environment |= {
        "QANAT_STORE": postgres_fresh,
        "QANAT_PORT": port,
        "QANAT_ON_DEATH_URL": "",
        "QANAT_ON_DEATH_TOKEN": "",
        "QANAT_LOG_LEVEL": "info",
    }
    with managed(METERING["command"], tmp_path, **environment) as container:
        container.wait_for_log("supervise.ready")
        put(tmp_path / "in", "a.txt", b"7 5\n8 1\n")
        container.wait_for_log("file.settled")
        assert 0 == healthy(port)
        container.ask(signal.SIGTERM)
        assert 0 == container.ended()
    assert 1 == healthy(port)
    with psycopg.connect(postgres_fresh) as connection:
        rows = connection.execute("select consumer, amount from metering.totals order by consumer")
        assert [(7, 5), (8, 1)] == [(consumer, int(amount)) for consumer, amount in rows]


def healthy(port: str) -> int:
    """Ask as the engine would."""
    environment = {**os.environ, "QANAT_PORT": port}
    check = [sys.executable, str(DEPLOY / "healthcheck.py")]
    return subprocess.run(check, env=environment, timeout=60, check=False).returncode
