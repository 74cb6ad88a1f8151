"""What all tests share: a clean environment, Hypothesis, and the services that some tests need."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import settings

from tests.remote_services import certificate, sftp_server

__all__ = ["certificate", "sftp_server"]  # fixtures of every test module

_POSTGRES = "QANAT_TEST_POSTGRES"
_REQUIRED = "QANAT_REQUIRE_SERVICES"
_RUN = "TEST_RUN_OF_QANAT"  # the number of the process that began the run; its workers inherit it

# A setting of whoever runs the tests mustn't decide what they test; before any module of qanat
# reads it.
for _name in [name for name in os.environ if name.startswith("QANAT_")]:
    if _name not in {_POSTGRES, _REQUIRED}:
        del os.environ[_name]

os.environ.setdefault(_RUN, str(os.getpid()))

# Failed laws show their values, whichever test module imports them first.
pytest.register_assert_rewrite("qanat.testing")

# No deadline: the machines that run the tests share their disks. In CI the examples are the same
# each time.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_report_header() -> str:
    """Say where the services come from."""
    origin = f"from {_POSTGRES}" if os.environ.get(_POSTGRES) else "from the wheel, if it is there"
    missing = "fails" if _services_required() else "skips"
    return f"services: PostgreSQL {origin}; a missing one {missing} its tests"


def pytest_unconfigure() -> None:
    """Remove the local server's folder: in the process that began the run, which is the last to
    end.
    """
    if os.environ[_RUN] == str(os.getpid()):
        shutil.rmtree(_postgres_folder(), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: `QANAT_TEST_POSTGRES`, or the one of the wheel, shared by all
    test processes.
    """
    if given := os.environ.get(_POSTGRES):
        yield given
        return
    from qanat.errors import QanatError
    from qanat.stores.postgres_local import start_server

    try:
        server = start_server(_postgres_folder())
    except (QanatError, OSError) as error:
        if _services_required():
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    with server:
        yield server.url


@pytest.fixture(scope="module")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database of this test module's own."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_fresh(postgres_server: str) -> Iterator[str]:
    """The URL of a database of this test's own."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker of rules: on the PATH, or where scripts/test.py unpacked it."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = shutil.which("promtool", path=os.pathsep.join(places))
    if found is None:
        reason = (
            "no promtool: it comes with Debian's package prometheus, and with Prometheus itself"
        )
        (pytest.fail if _services_required() else pytest.skip)(reason)
    return Path(found)


@contextmanager
def _database(postgres_server: str) -> Iterator[str]:
    import psycopg

    name = f"qanat_test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def _services_required() -> bool:
    return os.environ.get(_REQUIRED, "") not in {"", "0"}


def _postgres_folder() -> Path:
    """One folder for all processes of a run: short, as a socket's path must be, and open to the
    server's account.
    """
    return Path(tempfile.gettempdir()) / f"qanat-test-{os.environ[_RUN]}"
