"""Server-sent events out: a stream per client, which ends when the client goes, reads nothing, or is too far behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter, Response
from starlette.types import Receive, Scope, Send

from qanat.serve.guard import RETRY_AFTER_S, problem
from qanat.serve.live import Event, Listener, Live, TooMany

# Proxies and clients take a silent connection for dead; a comment every so often shows that it isn't.
HEARTBEAT_S = 15.0
# Told to clients: when to come again after the stream ended.
RETRY_MS = 3_000
# For one piece. Who reads nothing for so long has gone without a word.
SEND_TIMEOUT_S = 20.0

_DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Server-sent events until the client goes. `stages`: `states` as in `/stages`, and `dead_letters`, when they"
            " changed, at most once a second. `report`: `name`, `window_end`, `made_at` and `revision` of one that was made."
            " The present state comes first. `end`: `reason` is `slow` (too many events waited for this client) or"
            " `stopping`; connect again."
        ),
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def live_router(live: Live) -> APIRouter:
    """Make the router of a pipeline's events."""
    router = APIRouter(tags=["stages"])

    @router.get(
        "/live",
        response_model=None,
        response_class=EventStream,
        status_code=200,
        responses=_DESCRIBED,
        summary="What changes, as it does",
    )
    async def events() -> Response:
        """Server-sent events: stages whenever they change, and reports when they are made."""
        return EventStream(live)

    return router


class EventStream(Response):
    """The answer that goes on until one of both sides ends it."""

    media_type = "text/event-stream"

    def __init__(self, live: Live) -> None:
        # `X-Accel-Buffering`: nginx would collect events until there are enough to be worth a packet.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client goes, or must."""
        client = scope["client"][0] if scope.get("client") else ""
        try:
            with self._live.listener(client) as listener:
                async with anyio.create_task_group() as both:
                    both.start_soon(_until_gone, receive, both.cancel_scope)
                    await self._send(listener, send)
                    both.cancel_scope.cancel()
        except TooMany as refused:
            # Raised before anything was sent.
            status = 429 if refused.same_client else 503
            refusal = problem(status, refused.message, "Close one.", RETRY_AFTER_S)
            await refusal(scope, receive, send)

    async def _send(self, listener: Listener, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        try:
            async for piece in pieces(listener):
                with anyio.fail_after(SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            with anyio.fail_after(SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return  # the server hangs up


async def pieces(listener: Listener) -> AsyncIterator[bytes]:
    """Yield what goes over the wire to one who listens, until there will be no further event."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    while True:
        if listener.last == "slow":  # what waits is old news
            break
        try:
            event = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_S)
        except TimeoutError:
            yield b": still here\n\n"
            continue
        if event is None:
            break
        yield _written(event)
    yield f'event: end\ndata: {{"reason":"{listener.last}"}}\n\n'.encode()


def _written(event: Event) -> bytes:
    # The data is JSON on one line.
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), event.data)


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
