"""Limits on requests, before anything of them is read: lengths, and how many at a time."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qanat.serve.guard import RETRY_AFTER_S, problem
from qanat.serve.served import Limits

# Whoever watches the service must be answered when it has too much to do, above all then.
_ALWAYS = frozenset({"/health", "/metrics"})


class Bounded:
    """Refuses what is too long or too much; an ASGI application around another one."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._too_long(scope)
        if refusal is not None:
            await problem(*refusal)(scope, receive, send)
        elif scope["path"] in _ALWAYS or scope["path"].endswith(
            "/live"
        ):  # it has limits of its own
            await self._app(scope, receive, send)
        elif self._running >= self._limits.requests_max:
            busy = problem(503, "too many requests at a time", "Ask again.", RETRY_AFTER_S)
            await busy(scope, receive, send)
        else:
            self._running += 1
            try:
                await self._app(scope, self._bounded(receive), send)
            finally:
                self._running -= 1

    def _too_long(self, scope: Scope) -> tuple[int, str] | None:
        limits = self._limits
        if len(scope["query_string"]) > limits.query_bytes_max:
            return 414, f"the query is longer than {limits.query_bytes_max} bytes"
        if len(scope.get("raw_path") or b"") > limits.path_bytes_max:
            return 414, f"the path is longer than {limits.path_bytes_max} bytes"
        for name, value in scope["headers"]:
            if name == b"content-length" and _number(value) > limits.body_bytes_max:
                return 413, f"the body is longer than {limits.body_bytes_max} bytes"
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """Count a body that comes in pieces, and doesn't say how many."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limits.body_bytes_max:
                raise HTTPException(
                    413, f"the body is longer than {self._limits.body_bytes_max} bytes"
                )
            return message

        return counted


def _number(value: bytes) -> int:
    # The server has refused what is no number.
    return int(value) if value.isdigit() and len(value) < 20 else 2**63
