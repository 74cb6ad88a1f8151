"""Which pages may ask: those of the origins that were named; and under which names the service can be asked without a token.

A page of a foreign site can have its own name lead to this machine (DNS rebinding), and would then read what a service without
a token tells everybody here. Its requests still carry that name, and are refused for it.
"""

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from qanat.errors import ConfigError
from qanat.listening import Listening
from qanat.serve.guard import problem

EVERYBODY = "*"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def origins_of(text: str) -> tuple[str, ...]:
    """Return the origins in a list with commas.

    Raises:
        ConfigError: One isn't a scheme and a host, perhaps with a port.
    """
    origins = tuple(each.strip().rstrip("/") for each in text.split(",") if each.strip())
    for origin in origins:
        parts = urlsplit(origin)
        whole = parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" == origin
        if origin != EVERYBODY and not (whole and parts.netloc):
            valid = "origins such as https://example.org or http://localhost:3000, joined by commas, or *"
            raise ConfigError("--cors", origin, valid)
    return origins


def hosts_of(listening: Listening, origins: Sequence[str]) -> frozenset[str] | None:
    """Return the names under which the service may be asked; None for any, because a token is asked for."""
    if listening.token:
        return None
    here = f"[{listening.host}]" if ":" in listening.host else listening.host
    return LOOPBACK | {here} | {_name(urlsplit(origin).netloc) for origin in origins}


class OnlyHosts:
    """Refuses requests for a host of another name; an ASGI application around another one."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            given = next((value for name, value in scope["headers"] if name == b"host"), b"")
            if _name(given.decode("latin-1")) not in self._hosts:
                hint = "Ask 127.0.0.1 or localhost, or start the service with a --token."
                refusal = problem(421, "without a token the service is this machine's alone", hint)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(host: str) -> str:
    """Return a host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
