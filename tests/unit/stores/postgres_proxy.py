"""A proxy between a driver and a PostgreSQL server, which can lose what passes."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

COMMIT = b"Q\x00\x00\x00\x0bcommit\x00"

Fate = Callable[["Link"], None]
"""What happens to a connection whose client has just sent COMMIT; without one it is passed on."""


class Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server

    def lose_client(self) -> None:
        """Cut the connection to the client, so that no reply reaches it."""
        self.client.shutdown(socket.SHUT_RDWR)

    def await_reply(self) -> None:
        """Wait until the server has answered."""
        self.server.recv(1, socket.MSG_PEEK)


class Proxy:
    """Listens on the loopback and passes everything on, until a COMMIT comes and `fate` is set."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.fate: Fate | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where to connect instead of the server."""
        query = f"host=127.0.0.1&port={self._listener.getsockname()[1]}&sslmode=disable"
        return self._target._replace(
            query=query, netloc=self._target.netloc.rpartition("@")[0] + "@"
        ).geturl()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            link = Link(client, self._connect())
            self._sockets += [link.client, link.server]
            threading.Thread(target=self._pass_on, args=[link], daemon=True).start()
            threading.Thread(target=self._pass_back, args=[link], daemon=True).start()

    def _connect(self) -> socket.socket:
        options = parse_qs(self._target.query)
        if "host" in options:
            path = f"{options['host'][0]}/.s.PGSQL.{options['port'][0]}"
            found = socket.socket(socket.AF_UNIX)
            found.connect(path)
            return found
        return socket.create_connection((self._target.hostname, self._target.port or 5432))

    def _pass_on(self, link: Link) -> None:
        """From the client to the server."""
        try:
            while block := link.client.recv(65536):
                if self.fate is not None and block.endswith(COMMIT):
                    fate, self.fate = self.fate, None
                    link.server.sendall(block.removesuffix(COMMIT))
                    fate(link)
                    return
                link.server.sendall(block)
            link.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _pass_back(self, link: Link) -> None:
        """From the server to the client."""
        try:
            while block := link.server.recv(65536):
                link.client.sendall(block)
            link.client.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
