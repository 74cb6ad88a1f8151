"""The expressions that are accepted: each kind has a rule here, in `operators` or in `calls`; all others are refused."""

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from qanat.sql.calls import call, filtered, windowed
from qanat.sql.functions_time import MICROSECONDS
from qanat.sql.operators import OPERATORS, compared
from qanat.sql.place import Place, shown
from qanat.sql.refusals import ESCAPE_HATCH, NODES, UNREPEATABLE
from qanat.sql.relations import Relation
from qanat.sql.special import NotAlike, unified
from qanat.sql.typed import (
    Extra,
    Typed,
    derived,
    joined,
    same,
    string_text,
    templated,
)
from qanat.tables import ColumnType

_CALENDAR_UNITS = ("month", "year")
_INT64_MAX = 2**63 - 1
_SECONDS = re.compile(r"[0-9]{1,9}[.][0-9]{1,6}")


def typed(node: exp.Expr, place: Place) -> Typed:
    """Check an expression.

    Raises:
        SqlError: It isn't valid, or isn't known to be equal on every engine.
    """
    rule = _RULES.get(type(node))
    if rule is not None:
        return rule(node, place)
    name = type(node).__name__
    if name in NODES:
        raise place.refuse(node, f"`{shown(node)}`", *NODES[name])
    raise place.fail(node, f"`{shown(node)}` isn't known to be equal on the engines", ESCAPE_HATCH)


def _column(node: exp.Expr, place: Place) -> Typed:
    assert isinstance(node, exp.Column)  # noqa: S101 — the rule is only entered for it
    if isinstance(node.this, exp.Star):
        raise place.refuse(node, f"`{shown(node)}`", *NODES["Star"])
    if not node.table and node.name.lower() in UNREPEATABLE:
        raise place.refuse(node, node.name.lower(), *UNREPEATABLE[node.name.lower()])
    return place.scope.column(place.known, node)


def _literal(node: exp.Expr, place: Place) -> Typed:
    if node.is_string:
        return Typed(ColumnType.TEXT, False, string_text(node.name), literal=node.name)
    whole = node.name.isdecimal()
    nonzero = bool(node.name.lower().split("e")[0].strip("0."))
    if whole and int(node.name) > _INT64_MAX:
        raise place.fail(node, f"{node.name} doesn't fit in an int64")
    if whole:
        text = {"duckdb": f"{node.name}::bigint", "spark": f"{node.name}L"}
        return Typed(ColumnType.INT64, False, text, literal=node.name, never_zero=nonzero)
    # Written with an exponent it is a double everywhere, and not a decimal.
    text = {"duckdb": _exponent(node.name), "spark": _exponent(node.name)}
    return Typed(ColumnType.FLOAT64, False, text, literal=node.name, never_zero=nonzero)


def _exponent(number: str) -> str:
    return number if "e" in number.lower() else f"{number}e0"


def _interval(node: exp.Expr, place: Place) -> Typed:
    unit = node.args["unit"].name.lower().rstrip("s") if node.args.get("unit") else ""
    count = node.this.name if isinstance(node.this, exp.Literal) else ""
    fraction = unit == "second" and _SECONDS.fullmatch(count)
    if not (count.isdecimal() or fraction) or unit not in {*MICROSECONDS, *_CALENDAR_UNITS}:
        units = ", ".join((*MICROSECONDS, *_CALENDAR_UNITS))
        raise place.fail(node, f"no interval {shown(node)}", f"A number and one of {units}")
    return Typed(Extra.INTERVAL, False, same(f"interval '{count}' {unit}"))


def _null(_node: exp.Expr, _place: Place) -> Typed:
    return Typed(Extra.NULL, True, same("null"))


def _boolean(node: exp.Expr, _place: Place) -> Typed:
    return Typed(ColumnType.BOOLEAN, False, same("true" if node.this else "false"))


def _connected(node: exp.Expr, place: Place) -> Typed:
    left, right = place.condition(node.this), place.condition(node.expression)
    word = "and" if isinstance(node, exp.And) else "or"
    text = templated(f"({{0}} {word} {{1}})", (left.text, right.text))
    return derived(ColumnType.BOOLEAN, text, (left, right))


def _not(node: exp.Expr, place: Place) -> Typed:
    value = place.condition(node.this)
    return derived(ColumnType.BOOLEAN, templated("(not {0})", (value.text,)), (value,))


def _paren(node: exp.Expr, place: Place) -> Typed:
    return place.typed(node.this)


def _is(node: exp.Expr, place: Place) -> Typed:
    value, what = place.typed(node.this), node.expression
    if isinstance(what, exp.Null):
        text = templated("({0} is null)", (value.text,))
        return derived(ColumnType.BOOLEAN, text, (value,), nullable=False)
    if isinstance(what, exp.Boolean) and value.kind is ColumnType.BOOLEAN:
        text = templated(f"({{0}} is {'true' if what.this else 'false'})", (value.text,))
        return derived(ColumnType.BOOLEAN, text, (value,), nullable=False)
    raise place.fail(node, f"`{shown(node)}` has no meaning here")


def _between(node: exp.Expr, place: Place) -> Typed:
    value, low = compared(node, node.this, node.args["low"], place)
    _, high = compared(node, node.this, node.args["high"], place)
    text = templated("({0} between {1} and {2})", (value.text, low.text, high.text))
    return derived(ColumnType.BOOLEAN, text, (value, low, high))


