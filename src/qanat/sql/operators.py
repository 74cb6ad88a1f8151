"""Arithmetic, comparison and casts: which types go together, and what comes out."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from qanat.sql.place import Place, shown
from qanat.sql.refusals import NODES
from qanat.sql.typed import (
    NUMBERS,
    TYPE_NAMES,
    Extra,
    Typed,
    cast_text,
    derived,
    templated,
)
from qanat.tables import ColumnType

_INT64, _INT128, _FLOAT = ColumnType.INT64, ColumnType.INT128, ColumnType.FLOAT64
_TEXT, _MOMENT = ColumnType.TEXT, ColumnType.TIMESTAMP

_SIGNS: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}

CASTS: Mapping[ColumnType, frozenset[ColumnType]] = {
    _INT64: frozenset({_INT128, _FLOAT, _TEXT}),
    _INT128: frozenset({_INT64, _FLOAT, _TEXT}),
    ColumnType.BOOLEAN: frozenset({_INT64}),
}
"""The casts that are equal: from, to. One to the type that is there already is accepted as well."""

_CAST_HINTS = {
    (_FLOAT, _INT64): ("one engine rounds, the other cuts off", "cast_rounded(number, 'int64')"),
    (_FLOAT, _TEXT): (
        "the engines write fractions differently",
        "cast_rounded, and the cast of that",
    ),
    (_TEXT, _INT64): ("one engine rounds '1.5', the other fails", "parse_integer(text)"),
    (_TEXT, _MOMENT): ("the engines read other forms of time", "parse_time(text)"),
    (_MOMENT, _TEXT): ("the engines write moments differently", "the moment itself"),
}

_TYPES: Mapping[exp.DType, ColumnType] = {
    exp.DType.BIGINT: _INT64,
    exp.DType.INT128: _INT128,
    exp.DType.DOUBLE: _FLOAT,
    exp.DType.TEXT: _TEXT,
    exp.DType.VARCHAR: _TEXT,
    exp.DType.BOOLEAN: ColumnType.BOOLEAN,
    exp.DType.TIMESTAMPTZ: _MOMENT,
    exp.DType.VARBINARY: ColumnType.BYTES,
}


def arithmetic(node: exp.Expr, place: Place) -> Typed:
    """`+`, `-` and `*`. An integer that doesn't fit is an error on every engine."""
    left, right = place.typed(node.this), place.typed(node.expression)
    sign = _SIGNS[type(node)]
    text = templated(f"({{0}} {sign} {{1}})", (left.text, right.text))
    kinds = {left.kind, right.kind}
    if sign != "*" and left.kind is _MOMENT and right.kind is Extra.INTERVAL:
        return derived(_MOMENT, text, (left, right))
    if sign == "-" and kinds == {_MOMENT}:
        return derived(Extra.INTERVAL, text, (left, right))
    if sign == "*" and kinds == {_INT64, Extra.INTERVAL}:
        return derived(Extra.INTERVAL, text, (left, right))
    if not kinds <= NUMBERS:
        raise place.fail(node, f"{left.kind} {sign} {right.kind} has no meaning")
    if _FLOAT in kinds:
        return derived(_FLOAT, text, (left, right))
    if sign == "*" and _INT128 in kinds:
        why = "the engines overflow differently"
        raise place.refuse(node, "a product of int128", why, "cast(value as double)")
    return derived(_INT128 if _INT128 in kinds else _INT64, text, (left, right))


def division(node: exp.Expr, place: Place) -> Typed:
    """`/` of fractions, by what can't be 0."""
    left, right = place.typed(node.this), place.typed(node.expression)
    why, instead = NODES["Div"]
    if not {left.kind, right.kind} <= NUMBERS:
        raise place.fail(node, f"{left.kind} / {right.kind} has no meaning")
    if _FLOAT not in {left.kind, right.kind}:
        why = "of whole numbers it is whole in some databases"
        raise place.refuse(node, "`/` of whole numbers", why, instead)
    if not right.never_zero:
        raise place.refuse(node, "`/` by what may be 0", why, instead)
    texts = [cast_text(each.text, _FLOAT) for each in (left, right)]
    return derived(_FLOAT, templated("({0} / {1})", texts), (left, right))


def remainder(node: exp.Expr, place: Place) -> Typed:
    """`%` by a number other than 0; it has the sign of what is divided."""
    left = place.of(node.this, _INT64)
    right = place.of(node.expression, _INT64)
    if right.literal is None or not right.never_zero:
        raise place.refuse(node, "`%`", *NODES["Mod"])
    return derived(_INT64, templated("({0} % {1})", (left.text, right.text)), (left, right))


def negated(node: exp.Expr, place: Place) -> Typed:
    """A number with the other sign."""
    value = place.of(node.this, *NUMBERS)
    made = derived(value.kind, templated("(- {0})", (value.text,)), (value,))
    written = f"-{value.literal}" if value.literal is not None else None
    return Typed(
        made.kind,
        made.nullable,
        made.text,
        made.bare,
        made.aggregate,
        literal=written,
        never_zero=value.never_zero,
    )


