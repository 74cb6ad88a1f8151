"""Reports over HTTP: for each that a pipeline declares, its rows and its drawing, typed, with its age."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from qanat.clock import Clock
from qanat.pipeline import Report
from qanat.reports.answer import Answer, ask, parameters_of
from qanat.reports.chart import specification
from qanat.reports.stored import is_stale
from qanat.runtime.windows import is_stored, step_of
from qanat.serve.answers import answered, digest_of, takes_long
from qanat.serve.columns import asked_texts, camel, encoded, parameter_field, row_model
from qanat.serve.models import ReportAbout, Reports, parameter_about
from qanat.serve.newest import Newest
from qanat.serve.served import Served
from qanat.serve.stored import Text

# A late event has a stored report made anew at any time: nobody keeps one for longer than this, however far the next is.
HOLDS_S_MAX = 60
# A report that is made on demand costs more than a look-up.
ON_DEMAND_S = 5


def reports_router(served: Served, clock: Clock) -> APIRouter:
    """Make the router of a pipeline's reports."""
    router = APIRouter(tags=["reports"])
    described = Reports(reports=[_about(report) for report in served.pipeline.reports])

    @router.get("/reports", summary="Which reports there are")
    def reports() -> Reports:
        """Which reports there are, and what can be set of each."""
        return described

    for report in served.pipeline.reports:
        _add(router, report, served, clock)
    return router


def _add(router: APIRouter, report: Report, served: Served, clock: Clock) -> None:
    newest = Newest(served.session, report, clock)
    asked_model, answer_model = _asked_model(served, report), _answer_model(served, report)

    async def rows(request: Request, asked: Any) -> Response:  # noqa: ANN401 - the models are made while running
        given, now = asked_texts(asked), clock.now()
        if is_stored(report) and not given:
            text = newest.kept()
            if text is not None and not takes_long(request, text.rows):
                return _stored(request, report, text, now)
        return await to_thread.run_sync(looked, request, given, now)

    def looked(request: Request, given: Mapping[str, str], now: datetime) -> Response:
        if is_stored(report) and not given:
            text = newest.text()
            if text is not None:
                return _stored(request, report, text, now)
        return _asked(request, ask(report, served.session, given, now), now)

    def chart(request: Request, asked: Any) -> Response:  # noqa: ANN401 - see above
        answer = ask(report, served.session, asked_texts(asked), clock.now())
        body = msgspec.json.encode(specification(answer))
        return answered(request, body, holds_s=ON_DEMAND_S)

    routes: list[tuple[str, Callable[..., object], Any, str]] = [
        ("", rows, answer_model, f"{report.title}. {report.about}".strip()),
        ("/chart", chart, dict[str, JsonValue], f"{report.title}, as a Vega-Lite specification."),
    ]
    for path, endpoint, answer, about in routes:
        endpoint.__annotations__["asked"] = Annotated[asked_model, Query()]
        router.add_api_route(
            f"/reports/{report.name}{path}",
            endpoint,
            response_model=None,
            responses={200: {"model": answer}},
            summary=report.title if not path else f"{report.title}, drawn",
            description=about,
            name=f"reports {report.name}{path.replace('/', ' ')}",
        )


def _stored(request: Request, report: Report, text: Text, now: datetime) -> Response:
    made = text.made
    due, stale = made.window_end + step_of(report), is_stale(report, made.window_end, now)
    told = _Told(made.window_start, made.window_end, made.made_at, stale)
    tag = f"{made.digest}-{made.window_end:%Y%m%d%H%M%S}-{made.revision}{'-stale' if stale else ''}"
    holds_s = min(HOLDS_S_MAX, max(0, int((due - now).total_seconds())))
    return answered(request, _body(text.rows, told, now), holds_s=holds_s, etag=tag)


def _asked(request: Request, answer: Answer, now: datetime) -> Response:
    rows = encoded(answer.rows, answer.report.columns)
    # Of a window that was asked for nothing is overdue.
    told = _Told(answer.window_start, answer.window_end, answer.made_at or now, stale=False)
    tag = f"{digest_of(rows)}-{answer.revision}"
    if answer.window_end is not None:
        tag = f"{tag}-{answer.window_end:%Y%m%d%H%M%S}"
    return answered(request, _body(rows, told, now), holds_s=ON_DEMAND_S, etag=tag)


class _Told(NamedTuple):
    """What an answer says of itself."""

    window_start: datetime | None
    window_end: datetime | None
    made_at: datetime
    stale: bool


def _body(rows: bytes, told: _Told, now: datetime) -> bytes:
    age_s = round(max(0.0, (now - told.made_at).total_seconds()), 3)
    return msgspec.json.encode({"rows": msgspec.Raw(rows), **told._asdict(), "age_s": age_s})


def _asked_model(served: Served, report: Report) -> type[BaseModel]:
    fields: dict[str, Any] = {each.name: parameter_field(each) for each in parameters_of(report)}
    name = camel(served.pipeline.name, report.name, "ReportQuery")
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _answer_model(served: Served, report: Report) -> type[BaseModel]:
    name = camel(served.pipeline.name, report.name, "Report")
    row = row_model(f"{name}Row", report.about, report.columns)
    window = "null for a report without a window"
    return create_model(
        name,
        __doc__=f"{report.title}.",
        rows=(list[row], Field()),  # type: ignore[valid-type]  # made while running
        window_start=(
            datetime | None,
            Field(description=f"It covers what happened from here; {window}."),
        ),
        window_end=(
            datetime | None,
            Field(description=f"It covers what happened before this; {window}."),
        ),
        made_at=(datetime, Field(description="When it was made.")),
        age_s=(float, Field(description="Since then, in seconds.", ge=0)),
        stale=(bool, Field(description="The report that follows is overdue.")),
    )


def _about(report: Report) -> ReportAbout:
    return ReportAbout(
        name=report.name,
        title=report.title,
        about=report.about,
        parameters=[parameter_about(each) for each in parameters_of(report)],
        columns=[column.name for column in report.columns],
        window_s=report.window_s,
        every_s=report.every_s,
    )
