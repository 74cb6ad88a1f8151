"""Look-ups: questions about one thing, or a list that is read page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.pipeline import Lookup, Pipeline
from qanat.reports.answer import Asked, rows_of, statement_of
from qanat.reports.values import values_of

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 100
"""Rows of a page, where nothing else is asked for."""

ROWS_MAX = 1_000
"""Rows of one page at most: some 100 kB of JSON."""

OFFSET_MAX = 1_000_000
"""How far pages go: a store walks over all the rows before a page. Whoever wants everything takes the table."""

PAGE_END = "page_end"
"""The parameter of a look-up that chooses its rows before it reads them: how many there are up to the page's end, and one."""

_PAGE = "\nlimit $page_limit offset $page_offset"


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a look-up's answer.

    Attributes:
        values: The parameters as they were used.
        rows: In the types of the look-up's columns; at most `limit`.
        more: There are rows behind them.
    """

    lookup: Lookup
    values: Mapping[str, Scalar]
    rows: "pa.Table"
    limit: int
    offset: int
    more: bool


def lookup_named(pipeline: Pipeline, name: str) -> Lookup:
    """Return a look-up of a pipeline.

    Raises:
        ConfigError: It has none of this name.
    """
    for lookup in pipeline.lookups:
        if lookup.name == name:
            return lookup
    known = ", ".join(lookup.name for lookup in pipeline.lookups)
    raise ConfigError("LOOKUP", name, f"one of {known}" if known else "left out: there is none")


def look_up(
    lookup: Lookup,
    asked: Asked,
    given: Mapping[str, str],
    now: datetime,
    *,
    limit: int = ROWS,
    offset: int = 0,
) -> Page:
    """Answer one page.

    Args:
        lookup: Which one; its statement ends with an order that leaves no ties.
        asked: The store.
        given: Parameters as a user wrote them; the others have their defaults.
        now: From when spans reach back.
        limit: Rows at most, from 1 to `ROWS_MAX`.
        offset: Rows before them, from 0 to `OFFSET_MAX`.

    Raises:
        ConfigError: A parameter or a bound can't be used, or nothing was counted here yet.
        Fatal: The statement returns other columns than are declared.
    """
    _check("--limit", limit, 1, ROWS_MAX)
    _check("--offset", offset, 0, OFFSET_MAX)
    values = values_of(lookup, given, now)
    page = {"page_limit": limit + 1, "page_offset": offset}
    if f"${PAGE_END}" in statement_of(lookup):
        page[PAGE_END] = offset + limit + 1
    rows = rows_of(lookup, asked, {**values, **page}, further=_PAGE)
    return Page(lookup, values, rows.slice(0, limit), limit, offset, rows.num_rows > limit)


def _check(name: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        raise ConfigError(name, value, f"a whole number from {smallest} to {largest}")
