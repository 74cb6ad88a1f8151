"""A TCP proxy in front of PostgreSQL that cuts connections: at any moment, or exactly when a COMMIT passes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Collection
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import quote

from qanat.prove.proxy_messages import Messages, is_commit, is_committed, writes_to

_RECEIVE_BYTES = 1 << 16
# How often the listening thread looks whether it should end: closing a socket doesn't wake whoever waits for it.
_ACCEPT_WAIT_S = 0.1


class Cut(Enum):
    """Where a COMMIT is met."""

    BEFORE = "before"  # the server never sees it
    DURING = "during"  # the server has it, and nobody waits for the reply
    REPLY = "reply"  # the server has carried it out; its reply is dropped


class Proxy:
    """Listens on loopback and passes everything on, until told otherwise. A context manager.

    Args:
        url: The server.
        tables: A transaction that writes to one of them is one of work.

    Attributes:
        url: Where to connect instead: plain, for what is encrypted can't be read.
        cuts: How often a COMMIT was met as armed.
    """

    def __init__(self, url: str, tables: Collection[str] = ()) -> None:
        self._target = _Target(url)
        self.tables = frozenset(tables)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_ACCEPT_WAIT_S)
        self._closing = threading.Event()
        self.url = self._target.url(self._listener.getsockname()[1])
        self.cuts = 0
        self._armed: Cut | None = None
        self._every = 1
        self._left = {True: 0, False: 0}  # by whether it is a COMMIT of work
        self._commits = {True: 0, False: 0}
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

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

    def arm(self, cut: Cut, *, times: int, every: int) -> None:
        """Meet every `every`th COMMIT from now on: `times` times one of work, and `times` times another one."""
        with self._lock:
            self._armed = cut
            self._left = {True: times, False: times}
            self._commits = {True: 0, False: 0}
            self._every = every

    def cut_all(self) -> int:
        """Cut every connection now; return how many there were."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            connection.close()
        return len(connections)

    def commit(self, *, of_work: bool) -> Cut | None:
        """A COMMIT comes along: say what is to be done with it."""
        with self._lock:
            self._commits[of_work] += 1
            if not self._left[of_work] or self._commits[of_work] % self._every:
                return None
            self._left[of_work] -= 1
            return self._armed

    def met(self) -> None:
        """A COMMIT was met as was said."""
        with self._lock:
            self.cuts += 1

    def forget(self, connection: "_Connection") -> None:
        """A connection is over."""
        with self._lock:
            self._connections.discard(connection)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.settimeout(None)
            try:
                server = self._target.connect()
            except OSError:  # the server is down: so is what we offer
                client.close()
                continue
            connection = _Connection(self, client, server)
            with self._lock:
                self._connections.add(connection)
            connection.start()


class _Target:
    """Where the server is."""

    def __init__(self, url: str) -> None:
        from psycopg.conninfo import conninfo_to_dict

        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
        self._host = given.get("host", "localhost").split(",")[0]
        self._port = int(given.get("port", "5432").split(",")[0])
        user, password = (
            quote(given.get("user", ""), safe=""),
            quote(given.get("password", ""), safe=""),
        )
        account = f"{user}:{password}" if password else user
        self._account = f"{account}@" if account else ""
        self._database = quote(given.get("dbname", ""), safe="")

    def url(self, port: int) -> str:
        plain = "sslmode=disable&gssencmode=disable"
        return f"postgresql://{self._account}127.0.0.1:{port}/{self._database}?{plain}"

    def connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port), timeout=10.0)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        except OSError:
            server.close()
            raise
        return server


class _Connection:
    """A client's connection and ours to the server, with a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        server.settimeout(None)
        self._of_work = False  # whether the transaction has written what it is for
        self._dropping = threading.Event()

    def start(self) -> None:
        """Begin to pass on."""
        pumps: tuple[Callable[[], None], ...] = (self._to_server, self._to_client)
        for pump in pumps:
            threading.Thread(target=pump, name="proxy-connection", daemon=True).start()

    def close(self) -> None:
        """Cut both ends."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):  # it is over already
                end.shutdown(socket.SHUT_RDWR)
        self._proxy.forget(self)

    def _to_server(self) -> None:
        messages = Messages(startup=True)
        with self._client, contextlib.suppress(OSError):
            while data := self._client.recv(_RECEIVE_BYTES):
                for kind, message in messages.feed(data):
                    if not self._pass_on(kind, message):
                        return
        self.close()

    def _pass_on(self, kind: bytes, message: bytes) -> bool:
        """Pass a client's message on; False when the connection was cut at it."""
        cut = None
        if is_commit(kind, message):
            cut = self._proxy.commit(of_work=self._of_work)
            self._of_work = False
        elif writes_to(kind, message, self._proxy.tables):
            self._of_work = True
        if cut is Cut.REPLY:
            self._dropping.set()
        if cut is not Cut.BEFORE:
            self._server.sendall(message)
        if cut in {Cut.BEFORE, Cut.DURING}:
            self._proxy.met()
            self.close()
            return False
        return True

    def _to_client(self) -> None:
        messages = Messages(startup=False)
        with self._server, contextlib.suppress(OSError):
            while data := self._server.recv(_RECEIVE_BYTES):
                for kind, message in messages.feed(data):
                    if self._dropping.is_set():
                        if is_committed(kind, message):
                            self._proxy.met()
                            self.close()
                            return
                        continue
                    self._client.sendall(message)
        self.close()
