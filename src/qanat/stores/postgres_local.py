"""The PostgreSQL that comes in a wheel: `postgresql+local:DIR`.

Whoever comes first starts the server, whoever comes later joins it, and the last to leave stops it. Each process holds a lock
on a file of its own in `DIR/holders`, which the operating system releases when the process dies; so the last of the living
stops the server even if others were killed, and a server whose users were all killed is joined by the next one.
"""

import atexit
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from filelock import FileLock, Timeout

from qanat.errors import Busy, ConfigError
from qanat.stores.postgres_local_cluster import Cluster, answers, find_cluster

# Whoever holds the lock may be recovering a crashed server, which is given 120 s.
_LOCK_S_MAX = 150


class LocalServer:
    """A use of the server in `directory`; `start_server` makes one. Leave it by `close` or as a context manager.

    Attributes:
        url: Where to connect, with the password: for a driver, never for a log.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self._settings = dict(settings)
        self._process = os.getpid()
        self._holder: FileLock | None = None
        with _locked(directory):
            self._cluster = find_cluster(directory)
            self._holder = _hold(directory)
            try:
                self.url = self._join()
            except BaseException:
                self._let_go()
                raise
        atexit.register(self.close)

    def revive(self) -> str:
        """Start the server again if it died; return the URL."""
        with _locked(self.directory):
            self.url = self._join()
        return self.url

    def close(self) -> None:
        """Leave; the last one stops the server. Closing twice is harmless."""
        # A forked child has a copy of this object, but its parent is the one who joined.
        if self._holder is None or os.getpid() != self._process:
            return
        with _locked(self.directory):
            self._let_go()
            if not _holders(self.directory) and self._cluster.process_alive():
                self._cluster.stop()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _join(self) -> str:
        cluster = self._cluster
        cluster.create()
        elsewhere = set(_holders(self.directory)) - {_machine()}
        if elsewhere:
            return _join_elsewhere(cluster, elsewhere.pop())
        url = cluster.attach()
        if url is None:
            cluster.start(self._settings)
            url = cluster.attach()
        if url is None:
            raise Busy(f"the local PostgreSQL in {self.directory} ended as soon as it had started.")
        return url

    def _let_go(self) -> None:
        if self._holder is not None:
            self._holder.release()
            _forget(Path(self._holder.lock_file))
            self._holder = None


def start_server(directory: Path, settings: Mapping[str, str] | None = None) -> LocalServer:
    """Start the PostgreSQL server with its data in `directory`, or join it if it runs.

    Args:
        directory: Made if missing. Its data directory, password and locks are in it; nothing else should be.
        settings: Lines for `postgresql.conf`, over our own; they count if this call is the one that starts it.

    Raises:
        MissingExtra: The wheel isn't installed.
        ConfigError: The folder can't be used.
        Busy: Processes of another machine or container use it.
        Fatal: The server doesn't start; the message holds the end of its log.
    """
    directory = directory.resolve()
    if (directory / "PG_VERSION").exists():
        raise ConfigError(
            "the folder of the local PostgreSQL", str(directory), "a folder of Qanat's own",
            hint="It is the data directory of another PostgreSQL server.",
        )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    (directory / "holders").mkdir(exist_ok=True)
    return LocalServer(directory, settings or {})


def _join_elsewhere(cluster: Cluster, machine: str) -> str:
    """Join a server whose process can't be seen from here: in another container that shares the folder."""
    url = cluster.url()
    if url and answers(url):
        return url
    raise Busy(
        f"the local PostgreSQL in {cluster.directory} is used by processes of {machine}.",
        hint="Two machines can't serve one folder. Stop the others, or use a PostgreSQL server.",
    )


def _hold(directory: Path) -> FileLock:
    path = directory / "holders" / f"{uuid4().hex}.lock"
    path.with_suffix(".txt").write_text(_machine(), "utf-8")
    lock = FileLock(path, thread_local=False)
    lock.acquire(timeout=0)
    return lock


def _holders(directory: Path) -> list[str]:
    """The machines of the holders that live; the traces of dead ones are removed."""
    living = []
    for about in (directory / "holders").glob("*.txt"):
        lock = FileLock(about.with_suffix(".lock"), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            living.append(about.read_text("utf-8"))
            continue
        lock.release()
        _forget(about.with_suffix(".lock"))
    return living


def _forget(lock_file: Path) -> None:
    lock_file.unlink(missing_ok=True)
    lock_file.with_suffix(".txt").unlink(missing_ok=True)


def _machine() -> str:
    """Name what shares process numbers with us: the host, and on Linux the container."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace.readlink() if namespace.exists() else ''}".strip()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        with FileLock(directory / "lock", timeout=_LOCK_S_MAX, thread_local=False):
            yield
    except Timeout:
        raise Busy(
            f"another process has been starting the local PostgreSQL in {directory} for {_LOCK_S_MAX} s."
        ) from None
