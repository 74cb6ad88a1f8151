"""Functions of many rows."""

from qanat.sql.functions import ANY, BOOLEAN, Argument, Function
from qanat.sql.typed import INTEGERS, Kind
from qanat.tables import ColumnType

_ORDERED: frozenset[Kind] = ANY - {ColumnType.BYTES}
_LISTED: frozenset[Kind] = frozenset({ColumnType.TEXT, ColumnType.INT64})
_NO_LIMIT = "2147483647"


def _count(written: str) -> str:
    if not written.isdecimal() or not 1 <= int(written) <= int(_NO_LIMIT):
        raise ValueError("a whole number from 1 on")
    return written


AGGREGATES = (
    Function(
        "latest_by",
        "The value of the row with the greatest version. Rows whose version is null are left out. Of equal versions the greatest "
        "value wins; null only if there is no other.",
        "latest_by(page_title, created_at)",
        (Argument("value", _ORDERED), Argument("version", _ORDERED)),
        0,
        "struct_extract(max(struct_pack(v := {1}, k := ({0}) is not null, x := {0}))"
        " filter (where ({1}) is not null{and_where}), 'x')",
        "max(named_struct('v', {1}, 'k', ({0}) is not null, 'x', {0}))"
        " filter (where ({1}) is not null{and_where}).x",
        nullable=True,
        aggregate=True,
    ),
    Function(
        "collect_ordered",
        "A JSON list of the values, by ascending order, at most `n` of them. Null values are left out; `[]` if none is left. "
        "Values with equal order are ordered by themselves; a null order comes last.",
        "collect_ordered(page_title, created_at, 20)",
        (
            Argument("value", _LISTED),
            Argument("order", _ORDERED),
            Argument("n", frozenset({ColumnType.INT64}), _count, default=_NO_LIMIT),
        ),
        ColumnType.TEXT,
        "coalesce(cast(to_json((list({0} order by ({1}) is null, {1}, {0})"
        " filter (where ({0}) is not null{and_where}))[1:{2}]) as varchar), '[]')",
        "to_json(transform(slice(array_sort(collect_list(named_struct('n', ({1}) is null, 'o', {1}, 'x', {0}))"
        " filter (where ({0}) is not null{and_where})), 1, {2}), each -> each.x))",
        nullable=False,
        aggregate=True,
    ),
    Function(
        "count_if",
        "How many rows there are for which the condition is true.",
        "count_if(is_bot)",
        (Argument("condition", BOOLEAN),),
        ColumnType.INT64,
        "count(*) filter (where ({0}){and_where})",
        "count(*) filter (where ({0}){and_where})",
        nullable=False,
        aggregate=True,
    ),
)
"""Those with a meaning of ours, in the order of the documentation."""

PLAIN_AGGREGATES = (
    Function(
        "sum",
        "The exact sum of whole numbers, of type int128; null if there is no value. An error beyond 38 digits.",
        "sum(pages)",
        (Argument("value", INTEGERS),),
        ColumnType.INT128,
        "cast(sum({0}){where}{over} as hugeint)",
        "cast(sum(cast({0} as decimal(38, 0))){where}{over} as decimal(38, 0))",
        aggregate=True,
        over_windows=True,
        canonical=False,
    ),
    Function(
        "min",
        "The least value; null if there is none. Texts compare by their code points.",
        "min(created_at)",
        (Argument("value", _ORDERED),),
        0,
        "min({0}){where}{over}",
        "min({0}){where}{over}",
        aggregate=True,
        over_windows=True,
        canonical=False,
    ),
    Function(
        "max",
        "The greatest value; null if there is none.",
        "max(created_at)",
        (Argument("value", _ORDERED),),
        0,
        "max({0}){where}{over}",
        "max({0}){where}{over}",
        aggregate=True,
        over_windows=True,
        canonical=False,
    ),
    Function(
        "bool_and",
        "Whether no value is false; null if there is no value.",
        "bool_and(is_bot)",
        (Argument("value", BOOLEAN),),
        ColumnType.BOOLEAN,
        "bool_and({0}){where}{over}",
        "bool_and({0}){where}{over}",
        aggregate=True,
        canonical=False,
    ),
    Function(
        "bool_or",
        "Whether a value is true; null if there is no value.",
        "bool_or(is_bot)",
        (Argument("value", BOOLEAN),),
        ColumnType.BOOLEAN,
        "bool_or({0}){where}{over}",
        "bool_or({0}){where}{over}",
        aggregate=True,
        canonical=False,
    ),
    Function(
        "count",
        "How many rows there are with a value; with `*`, how many there are; with `distinct`, how many different values.",
        "count(user_id)",
        (Argument("value", ANY),),
        ColumnType.INT64,
        "count({0}){where}{over}",
        "count({0}){where}{over}",
        nullable=False,
        aggregate=True,
        over_windows=True,
        canonical=False,
    ),
)
"""Those of the language."""
