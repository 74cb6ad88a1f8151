"""Columns as they are declared, as types of the description and as JSON.

Rows aren't checked against the types on their way out: the store gave them in the declared types already. A test compares
answers with the description.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import AfterValidator, BaseModel, Field, create_model

from qanat.pipeline import Parameter
from qanat.reports.values import LARGEST, SMALLEST
from qanat.serve.models import ExactInteger
from qanat.tables import Column, ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

# Longer ones are no moment, no word and no key.
TEXT_MAX = 1_000

_KINDS: Mapping[ColumnType, Any] = {
    ColumnType.INT64: int,
    ColumnType.INT128: ExactInteger,
    # JSON has no infinity and no not-a-number: they travel as null.
    ColumnType.FLOAT64: float | None,
    ColumnType.TEXT: str,
    ColumnType.BYTES: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})],
    ColumnType.BOOLEAN: bool,
    ColumnType.TIMESTAMP: datetime,
}
_EXAMPLES: Mapping[ColumnType, object] = {
    ColumnType.INT64: 42,
    ColumnType.INT128: "170141183460469231731687303715884105727",
    ColumnType.FLOAT64: 0.25,
    ColumnType.TEXT: "text",
    ColumnType.BYTES: "NyD/",
    ColumnType.BOOLEAN: True,
    ColumnType.TIMESTAMP: "2026-11-22T04:00:00Z",
}
_ENCODER = msgspec.json.Encoder()


def row_model(name: str, about: str, columns: Sequence[Column]) -> type[BaseModel]:
    """Make the type of one row, for the description."""
    fields: dict[str, Any] = {column.name: _field(column) for column in columns}
    return create_model(name, __doc__=about or None, **fields)


def camel(*words: str) -> str:
    """Join names to the name of a type: `metering`, `top-users` become `MeteringTopUsers`."""
    parts = "_".join(words).replace("-", "_").split("_")
    return "".join(part[:1].upper() + part[1:] for part in parts)


def encoded(rows: "pa.Table", columns: Sequence[Column]) -> bytes:
    """Write rows as a JSON array of objects. `rows` has the columns, by place, in their declared types."""
    values = [
        _exact(column.to_pylist()) if told.type is ColumnType.INT128 else column.to_pylist()
        for column, told in zip(rows.columns, columns, strict=True)
    ]
    keys = [column.name for column in columns]
    return _ENCODER.encode([dict(zip(keys, row, strict=True)) for row in zip(*values, strict=True)])


def parameter_field(parameter: Parameter) -> tuple[Any, Any]:
    """Return type and field of what can be set of a report or a look-up."""
    about, default = parameter.about, parameter.default
    if parameter.type is ColumnType.INT64:
        smallest = SMALLEST if parameter.smallest is None else parameter.smallest
        largest = LARGEST if parameter.largest is None else parameter.largest
        start = int(default) if default else None
        kind: Any = int if default else int | None
        return kind, Field(start, description=about, ge=smallest, le=largest)
    words: dict[str, Any] = {"enum": list(parameter.choices)} if parameter.choices else {}
    if parameter.choices:
        about = f"{about} One of {', '.join(parameter.choices)}."
    text: Any = Annotated[str, AfterValidator(_without_nul)]
    return text, Field(default, description=about, max_length=TEXT_MAX, json_schema_extra=words)


def filter_field(column: Column) -> tuple[Any, Any] | None:
    """Return type and field of an equality on `column`; None where it can't be asked for."""
    about = (
        f"Only rows whose `{column.name}` is this{f' ({column.about})' if column.about else ''}."
    )
    match column.type:
        case ColumnType.INT64:
            return int | None, Field(None, description=about, ge=SMALLEST, le=LARGEST)
        case ColumnType.TEXT:
            text: Any = Annotated[str, AfterValidator(_without_nul)] | None
            return text, Field(None, description=about, max_length=TEXT_MAX)
        case ColumnType.BOOLEAN:
            return bool | None, Field(None, description=about)
        case ColumnType.TIMESTAMP:
            moment: Any = Annotated[datetime, AfterValidator(_in_utc)] | None
            return moment, Field(None, description=about)
        case _:
            return None


def asked_texts(asked: BaseModel, beside: Set[str] = frozenset()) -> dict[str, str]:
    """Return what was set, as texts by name; without what is `beside` a question's own parameters."""
    given = asked.model_dump(exclude_unset=True, exclude_none=True, exclude=set(beside))
    return {name: str(value) for name, value in given.items()}


def _field(column: Column) -> tuple[Any, Any]:
    kind = _KINDS[column.type]
    about = Field(description=column.about or None, examples=[_EXAMPLES[column.type]])
    return (kind | None if column.nullable else kind), about


def _exact(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else f"{value:f}" for value in values]


def _without_nul(text: str) -> str:
    if "\0" in text:  # which PostgreSQL's texts can't hold
        raise ValueError("a text has no NUL")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC it has no year of four digits") from error
