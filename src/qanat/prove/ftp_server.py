"""A real FTP server on loopback, of which downloads can be made to break off: pyftpdlib, in a thread."""

import logging
import random
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self

with warnings.catch_warnings():
    # It rests on asyncore, of which Python 3.11 tells everybody who imports it that it will go.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

# It would print each command otherwise.
logging.getLogger("pyftpdlib").addHandler(logging.NullHandler())
logging.getLogger("pyftpdlib").propagate = False

USER = "qanat"
_POLL_S = 0.05


class FtpServer:
    """Serves a folder, readable and writable for `USER`. A context manager.

    Args:
        folder: What it serves.
        password: Of `USER`.
        certificate: With its key, as PEM; then it demands TLS for everything, for which pyOpenSSL has to be there.
        seed: Of where downloads break off.
        port: Where it listens; 0 for a port that is free.

    Attributes:
        port: Where it listens.
        cuts: How many downloads broke off.
    """

    def __init__(
        self,
        folder: Path,
        password: str,
        *,
        certificate: Path | None = None,
        seed: int = 0,
        port: int = 0,
        **attributes: object,
    ) -> None:
        self._chance = random.Random(seed)
        self._cuts_left = 0
        self.cuts = 0
        self._authorizer = DummyAuthorizer()
        self._authorizer.add_user(USER, password, str(folder), perm="elradfmw")
        handler, secure = _with_tls(certificate) if certificate else (FTPHandler, {})
        data = type("Data", (_Breaking, handler.dtp_handler), {"faults": self})
        answering = {
            "authorizer": self._authorizer,
            "dtp_handler": data,
            "use_sendfile": False,
            "auth_failed_timeout": 0,
            **secure,
            **attributes,
        }
        self._loop = IOLoop()
        self._server = FTPServer(
            ("127.0.0.1", port), type("Handler", (handler,), answering), ioloop=self._loop
        )
        self.port: int = self._server.address[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ftp-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End it, and every connection."""
        self._ending.set()
        self._thread.join()

    def cut(self, downloads: int) -> None:
        """Break off that many of the next downloads, each somewhere in its middle, with the whole connection."""
        self._cuts_left = downloads

    def permit(self, letters: str) -> None:
        """Let `USER` do this from now on, in pyftpdlib's letters."""
        self._authorizer.user_table[USER]["perm"] = letters

    def budget(self, size_bytes: int) -> int | None:
        """A download of `size_bytes` begins: return after how many it breaks off, None if it doesn't."""
        if self._cuts_left <= 0 or size_bytes < 2:
            return None
        self._cuts_left -= 1
        return self._chance.randrange(1, size_bytes)

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._server.serve_forever(timeout=_POLL_S, blocking=False)
        self._server.close_all()
        self._loop.close()


def _with_tls(certificate: Path) -> tuple[type[Any], dict[str, object]]:
    from pyftpdlib.handlers import TLS_FTPHandler

    demanded = {"tls_control_required": True, "tls_data_required": True}
    return TLS_FTPHandler, {"certfile": str(certificate), **demanded}


class _Breaking(DTPHandler):  # type: ignore[misc]  # pyftpdlib has no types
    """A data connection that may end before its file does."""

    faults: FtpServer
    _left: int | None = None
    _begun = False

    def send(self, data: bytes) -> int:
        """Pass on what the budget allows; at its end cut data and control connection."""
        if not self._begun:
            self._begun = True
            file = getattr(self, "file_obj", None)
            if file is not None:  # a download; where it goes on, when it was broken off before
                left = Path(file.name).stat().st_size - file.tell() + len(data)
                self._left = self.faults.budget(left)
        if self._left is None:
            return int(super().send(data))
        if self._left == 0:
            self._left = -1
            self.faults.cuts += 1
            self.ioloop.call_later(0, self.cmd_channel.close)
        if self._left < 0:
            return 0
        sent = int(super().send(data[: self._left]))
        self._left -= sent
        return sent