def _in(node: exp.Expr, place: Place) -> Typed:
    query = node.args.get("query")
    if query is not None and isinstance(node.this, exp.Tuple):
        return _together_in(node, query, place)
    if query is not None:
        value, inner = place.typed(node.this), _inner(query, place)
        if len(inner.outputs) != 1 or inner.outputs[0].kind is not value.kind:
            raise place.fail(node, f"`in` needs one column of type {value.kind}")
        text = templated("({0} in ({1}))", (value.text, inner.text))
        nullable = value.nullable or inner.outputs[0].nullable
        return derived(ColumnType.BOOLEAN, text, (value,), nullable=nullable)
    if not node.expressions:
        raise place.fail(node, f"`{shown(node)}` isn't accepted", "in (a, b, …) or in (select …)")
    pairs = [compared(node, node.this, each, place) for each in node.expressions]
    listed = joined(", ", [each.text for _, each in pairs])
    text = templated("({0} in ({1}))", (pairs[0][0].text, listed))
    return derived(ColumnType.BOOLEAN, text, (pairs[0][0], *(each for _, each in pairs)))


def _together_in(node: exp.Expr, query: exp.Expr, place: Place) -> Typed:
    """`(a, b) in (select …)`: where it isn't negated, a comparison with null is as good as false."""
    values, inner = [place.typed(each) for each in node.this.expressions], _inner(query, place)
    if [value.kind for value in values] != [output.kind for output in inner.outputs]:
        kinds = ", ".join(str(value.kind) for value in values)
        raise place.fail(node, f"`in` needs columns of the types {kinds}")
    if isinstance(node.parent, exp.Not):
        why = "the engines take nulls in it differently"
        raise place.refuse(node, "`not in` of several values", why, "not exists (select …)")
    listed = joined(", ", [value.text for value in values])
    text = templated("(({0}) in ({1}))", (listed, inner.text))
    return derived(ColumnType.BOOLEAN, text, values, nullable=True)


def _case(node: exp.Expr, place: Place) -> Typed:
    subject, default = node.this, node.args.get("default")
    conditions = [
        _when(each, subject, place) if subject is not None else place.condition(each.this)
        for each in node.args["ifs"]
    ]
    values = [place.typed(each.args["true"]) for each in node.args["ifs"]]
    values += [place.typed(default)] if default is not None else []
    try:
        kind, texts = unified(values)
    except NotAlike as error:
        raise place.fail(node, f"the values of `case` are {error}: they need one type") from error
    branches = [
        templated("when {0} then {1}", (condition.text, text))
        for condition, text in zip(conditions, texts, strict=False)
    ]
    branches += [templated("else {0}", texts[-1:])] if default is not None else []
    text = templated("(case {0} end)", (joined(" ", branches),))
    nullable = default is None or any(value.nullable for value in values)
    return derived(kind, text, (*conditions, *values), nullable=nullable)


def _when(branch: exp.Expr, subject: exp.Expr, place: Place) -> Typed:
    value, other = compared(branch, subject, branch.this, place)
    text = templated("{0} = {1}", (value.text, other.text))
    return derived(ColumnType.BOOLEAN, text, (value, other))


def _like(node: exp.Expr, place: Place) -> Typed:
    value, pattern = place.of(node.this, ColumnType.TEXT), place.typed(node.expression)
    if pattern.literal is None or "\\" in pattern.literal:
        why = "the engines take backslashes differently"
        raise place.refuse(node, "`like` with this pattern", why, "a pattern that is written out")
    text = templated("({0} like {1})", (value.text, pattern.text))
    return derived(ColumnType.BOOLEAN, text, (value,))


def _concatenated(node: exp.Expr, place: Place) -> Typed:
    left = place.of(node.this, ColumnType.TEXT)
    right = place.of(node.expression, ColumnType.TEXT)
    return derived(
        ColumnType.TEXT, templated("({0} || {1})", (left.text, right.text)), (left, right)
    )


def _extract(node: exp.Expr, place: Place) -> Typed:
    """`extract(epoch from b - a)`: the seconds between two moments."""
    if node.name.lower() != "epoch":
        instead = "truncate_time, time_difference or day_of_week"
        raise place.refuse(node, f"`{shown(node)}`", "the engines return other types", instead)
    value = place.typed(node.expression)
    if value.kind is not Extra.INTERVAL:
        instead = "time_difference('second', start, end)"
        raise place.refuse(node, "`epoch` of a moment", "the engines return other types", instead)
    text = templated(
        {
            "duckdb": "(epoch_us({0}) / 1000000e0)",
            "spark": "(unix_micros(timestamp_micros(0L) + {0}) / 1000000D)",
        },
        (value.text,),
    )
    return derived(ColumnType.FLOAT64, text, (value,))


def _exists(node: exp.Expr, place: Place) -> Typed:
    return Typed(
        ColumnType.BOOLEAN, False, templated("exists ({0})", (_inner(node.this, place).text,))
    )


def _scalar(node: exp.Expr, place: Place) -> Typed:
    inner = _inner(node.this, place)
    if len(inner.outputs) != 1:
        raise place.fail(
            node, f"a select of {len(inner.outputs)} columns where one value is needed"
        )
    return Typed(inner.outputs[0].kind, True, templated("({0})", (inner.text,)))


def _inner(node: exp.Expr, place: Place) -> Relation:
    query = node.this if isinstance(node, exp.Subquery) else node
    return place.query(query, place.known, place.scope)


_RULES: Mapping[type[exp.Expr], Callable[[exp.Expr, Place], Typed]] = {
    **OPERATORS,
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Interval: _interval,
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.And: _connected,
    exp.Or: _connected,
    exp.Not: _not,
    exp.Paren: _paren,
    exp.Is: _is,
    exp.Between: _between,
    exp.In: _in,
    exp.Case: _case,
    exp.Like: _like,
    exp.DPipe: _concatenated,
    exp.Extract: _extract,
    exp.Exists: _exists,
    exp.Subquery: _scalar,
    exp.Anonymous: call,
    exp.Filter: filtered,
    exp.Window: windowed,
}
