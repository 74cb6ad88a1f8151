"""A PostgreSQL server of the proof's own: the one from the wheel, so that it may be killed."""

import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from qanat.stores.postgres_local import start_server

# Durable as for a user, but small: many scenarios share one disk.
_SETTINGS = {"max_wal_size": "512MB"}


class OwnServer:
    """A server in `directory`, which is made. A context manager: at its end the server is stopped, whoever else uses it.

    Attributes:
        url: Where to connect, with the password.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._server = start_server(self.directory, _SETTINGS)
        self.url = self._server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    @property
    def account(self) -> tuple[int, int]:
        """The user and group under which it runs."""
        found = (self.directory / "data").stat()
        return found.st_uid, found.st_gid

    def kill(self) -> None:
        """Let it end at once, as in a crash: nothing is written, every connection is cut."""
        number = (self.directory / "data" / "postmaster.pid").read_text("utf-8").split("\n", 1)[0]
        # SIGQUIT is what `pg_ctl stop -m immediate` sends; SIGKILL would leave its children to themselves.
        os.kill(int(number), signal.SIGQUIT if os.name == "posix" else signal.SIGTERM)

    def restart(self) -> None:
        """Start it again, unless somebody else has; it recovers first."""
        self._server.revive()
