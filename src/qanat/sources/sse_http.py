"""One connection to a stream of server-sent events: the request, what its answer means, and its bytes."""

import socket
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from qanat.clock import Clock
from qanat.errors import ConfigError, Fatal, Retryable
from qanat.sources.sse_options import SseOptions

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

READ_BYTES = 1 << 20
"""Asked for at once; what is there is taken. Smaller ones were slower: parsing has a fixed cost."""

RETRY_AFTER_MAX_S = 3600.0
"""A server that asks for more is asked again after this."""

_REDIRECTS_MAX = 5
_CONTENT_TYPE = "text/event-stream"
_TOO_MANY = {429, 503}
_FOR_NOW = {403, 408, 425, 429}
_USER_AGENT_HINT = (
    "Public servers turn away whoever doesn't say who it is: set --user-agent, a user agent with a contact, such as "
    "'qanat/1.0 (you@example.org)'."
)


class SseHttp:
    """Makes connections to one stream, one at a time. `interrupt` may be called by another thread, everything else by one."""

    def __init__(self, options: SseOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._pool = _pool(options)
        self._response: BaseHTTPResponse | None = None
        self._encoded = False

    def connect(self, last_event_id: str, since_ms: int | None) -> None:
        """Ask for the stream; returns when it begins.

        Args:
            last_event_id: Where to go on; empty for none.
            since_ms: Where to begin, if there is no id.

        Raises:
            Retryable: It can't be read for now; `after_s` is what the server asked for, 0 for nothing.
            ConfigError: It can't be asked for like this.
            Fatal: The server says that the stream has ended for good.
        """
        from urllib3.exceptions import HTTPError

        try:
            self._response = self._pool.request(
                "GET",
                self._url(since_ms),
                headers=self._headers(last_event_id),
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise Retryable(_words(error), after_s=0.0) from error
        self._check(self._response, last_event_id)
        # We ask for no compression. Where there is none, the decoder's buffers would be two copies for nothing.
        self._encoded = self._response.headers.get("Content-Encoding", "identity") != "identity"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def read(self) -> bytes:
        """Return the next bytes as soon as there are some; none at the end.

        Raises:
            Retryable: The connection broke, or was silent for too long.
        """
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        assert self._response is not None  # noqa: S101 - it is connected
        try:
            return self._response.read1(READ_BYTES, decode_content=self._encoded)
        except ReadTimeoutError as error:
            message = f"no byte came for {self._options.read_timeout_s:g} s"
            raise Retryable(message, after_s=0.0) from error
        except (HTTPError, OSError) as error:
            raise Retryable(_words(error), after_s=0.0) from error

    def interrupt(self) -> None:
        """Make a `read` that waits return."""
        response = self._response
        if response is None:
            return
        try:
            response.shutdown()
        except (OSError, RuntimeError, ValueError):
            return  # it has ended by itself meanwhile

    def close(self) -> None:
        """Forget the connections."""
        self._pool.clear()

    def _url(self, since_ms: int | None) -> str:
        parts = urlsplit(self._options.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if since_ms is not None:
            query.append(("since", str(since_ms)))
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, fragment="", query=urlencode(query)).geturl()

    def _headers(self, last_event_id: str) -> dict[str, str]:
        from urllib3.util import make_headers

        parts = urlsplit(self._options.url)
        headers = {
            "Accept": _CONTENT_TYPE,
            "Cache-Control": "no-cache",
            "User-Agent": self._options.user_agent,
        }
        if parts.username is not None:
            account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers |= dict(make_headers(basic_auth=account))
        if last_event_id:
            # As the standard has it, in UTF-8; http.client would encode text as Latin-1.
            headers["Last-Event-ID"] = last_event_id.encode().decode("latin-1")
        return headers | dict(self._options.headers)

    def _check(self, response: "BaseHTTPResponse", last_event_id: str) -> None:
        status = response.status
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if status == 200:
            if kind != _CONTENT_TYPE:
                raise Retryable(
                    f"the server answers {kind or 'nothing'} instead of {_CONTENT_TYPE}"
                )
            return
        if status == 204:
            raise Fatal(
                f"{self._options.incarnation} has ended: the server answers 204.",
                hint="By the standard of server-sent events it isn't to be asked again.",
            )
        said = f"the server answers {status} {response.reason or ''}".rstrip()
        if status >= 500 or status in _FOR_NOW:
            raise Retryable(
                said,
                after_s=self._asked_for_s(response) if status in _TOO_MANY else 0.0,
                hint=_USER_AGENT_HINT if status == 403 else "",
            )
        raise ConfigError(
            "the stream's URL",
            self._options.incarnation,
            "one that can be read",
            _hint(said, last_event_id),
        )

    def _asked_for_s(self, response: "BaseHTTPResponse") -> float:
        """Return the seconds of `Retry-After`, which may be a moment; 0 for none."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), RETRY_AFTER_MAX_S)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        return min(max((moment - self._clock.now()).total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def _pool(options: SseOptions) -> "PoolManager":
    """Make what connects: with the system's certificates, and through the proxy that the environment names."""
    from urllib3 import PoolManager, ProxyManager, Retry, Timeout
    from urllib3.connection import HTTPConnection
    from urllib3.util import make_headers, parse_url

    sockets = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    timeout = Timeout(connect=options.connect_timeout_s, read=options.read_timeout_s)
    retries = Retry(
        connect=0,
        read=0,
        other=0,
        redirect=_REDIRECTS_MAX,
        status=0,
        total=None,
        respect_retry_after_header=False,
    )
    parts = urlsplit(options.url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return PoolManager(
            num_pools=2, maxsize=1, timeout=timeout, retries=retries, socket_options=sockets
        )
    account = parse_url(proxy).auth
    return ProxyManager(
        proxy,
        num_pools=2,
        maxsize=1,
        proxy_headers=make_headers(proxy_basic_auth=account) if account else None,
        timeout=timeout,
        retries=retries,
        socket_options=sockets,
    )


def _words(error: Exception) -> str:
    """Return what an error says, without the pool's address in it."""
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {reason}"


def _hint(said: str, last_event_id: str) -> str:
    stored = " or the stored position, if the stream was another one then" if last_event_id else ""
    return f"{said[0].upper()}{said[1:]}. Check the stream's name, since, the name and password{stored}."
