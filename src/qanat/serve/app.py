"""The HTTP service of a pipeline: one FastAPI application, documented at /docs."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from qanat.clock import Clock, SystemClock
from qanat.errors import ConfigError, QanatError
from qanat.pipeline import Pipeline
from qanat.serve.metrics import rendered
from qanat.serve.models import (
    AlarmState,
    Files,
    FileState,
    Health,
    Letter,
    Letters,
    Problem,
    Replay,
    Replayed,
)
from qanat.serve.pages import dashboard_router
from qanat.serve.reports import reports_router
from qanat.session import Session
from qanat.telemetry import Telemetry
from qanat.wiring import load, readings_of

LIMIT_MAX = 1000

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
# Spelt out, so that the description lists them and a misspelt one is refused instead of finding nothing.
FileStates = Literal["registered", "counted", "held", "failed", "undone"]
LetterStates = Literal["open", "replayed", "dropped", "superseded"]
_LETTER_COLUMNS = "id, stage, origin, line, byte_offset, reason, length, raw, rejected_at, state"
_FILE_COLUMNS = (
    "id, name, size, state, reason, registered_at, ended_at, lines_good, lines_bad, total"
)


def create_app(
    pipeline: Pipeline,
    session: Session,
    *,
    token: str = "",
    telemetry: Telemetry | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        pipeline: Whose tables are served; its own router is found by `pipeline.api`.
        session: How its store is reached.
        token: What clients have to send; empty for none.
        telemetry: The counters of the run in this process, for /metrics.
        clock: By which ages are told; the system's.
    """
    app = FastAPI(
        title=f"Qanat: {pipeline.name}",
        summary=pipeline.title,
        dependencies=[Depends(_guard(token))],
        responses={400: {"model": Problem}, 401: {"model": Problem}, 503: {"model": Problem}},
    )
    app.add_exception_handler(ConfigError, _answer(400))
    app.add_exception_handler(QanatError, _answer(503))
    prefix, clock = f"/api/{pipeline.name}", clock or SystemClock()
    app.include_router(dashboard_router())
    app.include_router(_watching(pipeline, session, telemetry, clock))
    app.include_router(_general(session), prefix=prefix)
    app.include_router(reports_router(pipeline, session, clock), prefix=prefix)
    if pipeline.api is not None:
        make = cast("Callable[[Session], APIRouter]", load(pipeline.api))
        app.include_router(make(session), prefix=prefix)
    return app


def _guard(token: str) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False)

    def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        if token and (
            given is None or not hmac.compare_digest(given.credentials.encode(), token.encode())
        ):
            raise HTTPException(
                401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"}
            )

    return check


def _answer(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def answer(_request: Request, error: Exception) -> JSONResponse:
        told = error.message if isinstance(error, QanatError) else str(error)
        hint = error.hint if isinstance(error, QanatError) else ""
        return JSONResponse({"detail": told, "hint": hint}, status)

    return answer


def _watching(
    pipeline: Pipeline, session: Session, telemetry: Telemetry | None, clock: Clock
) -> APIRouter:
    router = APIRouter(tags=["watching"])

    @router.get("/health", responses={503: {"model": Health}})
    def health(
        response: Response,
        alarms: Annotated[bool, Query(description="Answer 503 while an alarm rings.")] = True,
    ) -> Health:
        """Tell whether the store answers, and whether an alarm rings: then with status 503."""
        readings = readings_of(pipeline, session, clock.now())
        told = readings.alarms if readings is not None else ()
        rings = any(each.rings for each in told)
        if rings and alarms:
            response.status_code = 503
        return Health(
            status="alarm" if rings else "ok",
            pipeline=pipeline.name,
            files=_states(session),
            alarms=[
                AlarmState(
                    alarm=each.alarm,
                    rings=each.rings,
                    value=each.value,
                    threshold=each.threshold,
                    text=each.text,
                )
                for each in told
            ],
        )

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> str:
        """Metrics, as Prometheus reads them."""
        return rendered(pipeline, session, telemetry, clock)

    return router


def _general(session: Session) -> APIRouter:
    router = APIRouter(tags=["every pipeline"])

    @router.get("/files")
    def files(
        state: FileStates | None = None,
        after: Annotated[
            int | None, Query(ge=0, lt=2**63, description="Only older ones than this id.")
        ] = None,
        limit: Limit = 100,
    ) -> Files:
        """Files and what became of them, newest first."""
        rows = session.query(
            f"select {_FILE_COLUMNS} from files where (id < $after) and (state = $state or $state = '')"
            " order by id desc limit $limit",
            {"after": 2**63 - 1 if after is None else after, "state": state or "", "limit": limit},
        ).to_pylist()
        found = [FileState(**{**row, "total": _text(row["total"])}) for row in rows]
        following = str(found[-1].id) if len(found) == limit else None
        return Files(files=found, limit=limit, next_after=following)

    @router.get("/dead-letters")
    def dead_letters(
        state: LetterStates = "open",
        after: Annotated[str, Query(max_length=1000)] = "",
        limit: Limit = 100,
    ) -> Letters:
        """Records that couldn't be counted."""
        rows = session.query(
            f"select {_LETTER_COLUMNS} from dead_letters where state = $state and id > $after"
            " order by id limit $limit",
            {"state": state, "after": after, "limit": limit},
        ).to_pylist()
        found = [_letter(row) for row in rows]
        following = found[-1].id if len(found) == limit else None
        return Letters(dead_letters=found, limit=limit, next_after=following)

    @router.get("/dead-letters/download", response_class=StreamingResponse)
    def download(state: LetterStates = "open") -> StreamingResponse:
        """All dead letters of a state, one JSON object a line."""
        return StreamingResponse(
            _lines(session, state),
            media_type="application/x-ndjson",
            headers={"Content-Disposition": 'attachment; filename="dead-letters.ndjson"'},
        )

    @router.post("/dead-letters/{letter}/replay")
    def replay(letter: Annotated[str, Path(max_length=1000)], how: Replay) -> Replayed:
        """Count a dead letter after all, once."""
        return Replayed(outcome=dict(session.call("replay", letter=letter, text=how.line)))

    return router


def _lines(session: Session, state: str) -> Iterator[str]:
    sql = f"select {_LETTER_COLUMNS} from dead_letters where state = $state order by id"
    with session.stream(sql, {"state": state}) as batches:
        for batch in batches:
            for row in batch.to_pylist():
                yield json.dumps(_letter(row).model_dump(mode="json")) + "\n"


def _letter(row: dict[str, Any]) -> Letter:
    raw: bytes = row["raw"]
    return Letter(
        **{
            **row,
            "raw": raw.decode(errors="backslashreplace"),
            "raw_base64": base64.b64encode(raw).decode(),
        }
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _states(session: Session) -> dict[str, int]:
    rows = session.query("select state, count(*) as n from files group by state order by state")
    return dict(zip(rows.column("state").to_pylist(), rows.column("n").to_pylist(), strict=True))
