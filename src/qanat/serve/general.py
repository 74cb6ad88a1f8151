"""What every pipeline has: the files that it read, and the records that it rejected."""

import base64
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from qanat.serve.models import (
    PAGE_MAX,
    Files,
    FileState,
    Letter,
    Letters,
    Replay,
    Replayed,
)
from qanat.serve.served import Served
from qanat.session import Session

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
# Spelt out, so that the description lists them and a misspelt one is refused instead of finding nothing.
FileStates = Literal["registered", "counted", "held", "failed", "undone"]
LetterStates = Literal["open", "replayed", "dropped", "superseded"]
_LETTER_COLUMNS = "id, stage, origin, line, byte_offset, reason, length, raw, rejected_at, state"
_FILE_COLUMNS = (
    "id, name, size, state, reason, registered_at, ended_at, lines_good, lines_bad, total"
)


def general_routers(served: Served) -> list[APIRouter]:
    """Make the routers of what the pipeline's tables give rise to."""
    routers = []
    if served.has("files"):
        routers.append(files_router(served.session))
    if served.has("dead_letters"):
        routers.append(letters_router(served.session))
    return routers


def files_router(session: Session) -> APIRouter:
    """Make the router of the files that a pipeline read."""
    router = APIRouter(tags=["files"])

    @router.get("/files", summary="Files and what became of them")
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

    return router


def letters_router(session: Session) -> APIRouter:
    """Make the router of the records that a pipeline rejected."""
    router = APIRouter(tags=["dead letters"])

    @router.get("/dead-letters", summary="Records that couldn't be counted")
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

    @router.get(
        "/dead-letters/download",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
        summary="Rejected records as a file",
    )
    def download(state: LetterStates = "open") -> StreamingResponse:
        """All dead letters of a state, one JSON object a line."""
        return StreamingResponse(
            _lines(session, state),
            media_type="application/x-ndjson",
            headers={"Content-Disposition": 'attachment; filename="dead-letters.ndjson"'},
        )

    @router.post("/dead-letters/{letter}/replay", summary="Count a rejected record after all")
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