def comparison(node: exp.Expr, place: Place) -> Typed:
    """`=`, `<` and their like."""
    left, right = compared(node, node.this, node.expression, place)
    text = templated(f"({{0}} {_COMPARISONS[type(node)]} {{1}})", (left.text, right.text))
    return derived(ColumnType.BOOLEAN, text, (left, right))


def null_safe(node: exp.Expr, place: Place) -> Typed:
    """`is [not] distinct from`: nulls are equal."""
    left, right = compared(node, node.this, node.expression, place)
    negation = "not " if isinstance(node, exp.NullSafeNEQ) else ""
    text = templated(
        {
            "duckdb": f"({negation}({{0}} is not distinct from {{1}}))",
            "spark": f"({negation}({{0}} <=> {{1}}))",
        },
        (left.text, right.text),
    )
    return derived(ColumnType.BOOLEAN, text, (left, right), nullable=False)


def compared(
    node: exp.Expr, first: exp.Expr, second: exp.Expr, place: Place
) -> tuple[Typed, Typed]:
    """Check two values that are compared with one another."""
    left, right = place.typed(first), place.typed(second)
    kinds = {left.kind, right.kind}
    if Extra.NULL in kinds:
        raise place.fail(node, "a comparison with null is never true", "Use is null, is not null")
    if len(kinds) > 1 and not kinds <= NUMBERS:
        raise place.fail(node, f"{shown(first)} is {left.kind}, {shown(second)} is {right.kind}")
    return left, right


def cast(node: exp.Expr, place: Place) -> Typed:
    """`cast`, where the engines agree; of a parameter, it is what gives it a type."""
    to = _target(node, place)
    if isinstance(node.this, exp.Placeholder):
        return _cast_parameter(node.this, to, place)
    value = place.typed(node.this)
    if value.kind is Extra.NULL or value.kind is to:
        return Typed(to, value.nullable, cast_text(value.text, to), value.bare, value.aggregate)
    if value.kind not in CASTS or to not in CASTS[ColumnType(value.kind)]:
        usual = ("it isn't tested equal", "another type")
        hints = {(str(key[0]), str(key[1])): hint for key, hint in _CAST_HINTS.items()}
        why, instead = hints.get((str(value.kind), str(to)), usual)
        raise place.refuse(node, f"a cast from {value.kind} to {to}", why, instead)
    return derived(to, cast_text(value.text, to), (value,))


def parameter(node: exp.Expr, place: Place) -> Typed:
    """`$name`, of the type that it is declared with."""
    declared = place.known.parameters
    if declared is None or node.name not in declared:
        raise _unknown_parameter(node, place)
    return _cast_parameter(node, declared[node.name], place)


def _cast_parameter(node: exp.Expr, to: ColumnType, place: Place) -> Typed:
    declared = place.known.parameters
    if declared is not None and node.name not in declared:
        raise _unknown_parameter(node, place)
    if declared is not None and declared[node.name] is not to:
        raise place.fail(node, f"${node.name} is {declared[node.name]}, not {to}")
    text = {
        "duckdb": f"cast(${node.name} as {TYPE_NAMES[to]['duckdb']})",
        "spark": f"cast(:{node.name} as {TYPE_NAMES[to]['spark']})",
    }
    return Typed(to, True, text)


def _unknown_parameter(node: exp.Expr, place: Place) -> Exception:
    declared = place.known.parameters
    if declared is None:
        return place.fail(
            node, f"${node.name} has no type here", f"Write cast(${node.name} as its type)"
        )
    there = ", ".join(f"${name}" for name in declared) or "none"
    return place.fail(node, f"no parameter ${node.name}", f"There are: {there}")


def _target(node: exp.Expr, place: Place) -> ColumnType:
    written: exp.DataType = node.args["to"]
    if written.this is exp.DType.DECIMAL:
        digits = [each.name for each in written.expressions]
        if digits in (["38", "0"], ["38"]):
            return _INT128
    if written.this in _TYPES and not written.expressions:
        return _TYPES[written.this]
    names = "bigint, numeric(38, 0), double, text, boolean, timestamptz"
    raise place.fail(node, f"no type {written.sql('duckdb').lower()} here", f"There are: {names}")


OPERATORS: Mapping[type[exp.Expr], Callable[[exp.Expr, Place], Typed]] = {
    **dict.fromkeys(_SIGNS, arithmetic),
    **dict.fromkeys(_COMPARISONS, comparison),
    exp.Div: division,
    exp.Mod: remainder,
    exp.Neg: negated,
    exp.NullSafeEQ: null_safe,
    exp.NullSafeNEQ: null_safe,
    exp.Cast: cast,
    exp.Placeholder: parameter,
}
"""The rule of each of them."""
