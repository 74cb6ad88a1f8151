"""Every function that a transform may call, by its name."""

from collections.abc import Mapping

from qanat.sql.functions import Function
from qanat.sql.functions_aggregates import AGGREGATES, PLAIN_AGGREGATES
from qanat.sql.functions_time import PLAIN_TIME, TIME
from qanat.sql.functions_values import PLAIN_VALUES, VALUES
from qanat.tables import Column, ColumnType

CANONICAL = (*TIME, *VALUES, *AGGREGATES)
"""Those with one meaning of ours, and hand-written SQL per engine."""

FUNCTIONS: Mapping[str, Function] = {
    each.name: each for each in (*CANONICAL, *PLAIN_TIME, *PLAIN_VALUES, *PLAIN_AGGREGATES)
}
"""All that are called like any function. Those with a grammar of their own are in `qanat.sql.special`."""

EXAMPLES = (
    Column("created_at", ColumnType.TIMESTAMP),
    Column("revised_at", ColumnType.TIMESTAMP, nullable=True),
    Column("wiki", ColumnType.TEXT),
    Column("domain", ColumnType.TEXT),
    Column("page_id", ColumnType.INT64),
    Column("page_title", ColumnType.TEXT),
    Column("namespace", ColumnType.INT64),
    Column("user_id", ColumnType.INT64, nullable=True),
    Column("is_bot", ColumnType.BOOLEAN),
    Column("pages", ColumnType.INT64),
    Column("share", ColumnType.FLOAT64, nullable=True),
    Column("data", ColumnType.TEXT),
)
"""The columns of the relation `batch` that the examples of functions are written for."""
