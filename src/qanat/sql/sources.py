"""What stands in `from`: tables, selects, joins of them, series of moments, and windows that overlap."""

from dataclasses import replace

from sqlglot import exp

from qanat.sql.functions_time import span_us
from qanat.sql.place import Place, shown
from qanat.sql.refusals import ESCAPE_HATCH
from qanat.sql.relations import Output, Relation, Scope, nearest
from qanat.sql.typed import Extra, Texts, joined, name_text, same, templated
from qanat.tables import ColumnType

_JOINS = {
    ("", ""): "join",
    ("", "INNER"): "join",
    ("LEFT", ""): "left join",
    ("LEFT", "OUTER"): "left join",
}


def from_clause(node: exp.Select, place: Place) -> Texts:
    """Check `from` and the joins, and bring their relations into the scope."""
    if any(node.args.get(each) for each in ("laterals", "pivots")):
        raise place.fail(node, "`lateral` and `pivot` aren't accepted", ESCAPE_HATCH)
    from_ = node.args.get("from_")
    if from_ is None:
        return same("")
    texts = [templated(" from {0}", (_source(from_.this, place, optional=False),))]
    texts += [_join(each, place) for each in node.args.get("joins") or ()]
    return joined("", texts)


def _join(node: exp.Expr, place: Place) -> Texts:
    side, kind = str(node.args.get("side") or ""), str(node.args.get("kind") or "")
    if node.args.get("using"):
        raise place.fail(node, "`using` isn't accepted", "Use `on a.key = b.key`")
    condition = node.args.get("on")
    if condition is None:
        if side or kind not in {"", "CROSS"} or node.args.get("method"):
            raise place.fail(node, "a join without a condition", "Use `on …`, or `cross join`")
        return templated(" cross join {0}", (_source(node.this, place, optional=False),))
    if (side, kind) not in _JOINS or node.args.get("method"):
        what = " ".join(filter(None, (str(node.args.get("method") or ""), side, kind))).lower()
        raise place.fail(
            node, f"`{what} join` isn't accepted", "Use `join` or `left join`, with `on`"
        )
    source = _source(node.this, place, optional=side == "LEFT")
    met = place.without_aggregates("in a join").condition(condition)
    return templated(f" {_JOINS[side, kind]} {{0}} on {{1}}", (source, met.text))


def _source(node: exp.Expr, place: Place, *, optional: bool) -> Texts:
    relation, name = _relation(node, place)
    if not name:
        raise place.fail(node, "a select in `from` needs a name", "(select …) as name")
    if name in place.scope.relations:
        raise place.fail(node, f"two tables are called {name!r}", "Give one an alias")
    seen = relation
    if optional:
        outputs = tuple(replace(each, nullable=True) for each in relation.outputs)
        seen = replace(relation, outputs=outputs)
    place.scope.relations[name] = seen
    return templated("{0} as {1}", (relation.text, name_text(name)))


def _relation(node: exp.Expr, place: Place) -> tuple[Relation, str]:
    if isinstance(node, exp.Subquery):
        made = place.query(node.this, place.known, place.scope.outer)
        return replace(made, text=templated("({0})", (made.text,))), node.alias.lower()
    if isinstance(node, exp.Values):
        return _values(node, place)
    if not isinstance(node, exp.Table) or node.args.get("joins") or node.args.get("sample"):
        raise place.fail(node, f"`{shown(node)}` isn't accepted in `from`", ESCAPE_HATCH)
    if isinstance(node.this, exp.Anonymous):
        return _call(node, node.this, place)
    name = node.name.lower()
    if node.args.get("db") or name not in place.known.relations:
        near = nearest(name, place.known.relations)
        raise place.fail(node, f"no table {shown(node.this)!r}", near)
    return place.known.relations[name], node.alias_or_name.lower()


def _call(node: exp.Expr, function: exp.Anonymous, place: Place) -> tuple[Relation, str]:
    name = function.name.lower()
    if name == "hop":
        return _hop(function, place), node.alias_or_name.lower()
    if name == "generate_series":
        return _series(node, function, place)
    raise place.fail(
        node, f"{name} isn't accepted in `from`", nearest(name, ("hop", "generate_series"))
    )


