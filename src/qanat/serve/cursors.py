"""Cursors: where a page of a table ends, as an opaque text, and the condition that begins after it."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import GenericAlias

import msgspec

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.reports.values import LARGEST, SMALLEST
from qanat.tables import ColumnType, Table

CURSOR_MAX = 4_000
PREFIX = "after_"

_PYTHON: Mapping[ColumnType, type] = {
    ColumnType.INT64: int,
    ColumnType.TEXT: str,
    ColumnType.BOOLEAN: bool,
    ColumnType.TIMESTAMP: datetime,
    ColumnType.BYTES: bytes,
}


def keyed(table: Table) -> bool:
    """Tell whether the table can be read in order of its key: none of it null, all of it comparable exactly."""
    columns = [table.column(name) for name in table.key]
    return bool(columns) and all(c.type in _PYTHON and not c.nullable for c in columns)


def cursor_of(row: Mapping[str, object], table: Table) -> str:
    """Return the cursor behind `row`."""
    packed = msgspec.json.encode([row[name] for name in table.key])
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def values_of(cursor: str, table: Table) -> dict[str, Scalar]:
    """Return the key in a cursor, by the names of the condition's parameters.

    Raises:
        ConfigError: It isn't one of this table's.
    """
    kind = GenericAlias(tuple, tuple(_PYTHON[table.column(name).type] for name in table.key))
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        values: Sequence[Scalar] = msgspec.json.decode(packed, type=kind)
        return {f"{PREFIX}{index}": _checked(value) for index, value in enumerate(values)}
    except (ValueError, binascii.Error, msgspec.DecodeError, OverflowError) as error:
        raise ConfigError("cursor", cursor, "the next_cursor of an answer of this table") from error


def condition(table: Table) -> str:
    """Return the condition that the key is greater than the cursor's.

    Spelt out column by column: the first comparison alone lets a store skip what lies before.
    """
    names = [_quoted(name) for name in table.key]
    whole = f"{names[-1]} > ${PREFIX}{len(names) - 1}"
    for index in range(len(names) - 2, -1, -1):
        name, value = names[index], f"${PREFIX}{index}"
        whole = f"{name} >= {value} and ({name} > {value} or ({whole}))"
    return whole


def _checked(value: Scalar) -> Scalar:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        raise ValueError("beyond 64 bits")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text has no NUL")
    return value


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
