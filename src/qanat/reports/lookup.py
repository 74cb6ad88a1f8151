"""Asking a look-up of a pipeline's store, page by page."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from qanat.errors import Fatal
from qanat.pipeline import Lookup
from qanat.reports.answer import Asked, statement_of
from qanat.reports.values import values_of
from qanat.tables import Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa


def look_up(
    lookup: Lookup,
    asked: Asked,
    given: Mapping[str, str],
    now: datetime,
    limit: int,
    offset: int = 0,
) -> "pa.Table":
    """Return at most `limit` rows of a look-up behind the first `offset`, in the types of its columns.

    Raises:
        ConfigError: A parameter can't be used, or nothing was counted here yet.
        Fatal: The statement returns other columns than are declared.
    """
    values = values_of(lookup, given, now)
    sql = f"{statement_of(lookup).rstrip().rstrip(';')}\nlimit $page_limit offset $page_offset"
    rows = asked.query(sql, {**values, "page_limit": limit, "page_offset": offset})
    expected = arrow_schema(Table(lookup.name, lookup.columns))
    if rows.schema.names != expected.names:
        raise Fatal(f"the look-up {lookup.name} returns {rows.schema.names}, not {expected.names}")
    return rows.cast(expected)
