"""Reports over HTTP: for each that a pipeline declares, its rows and its drawing, typed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from qanat.clock import Clock
from qanat.pipeline import Parameter, Pipeline, Report
from qanat.reports.answer import Answer, ask
from qanat.reports.chart import specification
from qanat.reports.values import LARGEST, SMALLEST
from qanat.serve.models import ExactInteger, ReportAbout, ReportParameter, Reports
from qanat.session import Session
from qanat.tables import Column, ColumnType

# Longer ones are no moment and no word.
TEXT_MAX = 100

_TYPES: Mapping[ColumnType, Any] = {
    ColumnType.INT64: int,
    ColumnType.INT128: ExactInteger,
    ColumnType.FLOAT64: float,
    ColumnType.TEXT: str,
    ColumnType.BOOLEAN: bool,
    ColumnType.TIMESTAMP: datetime,
}


def reports_router(pipeline: Pipeline, session: Session, clock: Clock) -> APIRouter:
    """Make the router of a pipeline's reports."""
    router = APIRouter(tags=["reports"])

    @router.get("/reports")
    def reports() -> Reports:
        """Which reports there are, and what can be set of each."""
        return Reports(reports=[_about(report) for report in pipeline.reports])

    for report in pipeline.reports:
        _add(router, report, session, clock)
    return router


def _add(router: APIRouter, report: Report, session: Session, clock: Clock) -> None:
    asked_model, answer_model = _asked_model(report), _answer_model(report)

    def answered(asked: BaseModel) -> Answer:
        given = {name: str(value) for name, value in asked.model_dump(exclude_unset=True).items()}
        return ask(report, session, given, clock.now())

    def rows(asked: Any) -> Any:  # noqa: ANN401 - the models are made while running
        return answer_model(rows=_rows(answered(asked)))

    def chart(asked: Any) -> Any:  # noqa: ANN401 - see above
        return specification(answered(asked))

    query = Annotated[asked_model, Query()]  # type: ignore[valid-type]  # made while running
    routes: list[tuple[str, Callable[..., Any], Any, str]] = [
        (f"/reports/{report.name}", rows, answer_model, f"{report.title}. {report.about}"),
        (
            f"/reports/{report.name}/chart",
            chart,
            dict[str, JsonValue],
            f"{report.title}, as a Vega-Lite specification.",
        ),
    ]
    for path, endpoint, answer, about in routes:
        endpoint.__annotations__ = {"asked": query, "return": answer}
        router.add_api_route(
            path,
            endpoint,
            response_model=answer,
            description=about,
            name=path.removeprefix("/").replace("/", " "),
        )


def _asked_model(report: Report) -> type[BaseModel]:
    fields: dict[str, Any] = {each.name: _parameter(each) for each in report.parameters}
    return create_model(_named(report, "Query"), __config__=ConfigDict(extra="forbid"), **fields)


def _parameter(parameter: Parameter) -> tuple[Any, Any]:
    about, default = parameter.about, parameter.default
    if parameter.type is ColumnType.INT64:
        smallest = SMALLEST if parameter.smallest is None else parameter.smallest
        largest = LARGEST if parameter.largest is None else parameter.largest
        start = int(default) if default else None
        kind = int if default else int | None
        return kind, Field(start, description=about, ge=smallest, le=largest)
    words: dict[str, Any] = {"enum": list(parameter.choices)} if parameter.choices else {}
    if parameter.choices:
        about = f"{about} One of {', '.join(parameter.choices)}."
    return str, Field(default, description=about, max_length=TEXT_MAX, json_schema_extra=words)


def _answer_model(report: Report) -> type[BaseModel]:
    fields: dict[str, Any] = {each.name: _column(each) for each in report.columns}
    row = create_model(_named(report, "Row"), __doc__=f"{report.about}", **fields)
    return create_model(
        _named(report, ""),
        __doc__=f"{report.title}.",
        rows=(list[row], Field()),  # type: ignore[valid-type]
    )


def _column(column: Column) -> tuple[Any, Any]:
    kind = _TYPES[column.type]
    about = Field(description=column.about) if column.about else Field()
    return (kind | None if column.nullable else kind), about


def _named(report: Report, part: str) -> str:
    words = report.name.replace("-", "_").split("_")
    return f"{''.join(map(str.capitalize, words))}Report{part}"


def _rows(answer: Answer) -> list[dict[str, Any]]:
    exact = [c.name for c in answer.report.columns if c.type is ColumnType.INT128]
    rows: list[dict[str, Any]] = answer.rows.to_pylist()
    for row in rows:
        for name in exact:
            row[name] = None if row[name] is None else f"{row[name]:f}"
    return rows


def _about(report: Report) -> ReportAbout:
    parameters = [
        ReportParameter(
            name=each.name, default=each.default, about=each.about, choices=list(each.choices)
        )
        for each in report.parameters
    ]
    return ReportAbout(
        name=report.name,
        title=report.title,
        about=report.about,
        parameters=parameters,
        columns=[column.name for column in report.columns],
    )
