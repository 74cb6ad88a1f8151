"""Tables over HTTP: each that a pipeline declares, typed, page by page, by equality on its keys and indexes."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from qanat.interfaces import Scalar
from qanat.reports.lookup import OFFSET_MAX
from qanat.serve import cursors
from qanat.serve.answers import answered
from qanat.serve.columns import camel, encoded, filter_field, row_model
from qanat.serve.models import PAGE_MAX, ColumnAbout, TableAbout, Tables
from qanat.serve.served import Served
from qanat.tables import Table

# What a page is asked by; a column of such a name is filtered by the name with a stroke behind it.
_RESERVED = frozenset({"limit", "cursor", "offset"})


def tables_router(served: Served) -> APIRouter:
    """Make the router of a pipeline's tables."""
    router = APIRouter(tags=["tables"])
    described = Tables(tables=[_about(table) for table in served.pipeline.tables])

    @router.get("/tables", summary="Which tables there are")
    def tables() -> Tables:
        """Which tables there are, their columns, and by what each can be asked."""
        return described

    for table in served.pipeline.tables:
        _add(router, table, served)
    return router


def _add(router: APIRouter, table: Table, served: Served) -> None:
    asked_model = _asked_model(served, table)

    def rows(request: Request, asked: Any) -> Response:  # noqa: ANN401 - the models are made while running
        body = (
            _keyset(served, table, asked) if cursors.keyed(table) else _offset(served, table, asked)
        )
        return answered(request, body)

    rows.__annotations__["asked"] = Annotated[asked_model, Query()]
    router.add_api_route(
        f"/tables/{table.name}",
        rows,
        response_model=None,
        responses={200: {"model": _answer_model(served, table)}},
        summary=f"Rows of {table.name}",
        description=_description(table),
        name=f"table {table.name}",
    )


def _keyset(served: Served, table: Table, asked: BaseModel) -> bytes:
    """Read the rows behind the cursor, in order of the key; whatever is written meanwhile, none comes twice."""
    given = asked.model_dump()
    conditions, values = _filters(table, asked)
    if given["cursor"]:
        conditions.append(cursors.condition(table))
        values |= cursors.values_of(given["cursor"], table)
    found, more = _read(served, table, conditions, values, given["limit"])
    rows = encoded(found, table.columns)
    following = None
    if more:
        last = found.slice(found.num_rows - 1).select(list(table.key)).to_pylist()[0]
        following = cursors.cursor_of(last, table)
    return msgspec.json.encode(
        {"rows": msgspec.Raw(rows), "limit": given["limit"], "next_cursor": following}
    )


def _offset(served: Served, table: Table, asked: BaseModel) -> bytes:
    given = asked.model_dump()
    conditions, values = _filters(table, asked)
    offset = given["offset"]
    found, more = _read(served, table, conditions, values, given["limit"], offset)
    following = offset + given["limit"]
    return msgspec.json.encode(
        {
            "rows": msgspec.Raw(encoded(found, table.columns)),
            "limit": given["limit"],
            "offset": offset,
            "next_offset": following if more and following <= OFFSET_MAX else None,
        }
    )


def _read(
    served: Served,
    table: Table,
    conditions: list[str],
    values: Mapping[str, Scalar],
    limit: int,
    offset: int = 0,
) -> tuple[Any, bool]:
    """Return a page's rows, and whether there are more."""
    where = f" where {' and '.join(f'({each})' for each in conditions)}" if conditions else ""
    order = table.key or table.names
    sql = (
        f"select {', '.join(map(_quoted, table.names))} from {_quoted(table.name)}{where}"
        f" order by {', '.join(map(_quoted, order))} limit $page_limit offset $page_offset"
    )
    asked = {**values, "page_limit": limit + 1, "page_offset": offset}
    found = served.session.query(sql, asked)
    return found.slice(0, limit), found.num_rows > limit


def _filters(table: Table, asked: BaseModel) -> tuple[list[str], dict[str, Scalar]]:
    given = asked.model_dump(exclude_unset=True, exclude_none=True)
    named = {_asked_name(name): name for name in _filterable(table)}
    chosen = [
        (named[asked_name], value) for asked_name, value in given.items() if asked_name in named
    ]
    conditions = [f"{_quoted(name)} = $is_{index}" for index, (name, _) in enumerate(chosen)]
    return conditions, {f"is_{index}": value for index, (_, value) in enumerate(chosen)}


def _filterable(table: Table) -> list[str]:
    """Return the columns of keys and indexes: those that a store finds rows by."""
    names = [name for several in (table.key, *table.unique, *table.indexes) for name in several]
    return [name for name in dict.fromkeys(names) if filter_field(table.column(name)) is not None]


def _asked_name(column: str) -> str:
    return f"{column}_" if column in _RESERVED else column


def _asked_model(served: Served, table: Table) -> type[BaseModel]:
    fields: dict[str, Any] = {
        _asked_name(name): filter_field(table.column(name)) for name in _filterable(table)
    }
    fields["limit"] = (int, Field(100, ge=1, le=PAGE_MAX, description="How many rows at most."))
    if cursors.keyed(table):
        about = "The `next_cursor` of the page before; empty for the first page."
        fields["cursor"] = (str, Field("", max_length=cursors.CURSOR_MAX, description=about))
    else:
        about = "How many rows to leave out."
        fields["offset"] = (int, Field(0, ge=0, le=OFFSET_MAX, description=about))
    name = camel(served.pipeline.name, table.name, "TableQuery")
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _answer_model(served: Served, table: Table) -> type[BaseModel]:
    row = row_model(camel(served.pipeline.name, table.name, "Row"), table.about, table.columns)
    fields: dict[str, Any] = {"rows": (list[row], Field()), "limit": (int, Field())}  # type: ignore[valid-type]
    if cursors.keyed(table):
        about = "Ask for `cursor` this to get the following page; null at the end."
        fields["next_cursor"] = (str | None, Field(description=about))
    else:
        about = f"Ask for `offset` this to get the following page; null at the end, and beyond {OFFSET_MAX}."
        fields["offset"] = (int, Field())
        fields["next_offset"] = (int | None, Field(description=about))
    name = camel(served.pipeline.name, table.name, "Page")
    return create_model(name, __doc__=f"A page of the table {table.name}.", **fields)


def _description(table: Table) -> str:
    order = f"in order of {', '.join(table.key)}" if table.key else "in order of all columns"
    return f"{table.about[:1].upper()}{table.about[1:] or table.name}; {order}.".replace(".;", ";")


def _about(table: Table) -> TableAbout:
    columns = [
        ColumnAbout(name=c.name, type=c.type, nullable=c.nullable, about=c.about)
        for c in table.columns
    ]
    return TableAbout(
        name=table.name,
        about=table.about,
        key=list(table.key),
        filters=[_asked_name(name) for name in _filterable(table)],
        pages="cursor" if cursors.keyed(table) else "offset",
        columns=columns,
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
