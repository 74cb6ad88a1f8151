"""The statements that are accepted: selects with joins, groups and orders, `with` before them, `union` between them."""

from dataclasses import replace

from sqlglot import exp

from qanat.sql.expressions import typed
from qanat.sql.ordering import ordered
from qanat.sql.place import Place, shown
from qanat.sql.refusals import CLAUSES, ESCAPE_HATCH
from qanat.sql.relations import Known, Output, Relation, Scope
from qanat.sql.sources import from_clause
from qanat.sql.special import NotAlike, unified
from qanat.sql.typed import Texts, Typed, cast_text, joined, name_text, same, templated
from qanat.tables import ColumnType

_SELECT_PARTS = {
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "distinct",
    "order",
    "limit",
    "offset",
    "with_",
}
# A limit from here on may stand without an order: no answer is so long, so that it leaves nothing out.
GUARD_ROWS_MIN = 1_000_000
# The one value of a select inside an expression needs no name in the text; its column has this one.
_UNNAMED = "value"
_UNION_PARTS = {"this", "expression", "distinct", "order", "limit", "offset", "with_"}


def query(node: exp.Expr, known: Known, outer: Scope | None) -> Relation:
    """Check a statement; return what its result consists of.

    Raises:
        SqlError: It isn't valid, or isn't known to be equal on every engine.
    """
    known, prefix = _with(node, known, outer)
    if isinstance(node, exp.Subquery):
        _only(node, {"this", "with_"}, known)
        made = query(node.this, known, outer)
        return replace(made, text=templated("{0}({1})", (prefix, made.text)))
    if isinstance(node, exp.Union):
        made = _union(node, known, outer)
    elif isinstance(node, exp.Select):
        made = _select(node, known, outer)
    else:
        raise known.fail(node, f"{type(node).__name__.lower()} isn't accepted", ESCAPE_HATCH)
    return replace(made, text=templated("{0}{1}", (prefix, made.text)))


def _with(node: exp.Expr, known: Known, outer: Scope | None) -> tuple[Known, Texts]:
    with_ = node.args.get("with_")
    if with_ is None:
        return known, same("")
    if with_.args.get("recursive"):
        raise known.fail(with_, "`with recursive` isn't accepted", ESCAPE_HATCH)
    texts = []
    for each in with_.expressions:
        if each.args["alias"].columns:
            raise known.fail(each, "name the columns inside the select", "select … as name")
        made = query(each.this, known, outer)
        name = each.alias.lower()
        here = Relation(made.outputs, name_text(name))
        known = replace(known, relations={**known.relations, name: here})
        texts.append(templated("{0} as ({1})", (name_text(name), made.text)))
    return known, templated("with {0} ", (joined(", ", texts),))


def _select(node: exp.Select, known: Known, outer: Scope | None) -> Relation:
    _only(node, _SELECT_PARTS, known)
    scope = Scope({}, outer)
    place = Place(known, scope, typed, query)
    tables = from_clause(node, place)
    texts = [tables, _condition(node, "where", place.without_aggregates("in `where`"))]
    _without_nulls(node.args.get("where"), scope)
    grouped, groups = _group(node, place)
    texts.append(groups)
    items = _items(node, grouped)
    having = _condition(node, "having", grouped)
    aggregated = grouped.keys is not None or any(item.aggregate for _, item in items)
    for _, item in items if aggregated else ():
        _covered(item, known)
    names = {
        name: replace(item, text=name_text(name), bare=(), literal=None) for name, item in items
    }
    texts += [having, *_tail(node, replace(grouped, names=names), checked=aggregated)]
    listed = joined(
        ", ", [templated("{0} as {1}", (item.text, name_text(name))) for name, item in items]
    )
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        reason, instead = CLAUSES["distinct on"]
        raise known.fail(node, f"{reason}", f"Use {instead}")
    word = "select distinct" if distinct is not None else "select"
    text = joined("", [templated(word + " {0}", (listed,)), *texts])
    return Relation(tuple(Output(name, item.kind, item.nullable) for name, item in items), text)


def _without_nulls(where: exp.Expr | None, scope: Scope) -> None:
    """Note which columns can't be null any more: `where … is not null and …`."""
    if where is None:
        return
    conditions = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    for each in conditions:
        test = each.this if isinstance(each, exp.Not) else None
        if (
            isinstance(test, exp.Is)
            and isinstance(test.expression, exp.Null)
            and isinstance(test.this, exp.Column)
        ):
            scope.require(test.this.table.lower(), test.this.name.lower())


def _items(node: exp.Select, place: Place) -> list[tuple[str, Typed]]:
    items: list[tuple[str, Typed]] = []
    for each in node.expressions:
        value = place.typed(each.this if isinstance(each, exp.Alias) else each)
        only = len(node.expressions) == 1 and node.parent is not None
        if not only and not isinstance(each, exp.Alias | exp.Column):
            raise place.fail(each, f"`{shown(each)}` needs a name", "… as name")
        name = each.alias_or_name.lower() or _UNNAMED
        if any(name == other for other, _ in items):
            raise place.fail(each, f"two columns are called {name!r}")
        if not isinstance(value.kind, ColumnType) and value.kind != "null":
            raise place.fail(each, f"{name} is {value.kind}, which no column can be")
        items.append((name, value))
    return items