def _values(node: exp.Values, place: Place) -> tuple[Relation, str]:
    """`(values (1), (2)) as name(column)`: literals."""
    alias = node.args.get("alias")
    rows = [each.expressions for each in node.expressions]
    if alias is None or any(len(row) != len(alias.columns) for row in rows):
        raise place.fail(node, "values need names", "(values (1), (2)) as name(column)")
    inner = replace(place, scope=Scope({}, None))
    typed = [[inner.typed(each) for each in row] for row in rows]
    outputs = []
    for index, column in enumerate(alias.columns):
        kinds = {row[index].kind for row in typed}
        if len(kinds) > 1 or not kinds <= set(ColumnType):
            raise place.fail(node, f"the values of {column.name} need one type")
        outputs.append(
            Output(column.name.lower(), kinds.pop(), any(row[index].nullable for row in typed))
        )
    listed = [
        templated(
            "select {0}",
            (
                joined(
                    ", ",
                    [
                        templated("{0} as {1}", (value.text, name_text(output.name)))
                        for value, output in zip(row, outputs, strict=True)
                    ],
                ),
            ),
        )
        for row in typed
    ]
    text = templated("({0})", (joined(" union all ", listed),))
    return Relation(tuple(outputs), text), alias.name.lower()


def _hop(function: exp.Anonymous, place: Place) -> Relation:
    """`hop(relation, moment, 'size', 'every')`: each row once for every window that it lies in."""
    given = function.expressions
    if len(given) != 4 or not all(isinstance(each, exp.Column) for each in given[:2]):
        raise place.fail(function, "hop(table, column, 'size', 'every')")
    name = given[0].name.lower()
    if name not in place.known.relations:
        raise place.fail(given[0], f"no table {name!r}", nearest(name, place.known.relations))
    relation = place.known.relations[name]
    size, every = (_span(each, place) for each in given[2:])
    if size % every:
        raise place.fail(given[2], "the size of hops has to be a multiple of how often they begin")
    scope = replace_scope(place, name, relation)
    moment = scope.of(given[1], ColumnType.TIMESTAMP)
    columns = joined(
        ", ", [joined(".", (name_text(name), name_text(each))) for each in relation.names]
    )
    names = joined(", ", [name_text(each) for each in relation.names])
    text = templated(
        HOP,
        (
            names,
            columns,
            moment.text,
            same(str(size)),
            same(str(every)),
            relation.text,
            name_text(name),
        ),
    )
    added = [
        Output(each, ColumnType.TIMESTAMP, nullable=False)
        for each in ("window_start", "window_end")
    ]
    return Relation((*relation.outputs, *added), text, given=relation.given)


HOP = {
    "duckdb": "(select {0}, make_timestamptz(hop_start) as window_start, make_timestamptz(hop_start + {3}) as window_end"
    " from (select {1}, unnest(range(epoch_us({2}) - ((epoch_us({2}) % {4}) + {4}) % {4} - {3} + {4},"
    " epoch_us({2}) + 1, {4})) as hop_start from {5} as {6}))",
    "spark": "(select {0}, timestamp_micros(hop_start) as window_start, timestamp_micros(hop_start + {3}L) as window_end"
    " from (select {1}, explode(sequence(unix_micros({2}) - pmod(unix_micros({2}), {4}L) - {3}L + {4}L,"
    " unix_micros({2}), {4}L)) as hop_start from {5} as {6}))",
}
"""Templates: names, columns, moment, size and step in microseconds, relation, its name."""


def replace_scope(place: Place, name: str, relation: Relation) -> Place:
    """Return a place at which only the columns of one relation are seen."""
    inner = Scope({name: relation})
    return replace(place, scope=inner, keys=None, names=None)


def _span(node: exp.Expr, place: Place) -> int:
    try:
        return int(span_us(node.name if isinstance(node, exp.Literal) else ""))
    except ValueError as error:
        raise place.fail(node, f"{shown(node)} isn't a span", f"It has to be {error}") from error


def _series(node: exp.Expr, function: exp.Anonymous, place: Place) -> tuple[Relation, str]:
    """`generate_series(first, last, interval '1 hour') as name(column)`: every moment, both ends included."""
    alias = node.args.get("alias")
    if len(function.expressions) != 3 or alias is None or len(alias.columns) != 1:
        hint = "generate_series(first, last, interval '1 hour') as name(column)"
        raise place.fail(function, "a series needs two moments, a step and a name", hint)
    scope = replace(place, scope=Scope({}, place.scope.outer))
    first, last = (scope.of(each, ColumnType.TIMESTAMP) for each in function.expressions[:2])
    step = scope.of(function.expressions[2], Extra.INTERVAL)
    column = alias.columns[0].name.lower()
    text = templated(SERIES, (first.text, last.text, step.text, name_text(column)))
    output = Output(column, ColumnType.TIMESTAMP, nullable=False)
    return Relation((output,), text), alias.name.lower()


SERIES = {
    "duckdb": "(select unnest(generate_series({0}, {1}, {2})) as {3})",
    "spark": "(select explode(case when {0} <= {1} then sequence({0}, {1}, {2}) else array() end) as {3})",
}
"""Templates: first, last, step, column."""
