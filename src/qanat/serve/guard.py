"""Who is let in: those with the token; and what an error of ours is over HTTP."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from qanat.errors import ConfigError, QanatError
from qanat.serve.models import Problem
from qanat.session import NothingYet

# A store that is held is free again in moments; one that can't be reached may take longer, and costs a look.
RETRY_AFTER_S = 1

ERRORS: Mapping[int | str, dict[str, Any]] = {
    304: {"description": "The client has it: its `If-None-Match` names the present `ETag`."},
    400: {"model": Problem, "description": "It can't be answered as it was asked."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    413: {"model": Problem, "description": "The body is too long."},
    414: {"model": Problem, "description": "The path or the query is too long."},
    421: {
        "model": Problem,
        "description": "Without a token it may be asked on this machine alone.",
    },
    429: {"model": Problem, "description": "Too many requests from this client at a time."},
    503: {"model": Problem, "description": "Not now: the store is held or slow, or too many ask."},
}
"""What every endpoint may answer besides."""


def guard(token: str) -> Callable[..., Awaitable[None]]:
    """Make the dependency that asks for a token; an empty one lets everybody in."""
    bearer = HTTPBearer(
        auto_error=False, description="The token that the service was started with."
    )

    async def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if token and (
            given is None or not hmac.compare_digest(given.credentials.encode(), token.encode())
        ):
            raise HTTPException(
                401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"}
            )

    return check


def handle_errors(app: FastAPI) -> None:
    """Answer our errors as what they are: 400 for what was asked wrongly, 503 for what fails now."""
    app.add_exception_handler(ConfigError, _wrong)
    app.add_exception_handler(NothingYet, _not_now)
    app.add_exception_handler(QanatError, _not_now)


def problem(status: int, detail: str, hint: str = "", retry_after_s: int = 0) -> JSONResponse:
    """Return the answer that says what was wrong."""
    headers = {"Cache-Control": "no-store"}
    if retry_after_s:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse({"detail": detail, "hint": hint}, status, headers)


def _wrong(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ConfigError) and error.setting == "the statement":
        # Ours, not the client's: the store was made by an older version, or no run has made the table yet.
        return _told(503, error, RETRY_AFTER_S)
    return _told(400, error)


def _not_now(_request: Request, error: Exception) -> JSONResponse:
    return _told(503, error, RETRY_AFTER_S)


def _told(status: int, error: Exception, retry_after_s: int = 0) -> JSONResponse:
    if isinstance(error, QanatError):
        return problem(status, error.message, error.hint, retry_after_s)
    return problem(status, str(error), "", retry_after_s)