def _group(node: exp.Select, place: Place) -> tuple[Place, Texts]:
    group = node.args.get("group")
    if group is None:
        if node.args.get("having") is not None:
            return replace(place, keys=frozenset()), same("")
        return place, same("")
    if group.args.get("all") or any(
        group.args.get(each) for each in ("rollup", "cube", "grouping_sets", "totals")
    ):
        kind = "group by all" if group.args.get("all") else "this kind of `group by`"
        raise place.fail(
            group if group.expressions else node,
            f"`{kind}` isn't accepted",
            "Name what is grouped by",
        )
    keys = []
    for each in group.expressions:
        if isinstance(each, exp.Literal):
            raise place.fail(each, "`group by` a number isn't accepted", "Name the column")
        keys.append(place.without_aggregates("in `group by`").typed(each))
    texts = [key.text for key in keys]
    grouped = replace(place, keys=frozenset(text["duckdb"] for text in texts))
    return grouped, templated(" group by {0}", (joined(", ", texts),))


def _condition(node: exp.Expr, clause: str, place: Place) -> Texts:
    part = node.args.get(clause)
    if part is None:
        return same("")
    condition = place.condition(part.this)
    if clause == "having":
        _covered(condition, place.known)
    return templated(f" {clause} {{0}}", (condition.text,))


def _covered(item: Typed, known: Known) -> None:
    if item.bare:
        column = item.bare[0]
        raise known.fail(
            column,
            f"{shown(column)} is neither grouped nor in an aggregate",
            "Add it to `group by`, or take min or max of it",
        )


def _tail(node: exp.Expr, place: Place, *, checked: bool) -> list[Texts]:
    """Return `order by`, `limit` and `offset`."""
    texts = []
    order = node.args.get("order")
    if order is not None:
        text, parts = ordered(order, place)
        for part in parts if checked else ():
            _covered(part, place.known)
        texts.append(templated(" order by {0}", (text,)))
    for clause in ("limit", "offset"):
        bound = node.args.get(clause)
        if bound is None:
            continue
        if order is None and not _guards(bound.expression):
            reason = f"`{clause}` without `order by` takes any rows"
            raise place.fail(bound.expression, reason, "Order by a key, so that there are no ties")
        texts.append(templated(f" {clause} {{0}}", (_number(bound.expression, place),)))
    return texts


def _guards(limit: exp.Expr) -> bool:
    """Whether a limit chooses no rows, but keeps conditions apart for a planner."""
    return (
        isinstance(limit, exp.Literal)
        and limit.name.isdecimal()
        and int(limit.name) >= GUARD_ROWS_MIN
    )


def _number(node: exp.Expr, place: Place) -> Texts:
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal():
        return same(node.name)
    if isinstance(node, exp.Placeholder):
        declared = place.known.parameters
        if declared is None or declared.get(node.name) is ColumnType.INT64:
            return {"duckdb": f"${node.name}", "spark": f":{node.name}"}
    raise place.fail(node, f"{shown(node)} isn't a whole number", "A number, or an int64 parameter")


def _union(node: exp.Union, known: Known, outer: Scope | None) -> Relation:
    _only(node, _UNION_PARTS, known)
    left, right = query(node.this, known, outer), query(node.expression, known, outer)
    if len(left.outputs) != len(right.outputs):
        reason = f"{len(left.outputs)} columns above `union`, {len(right.outputs)} below"
        raise known.fail(node.expression, reason)
    outputs: list[Output] = []
    sides: tuple[list[Texts], list[Texts]] = ([], [])
    for above, below in zip(left.outputs, right.outputs, strict=True):
        values = [Typed(each.kind, each.nullable, name_text(each.name)) for each in (above, below)]
        try:
            kind, texts = unified(values)
        except NotAlike as error:
            raise known.fail(
                node.expression, f"{above.name} is {error}: one type is needed"
            ) from error
        outputs.append(Output(above.name, kind, above.nullable or below.nullable))
        for side, text in zip(sides, texts, strict=True):
            typed_text = cast_text(text, kind) if isinstance(kind, ColumnType) else text
            side.append(templated("{0} as {1}", (typed_text, name_text(above.name))))
    word = "union" if node.args.get("distinct") else "union all"
    selects = [
        templated(
            "select {0} from ({1}) as {2}", (joined(", ", side), made.text, name_text("part"))
        )
        for side, made in zip(sides, (left, right), strict=True)
    ]
    names = {each.name: Typed(each.kind, each.nullable, name_text(each.name)) for each in outputs}
    place = Place(known, Scope({}, outer), typed, query, names=names)
    tail = _tail(node, place, checked=False)
    return Relation(tuple(outputs), joined("", [joined(f" {word} ", selects), *tail]))


def _only(node: exp.Expr, parts: set[str], known: Known) -> None:
    for name, value in node.args.items():
        if value and name not in parts:
            reason, instead = CLAUSES.get(name, (f"`{name}` isn't accepted", ""))
            raise known.fail(node, reason, f"Use {instead}" if instead else ESCAPE_HATCH)
