"""A TCP proxy that knows nothing of what passes, and cuts connections: all of them now, or each after so many bytes."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_RECEIVE_BYTES = 1 << 16
# How often the listening threads look whether they should end: closing a socket doesn't wake whoever waits for it.
_ACCEPT_WAIT_S = 0.1


class Cutter:
    """Listens on loopback and passes everything on, until told otherwise. A context manager.

    Args:
        target: The server's address and port.
        host: Where to listen. On Linux all of 127.0.0.0/8 is loopback.
        port: The same; 0 for one that is free.

    Attributes:
        cuts: How many connections were cut after their bytes.
    """

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> None:
        self._target = target
        self._listener = socket.create_server((host, port))
        self._listener.settimeout(_ACCEPT_WAIT_S)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._budget = 0
        self._cuts_max = 0
        self._refusing = False
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="cutter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self.cut_all()

    def arm(self, after_bytes: int, times: int) -> None:
        """Cut each new connection after so many bytes from the server, until that happened `times` times."""
        with self._lock:
            self._budget, self._cuts_max = after_bytes, self.cuts + times

    def refuse(self, *, refusing: bool) -> None:
        """Take no connections from now on, or take them again."""
        self._refusing = refusing

    def cut_all(self) -> int:
        """Cut every connection now; return how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _shut(pair)
        return len(pairs)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.settimeout(None)
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(self._target, timeout=10.0)
            except OSError:  # the server is down: so is what we offer
                client.close()
                continue
            server.settimeout(None)
            self._join(client, server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
            budget = self._budget if self.cuts < self._cuts_max else None
        for source, sink, left in ((client, server, None), (server, client, budget)):
            threading.Thread(
                target=self._pump, args=(pair, source, sink, left), name="cutter", daemon=True
            ).start()

    def _pump(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        left: int | None,
    ) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(_RECEIVE_BYTES if left is None else max(1, left)):
                sink.sendall(data)
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        with self._lock:
                            self.cuts += 1
                        break
        _shut(pair)
        with self._lock:
            self._pairs.discard(pair)


def _shut(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with contextlib.suppress(OSError):  # it is over already
            end.shutdown(socket.SHUT_RDWR)
