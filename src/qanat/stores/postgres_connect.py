"""Connections to PostgreSQL: how they are made, kept, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from qanat.errors import ConfigError, Fatal, MissingExtra, QanatError, Retryable, TooLarge
from qanat.stores.postgres_types import quoted

if TYPE_CHECKING:
    import psycopg

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
else:  # a name for annotations: the driver is loaded when it is used
    Connection = object

# A server that is gone without a word is noticed after 30 + 3 x 10 s, on both ends.
_KEEPALIVE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVES = 30, 10, 3
_CONNECT_S_MAX = 10
_VERSION_MIN = 140_000  # the first that looks after its clients while it works for them
# SQLSTATE classes and codes after which the same batch may succeed: connection, resources, operator's intervention,
# serialization, deadlock, a lock that wasn't to be had in time.
_RETRYABLE_CLASSES = ("08", "53", "57", "58", "40")
_RETRYABLE_CODES = ("55P03", "55006", "25P03", "25P04")
_TOO_LARGE_CLASSES = ("54",)


def shown(url: str) -> str:
    """Return `url` in a form for messages and logs: without its password and parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "postgresql://…"
    authority = parts.netloc.rpartition("@")
    user = authority[0].partition(":")[0]
    # An unescaped `/` or `@` in a password ends up in the path: then nothing is safe to show.
    if "@" in parts.path or (":" in parts.netloc and not _has_ports(authority[2])):
        return "postgresql://…"
    return f"postgresql://{user + '@' if user else ''}{authority[2]}{parts.path}"


def _has_ports(hosts: str) -> bool:
    """Whether each host of `a:1,b` has a number after its colon, or none."""
    tails = [host.rpartition("]")[2] for host in hosts.split(",")]
    return all(":" not in tail or tail.rpartition(":")[2].isdigit() for tail in tails)


def checked(url: str) -> str:
    """Return `url` if a driver can read it.

    Raises:
        ConfigError: It can't. The message doesn't repeat what may be a password.
        MissingExtra: There is no driver.
    """
    module = driver()
    hint = "Write special characters of the password as %XX (for instance @ as %40)."
    if shown(url).endswith("…"):
        raise ConfigError(
            "the store", shown(url), "postgresql://USER:PASSWORD@HOST:PORT/DATABASE", hint
        )
    try:
        module.conninfo.conninfo_to_dict(url)
    except module.ProgrammingError:
        valid = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise ConfigError("the store", shown(url), valid, hint) from None
    return url


def driver(extra: str = "postgres") -> Any:  # noqa: ANN401 - the module itself, typed where it is used
    """Import psycopg, which `extra` installs.

    Raises:
        MissingExtra: It isn't installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("psycopg", extra) from error
    return psycopg


def connect(url: str, schema: str = "", *, read_only: bool = False) -> Connection:
    """Open a connection in which one SQL has one meaning whatever the server's defaults.

    Raises:
        Retryable: There is no server, or it doesn't take connections now.
        ConfigError: It refuses this user, password or database.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(url)
    defaults: dict[str, Any] = {
        "connect_timeout": _CONNECT_S_MAX,
        "keepalives_idle": _KEEPALIVE_S,
        "keepalives_interval": _KEEPALIVE_INTERVAL_S,
        "keepalives_count": _KEEPALIVES,
        "application_name": f"qanat {schema}".strip(),
    }
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            # A plan that is kept outlives the table that it was made for.
            prepare_threshold=None,
            **{name: value for name, value in defaults.items() if name not in given},
        )
    except psycopg.OperationalError as error:
        refused = "authentication failed" in str(error) or "does not exist" in str(error)
        if refused:
            raise ConfigError(
                "the store", shown(url), "a database that lets us in", str(error)
            ) from None
        raise Retryable(f"{shown(url)} can't be reached: {error}", after_s=1.0) from error
    try:
        with translated(connection):
            _configure(connection, schema, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: Connection, schema: str, *, read_only: bool) -> None:
    """Set what an administrator, a role or a database may have set otherwise."""
    if connection.info.server_version < _VERSION_MIN:
        found = f"PostgreSQL {connection.info.server_version // 10_000}"
        raise ConfigError("the store", found, f"PostgreSQL {_VERSION_MIN // 10_000} or later")
    settings = {
        "timezone": "UTC",
        "datestyle": "ISO",
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "on" if read_only else "off",
        # Compiling a plan takes longer than most of our statements, and pays for none of them.
        "jit": "off",
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "tcp_keepalives_idle": str(_KEEPALIVE_S),
        "tcp_keepalives_interval": str(_KEEPALIVE_INTERVAL_S),
        "tcp_keepalives_count": str(_KEEPALIVES),
    }
    if schema:
        settings["search_path"] = quoted(schema)
    connection.execute(
        "select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as s(name, value)",
        [list(settings), list(settings.values())],
    )
    # A killed client's merge may hold its locks for many seconds; so the server looks whether we are still there. Servers
    # on Windows can't.
    connection.execute(
        "select set_config('client_connection_check_interval', '1s', false)"
        " where version() !~ 'mingw|Visual C|msvc'"
    )


@contextmanager
def translated(connection: Connection) -> Iterator[None]:
    """Turn the driver's errors into ours. When one is raised, the transaction of `connection` is lost."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise meaning(error, lost=connection.closed) from error


def meaning(error: "psycopg.Error", *, lost: bool) -> QanatError:
    """Return what `error` makes the runtime do. `lost`: the connection is gone, and the server rolls back."""
    code = error.sqlstate or ""
    text = str(error).strip() or type(error).__name__
    if lost or code[:2] in _RETRYABLE_CLASSES or code in _RETRYABLE_CODES:
        return Retryable(f"PostgreSQL: {text}", after_s=1.0 if lost or code[:2] == "53" else 0.2)
    if code[:2] in _TOO_LARGE_CLASSES:
        return TooLarge(f"PostgreSQL: {text}")
    return Fatal(f"PostgreSQL: {text}")
