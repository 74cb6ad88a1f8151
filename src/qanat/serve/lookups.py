"""Look-ups over HTTP: each that a pipeline declares, typed, page by page."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from qanat.clock import Clock
from qanat.pipeline import Lookup
from qanat.reports.lookup import OFFSET_MAX, ROWS, ROWS_MAX, look_up
from qanat.serve.answers import answered
from qanat.serve.columns import asked_texts, camel, encoded, parameter_field, row_model
from qanat.serve.models import LookupAbout, Lookups, parameter_about
from qanat.serve.served import Served

_PAGED_BY = frozenset({"limit", "offset"})


def lookups_router(served: Served, clock: Clock) -> APIRouter:
    """Make the router of a pipeline's look-ups."""
    router = APIRouter(tags=["look-ups"])
    described = Lookups(lookups=[_about(lookup) for lookup in served.pipeline.lookups])

    @router.get("/lookups", summary="Which look-ups there are")
    def lookups() -> Lookups:
        """Which look-ups there are, and what can be set of each."""
        return described

    for lookup in served.pipeline.lookups:
        _add(router, lookup, served, clock)
    return router


def _add(router: APIRouter, lookup: Lookup, served: Served, clock: Clock) -> None:
    asked_model = _asked_model(served, lookup)

    def rows(request: Request, asked: Any) -> Response:  # noqa: ANN401 - the models are made while running
        page = look_up(
            lookup,
            served.session,
            asked_texts(asked, _PAGED_BY),
            clock.now(),
            limit=asked.limit,
            offset=asked.offset,
        )
        following = page.offset + page.limit
        body = msgspec.json.encode(
            {
                "rows": msgspec.Raw(encoded(page.rows, lookup.columns)),
                "limit": page.limit,
                "offset": page.offset,
                "next_offset": following if page.more and following <= OFFSET_MAX else None,
            }
        )
        return answered(request, body)

    rows.__annotations__["asked"] = Annotated[asked_model, Query()]
    router.add_api_route(
        f"/lookups/{lookup.name}",
        rows,
        response_model=None,
        responses={200: {"model": _answer_model(served, lookup)}},
        summary=lookup.title,
        description=f"{lookup.title}. {lookup.about}".strip(),
        name=f"lookup {lookup.name}",
    )


def _asked_model(served: Served, lookup: Lookup) -> type[BaseModel]:
    fields: dict[str, Any] = {each.name: parameter_field(each) for each in lookup.parameters}
    fields["limit"] = (int, Field(ROWS, ge=1, le=ROWS_MAX, description="How many rows at most."))
    fields["offset"] = (int, Field(0, ge=0, le=OFFSET_MAX, description="How many to leave out."))
    name = camel(served.pipeline.name, lookup.name, "LookupQuery")
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _answer_model(served: Served, lookup: Lookup) -> type[BaseModel]:
    name = camel(served.pipeline.name, lookup.name, "Lookup")
    row = row_model(f"{name}Row", lookup.about, lookup.columns)
    about = f"Ask for `offset` this to get the following page; null at the end, and beyond {OFFSET_MAX}."
    return create_model(
        name,
        __doc__=f"{lookup.title}.",
        rows=(list[row], Field()),  # type: ignore[valid-type]  # made while running
        limit=(int, Field()),
        offset=(int, Field()),
        next_offset=(int | None, Field(description=about)),
    )


def _about(lookup: Lookup) -> LookupAbout:
    return LookupAbout(
        name=lookup.name,
        title=lookup.title,
        about=lookup.about,
        parameters=[parameter_about(each) for each in lookup.parameters],
        columns=[column.name for column in lookup.columns],
    )
