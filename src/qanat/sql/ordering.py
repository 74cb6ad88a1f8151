"""`order by`: what is sorted by what, and where nulls go."""

from sqlglot import exp

from qanat.sql.parsing import EXPLICIT
from qanat.sql.place import Place, shown
from qanat.sql.typed import Extra, Texts, Typed, joined, templated


def ordered(order: exp.Expr, place: Place) -> tuple[Texts, list[Typed]]:
    """Check what follows `order by`; return its text, and what it is made of."""
    texts, parts = [], []
    for each in order.expressions:
        value = _value(each.this, place)
        if value.kind is Extra.NULL or value.literal is not None:
            raise place.fail(each.this, f"the order by {shown(each.this)} orders nothing")
        if value.nullable and not each.meta.get(EXPLICIT):
            raise place.fail(
                each.this,
                f"{shown(each.this)} may be null, and the engines put nulls at other ends",
                "Write `nulls first` or `nulls last`",
            )
        way = "desc" if each.args.get("desc") else "asc"
        nulls = "first" if each.args.get("nulls_first") and each.meta.get(EXPLICIT) else "last"
        texts.append(templated(f"{{0}} {way} nulls {nulls}", (value.text,)))
        parts.append(value)
    return joined(", ", texts), parts


def _value(node: exp.Expr, place: Place) -> Typed:
    named = place.names or {}
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in named:
        return named[node.name.lower()]
    return place.typed(node)
