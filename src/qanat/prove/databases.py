"""A database of its own for every scenario, made and dropped by the proof."""

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from qanat.errors import ConfigError, QanatError
from qanat.prove.proxy import Proxy
from qanat.prove.servers import OwnServer
from qanat.stores.postgres_connect import checked, connect, shown, translated
from qanat.stores.postgres_local import start_server
from qanat.wiring import scheme_of


class Databases(Protocol):
    """Where scenarios get their databases from.

    Attributes:
        shared: Several runs may use one database at once, over a connection that can be cut.
        described: For people; no password.
        cut_refusal: Why connections to them can't be cut as wanted; empty when they can.
    """

    shared: bool
    described: str
    cut_refusal: str

    def fresh(self, disk: Path | None = None) -> AbstractContextManager[str]:
        """Make an empty database; gives its URL, and drops it at the end.

        Args:
            disk: Where its data are to lie, if that can be chosen.
        """
        ...


class Embedded:
    """Databases that are files in a run's data folder."""

    shared = False
    cut_refusal = "the database is a file of the process: there is no connection"

    def __init__(self, url: str) -> None:
        if url.partition(":")[2]:
            raise ConfigError(
                "--store", url, f"{url.partition(':')[0]}:", "Each scenario has a file of its own."
            )
        self._url = url
        self.described = url.rstrip(":")

    @contextmanager
    def fresh(self, disk: Path | None = None) -> Iterator[str]:
        """Give the URL: the data folder decides where it is."""
        yield self._url


class Served:
    """Databases on a PostgreSQL server."""

    shared = True

    def __init__(self, url: str, described: str) -> None:
        self._url = url
        self.described = described
        self.cut_refusal = self._refusal()
        self._prefix = f"qanat_prove_{uuid4().hex[:8]}"
        self._numbers = itertools.count(1)

    @contextmanager
    def fresh(self, disk: Path | None = None) -> Iterator[str]:
        """Create a database, and drop it whoever is still connected. A foreign server's disk can't be chosen.

        Raises:
            QanatError: The user may not create databases.
        """
        name = self._name()
        self.execute(f"create database {name}")
        try:
            yield urlsplit(self._url)._replace(path=f"/{name}").geturl()
        finally:
            self.execute(f"drop database if exists {name} with (force)")

    def _name(self) -> str:
        return f"{self._prefix}_{next(self._numbers)}"

    def execute(self, statement: str) -> None:
        """Run a statement of our own text, outside of any transaction."""
        with closing(connect(self._url)) as connection, translated(connection):
            connection.execute(statement.encode())

    def _refusal(self) -> str:
        with Proxy(self._url) as proxy:
            try:
                connect(proxy.url).close()
            except QanatError as error:
                return f"the proxy that cuts needs a connection without TLS: {error.message}"
        return ""


class Local(Served):
    """Databases on a server of our own.

    Attributes:
        server: May be killed.
    """

    def __init__(self, server: OwnServer) -> None:
        super().__init__(server.url, "postgresql+local")
        self.server = server

    @contextmanager
    def fresh(self, disk: Path | None = None) -> Iterator[str]:
        """Create a database, with its tables on `disk` if one is given."""
        if disk is None:
            with super().fresh() as url:
                yield url
            return
        space, folder = self._name(), disk / "tables"
        folder.mkdir()
        if sys.platform != "win32":
            os.chown(folder, *self.server.account)
        self.execute(f"create tablespace {space} location '{folder}'")
        try:
            with super().fresh() as url:
                self.execute(f"alter database {_database(url)} set tablespace {space}")
                yield url
        finally:
            self.execute(f"drop tablespace {space}")


@contextmanager
def open_databases(url: str, place: Path) -> Iterator[Databases]:
    """Open the source of databases that `--store` names.

    Args:
        url: `duckdb:`, `postgresql://…`, or `postgresql+local:[DIR]`. The server of a folder that is named is joined, and
            never killed.
        place: Beside it a server of our own is made when no folder is named.

    Raises:
        ConfigError: The URL is of no known kind, or names a single database file.
    """
    scheme, _, rest = url.partition(":")
    if scheme_of(url) == "duckdb":
        yield Embedded(url)
    elif scheme == "postgresql+local" and not rest:
        # Beside the proof's own folder: the account under which a server of root's runs has to reach it.
        with tempfile.TemporaryDirectory(prefix="qanat-pg-", dir=place.parent) as folder:
            Path(folder).chmod(0o755)
            with OwnServer(Path(folder)) as server:
                yield _usable(Local(server))
    elif scheme == "postgresql+local":
        with start_server(Path(rest)) as joined:
            yield _usable(Served(joined.url, url))
    elif scheme in {"postgresql", "postgres"}:
        yield _usable(Served(checked(url), shown(url)))
    else:
        raise ConfigError(
            "--store", scheme, "duckdb:, postgresql://… or postgresql+local:", "Runs are processes."
        )


def _usable(served: Served) -> Served:
    """Make sure that databases can be made there, before any scenario begins."""
    try:
        with served.fresh():
            return served
    except QanatError as error:
        valid = "a server on which databases can be created"
        raise ConfigError("--store", served.described, valid, error.message) from error


def _database(url: str) -> str:
    return urlsplit(url).path.lstrip("/")
