"""Calls of functions, aggregates with a filter, and windows."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from qanat.sql.catalogue import FUNCTIONS
from qanat.sql.functions import Argument, Function, literal_text
from qanat.sql.ordering import ordered
from qanat.sql.place import Place, shown
from qanat.sql.refusals import ESCAPE_HATCH, UNREPEATABLE
from qanat.sql.refusals import FUNCTIONS as REFUSED
from qanat.sql.relations import nearest
from qanat.sql.special import ALIKE, NEIGHBOURS, RANKS, NotAlike
from qanat.sql.typed import Texts, Typed, derived, joined, same, templated
from qanat.tables import ColumnType

_FRAME_SIDES = {"preceding", "following"}


def call(node: exp.Expr, place: Place, condition: Typed | None = None) -> Typed:
    """A function by its name."""
    name = node.name.lower()
    if name in ALIKE:
        return _alike(node, name, place)
    if name == "string_agg":
        return _string_agg(node, place, condition)
    if name in RANKS | NEIGHBOURS:
        raise place.fail(node, f"{name} needs a window", f"Write {name}(…) over (order by …)")
    if name not in FUNCTIONS:
        raise _unknown(node, name, place)
    function = FUNCTIONS[name]
    inside = _inside(node, function.name, place) if function.aggregate else place
    if condition is not None and not function.aggregate:
        raise place.fail(node, f"{name} isn't an aggregate, so it takes no filter")
    return _called(node, function, inside, condition)


def filtered(node: exp.Expr, place: Place) -> Typed:
    """An aggregate with `filter (where …)`."""
    if not isinstance(node.this, exp.Anonymous):
        raise place.fail(node, f"{shown(node.this)} takes no filter")
    inner = place.without_aggregates("in the filter of another one")
    return call(node.this, place, inner.condition(node.expression.this))


def windowed(node: exp.Expr, place: Place) -> Typed:
    """A function over a window."""
    function = node.this
    if not isinstance(function, exp.Anonymous):
        why = "not every engine has it"
        raise place.refuse(node, "a filter with a window", why, "case when inside the aggregate")
    name = function.name.lower()
    window, parts = _window(node, place, needs_order=name in RANKS | NEIGHBOURS)
    if name in RANKS:
        if function.expressions:
            raise place.fail(function, f"{name} takes no argument")
        text = templated(f"cast({name}() over ({{0}}) as bigint)", (window,))
        return derived(ColumnType.INT64, text, parts, nullable=False)
    if name in NEIGHBOURS:
        if len(function.expressions) != 1:
            raise place.fail(function, f"{name} takes one argument, a value of the next row")
        value = place.typed(function.expressions[0])
        text = templated(f"{name}({{0}}) over ({{1}})", (value.text, window))
        return derived(value.kind, text, (value, *parts), nullable=True)
    if name not in FUNCTIONS or not FUNCTIONS[name].over_windows:
        there = ", ".join(sorted(RANKS | NEIGHBOURS | _over_windows()))
        if name in REFUSED:
            raise place.refuse(function, name, *REFUSED[name])
        raise place.fail(function, f"{name} isn't accepted with a window", f"There are: {there}")
    value = _called(function, FUNCTIONS[name], place, None, over=window)
    made = derived(value.kind, value.text, (value, *parts), nullable=value.nullable)
    return replace(made, aggregate=any(part.aggregate for part in parts))


def _over_windows() -> set[str]:
    return {name for name, function in FUNCTIONS.items() if function.over_windows}


def _called(
    node: exp.Expr,
    function: Function,
    place: Place,
    condition: Typed | None,
    over: Texts | None = None,
) -> Typed:
    values = _arguments(node, function, place)
    where = condition.text if condition is not None else None
    text = function.text(values, where, over)
    nullable = function.nullable
    if nullable is None:
        nullable = any(value.nullable for value in values)
        if function.aggregate and over is None:
            # A group has at least one row; all rows together needn't.
            nullable = nullable or not place.keys or condition is not None
    made = derived(function.kind(values), text, values, nullable=nullable)
    if function.aggregate and over is None:
        return replace(made, bare=(), aggregate=True)
    return made


def _arguments(node: exp.Expr, function: Function, place: Place) -> list[Typed]:
    given = list(node.expressions)
    if function.name == "count" and len(given) == 1:
        starred = _counted(given[0], place)
        if starred is not None:
            return [starred]
    declared = list(function.arguments)
    if function.repeats:
        declared += [declared[-1]] * (len(given) - len(declared))
    least = sum(argument.default is None for argument in function.arguments)
    if not least <= len(given) <= len(declared):
        raise place.fail(node, f"{len(given)} arguments; it is {function.usage}")
    return [
        _argument(given[index] if index < len(given) else None, argument, function, place)
        for index, argument in enumerate(declared)
    ]


def _argument(node: exp.Expr | None, argument: Argument, function: Function, place: Place) -> Typed:
    if node is None:
        return Typed(ColumnType.TEXT, False, literal_text(argument, argument.default or ""))
    if argument.read is None:
        if isinstance(node, exp.Order | exp.Distinct | exp.Star):
            raise place.fail(node, f"{shown(node)} can't stand here; it is {function.usage}")
        value = place.typed(node)
        if value.kind not in argument.kinds:
            wanted = " or ".join(sorted(str(kind) for kind in argument.kinds))
            raise place.fail(
                node, f"the {argument.name} of {function.name} is {value.kind}, not {wanted}"
            )
        return value
    if not isinstance(node, exp.Literal):
        raise place.fail(node, f"{argument.name} of {function.name} has to be written out")
    try:
        return Typed(ColumnType.TEXT, False, literal_text(argument, node.name))
    except ValueError as error:
        raise place.fail(
            node, f"{argument.name} of {function.name} is {node.name!r}", f"It has to be {error}"
        ) from error


def _counted(node: exp.Expr, place: Place) -> Typed | None:
    """Return what `count(*)` and `count(distinct x)` have in their parentheses."""
    if isinstance(node, exp.Star):
        return Typed(ColumnType.INT64, False, same("*"))
    if isinstance(node, exp.Distinct) and len(node.expressions) == 1:
        value = place.typed(node.expressions[0])
        return replace(value, text=templated("distinct {0}", (value.text,)))
    return None


def _string_agg(node: exp.Expr, place: Place, condition: Typed | None) -> Typed:
    """`string_agg(text, ', ' order by …)`: nulls are left out; null if nothing is left."""
    inside = _inside(node, "string_agg", place)
    given = list(node.expressions)
    order = given[-1] if given and isinstance(given[-1], exp.Order) else None
    if len(given) != 2 or order is None or not isinstance(order.this, exp.Literal):
        raise place.fail(node, "string_agg needs an order", "string_agg(text, ', ' order by …)")
    value, separator = inside.of(given[0], ColumnType.TEXT), inside.typed(order.this)
    orders, parts = ordered(order, inside)
    filters = templated(" filter (where {0})", (condition.text,)) if condition else same("")
    text = templated(
        {
            "duckdb": "string_agg({0}, {1} order by {2}){3}",
            "spark": "listagg({0}, {1}) within group (order by {2}){3}",
        },
        (value.text, separator.text, orders, filters),
    )
    nullable = value.nullable or not place.keys or condition is not None
    made = derived(ColumnType.TEXT, text, (value, *parts), nullable=nullable)
    return replace(made, bare=(), aggregate=True)


def _alike(node: exp.Expr, name: str, place: Place) -> Typed:
    least, most, build = ALIKE[name]
    values = [place.typed(each) for each in node.expressions]
    if not least <= len(values) <= most:
        raise place.fail(node, f"{name} with {len(values)} arguments")
    try:
        return build(values)
    except NotAlike as error:
        raise place.fail(node, f"{name} of {error}: they have to have one type") from error


def _inside(node: exp.Expr, name: str, place: Place) -> Place:
    if place.aggregates:
        raise place.fail(node, f"the aggregate {name} can't stand {place.aggregates}")
    return place.without_aggregates("in another one")


def _window(node: exp.Expr, place: Place, *, needs_order: bool) -> tuple[Texts, list[Typed]]:
    partition = [place.typed(each) for each in node.args.get("partition_by") or ()]
    order = node.args.get("order")
    texts, parts = [], list(partition)
    if partition:
        by = joined(", ", [each.text for each in partition])
        texts.append(templated("partition by {0}", (by,)))
    if order is not None:
        by, orders = ordered(order, replace(place, names=None))
        parts += orders
        texts.append(templated("order by {0}", (by,)))
    elif needs_order:
        raise place.fail(node, f"{shown(node.this)} needs an order", "over (… order by …)")
    spec = node.args.get("spec")
    if spec is not None:
        texts.append(same(_frame(spec, node, place)))
    return joined(" ", texts), parts


def _frame(spec: exp.Expr, node: exp.Expr, place: Place) -> str:
    ends = [_end(spec, name) for name in ("start", "end")]
    if str(spec.args.get("kind")).lower() != "rows" or None in ends:
        why = "only frames of rows are tested equal"
        raise place.refuse(node, "this frame", why, "rows between … and …")
    return f"rows between {ends[0]} and {ends[1]}"


def _end(spec: exp.Expr, name: str) -> str | None:
    value, side = spec.args.get(name), str(spec.args.get(f"{name}_side") or "").lower()
    if isinstance(value, exp.Literal) and not value.is_string and side in _FRAME_SIDES:
        return f"{value.name} {side}"
    if value == "CURRENT ROW":
        return "current row"
    if value == "UNBOUNDED" and side in _FRAME_SIDES:
        return f"unbounded {side}"
    return None


def _unknown(node: exp.Expr, name: str, place: Place) -> Exception:
    for table in (UNREPEATABLE, REFUSED):
        if name in table:
            return place.refuse(node, name, *table[name])
    names: Sequence[str] = sorted({*FUNCTIONS, *ALIKE, *RANKS, *NEIGHBOURS, "string_agg"})
    return place.fail(
        node,
        f"no function {name!r} is tested equal on the engines",
        f"{nearest(name, names)} {ESCAPE_HATCH}",
    )
