"""Functions with a grammar or a typing of their own: `coalesce` and its like, and those of windows."""

from collections.abc import Callable, Mapping, Sequence

from qanat.sql.typed import (
    NUMBERS,
    Extra,
    Kind,
    Texts,
    Typed,
    cast_text,
    derived,
    joined,
    templated,
)
from qanat.tables import ColumnType


class NotAlike(ValueError):
    """Values of different types stand where one type is needed."""


def unified(values: Sequence[Typed]) -> tuple[Kind, list[Texts]]:
    """Return the one type of several values, and their texts in it.

    Raises:
        NotAlike: There is none.
    """
    kinds = {value.kind for value in values} - {Extra.NULL}
    if len(kinds) > 1 and kinds <= NUMBERS:
        widest = ColumnType.FLOAT64 if ColumnType.FLOAT64 in kinds else ColumnType.INT128
        return widest, [
            value.text if value.kind in {widest, Extra.NULL} else cast_text(value.text, widest)
            for value in values
        ]
    if len(kinds) > 1:
        raise NotAlike(" and ".join(sorted(str(kind) for kind in kinds)))
    return (kinds.pop() if kinds else Extra.NULL), [value.text for value in values]


def _coalesce(values: Sequence[Typed]) -> Typed:
    kind, texts = unified(values)
    nullable = all(value.nullable for value in values)
    return derived(kind, _call("coalesce", texts), values, nullable=nullable)


def _nullif(values: Sequence[Typed]) -> Typed:
    kind, texts = unified(values)
    zero = values[1].literal is not None and not values[1].literal.strip("0.")
    made = derived(kind, _call("nullif", texts), values, nullable=True)
    return Typed(made.kind, True, made.text, made.bare, made.aggregate, never_zero=zero)


def _extreme(name: str) -> Callable[[Sequence[Typed]], Typed]:
    def build(values: Sequence[Typed]) -> Typed:
        kind, texts = unified(values)
        nullable = all(value.nullable for value in values)
        return derived(kind, _call(name, texts), values, nullable=nullable)

    return build


def _call(name: str, texts: Sequence[Texts]) -> Texts:
    return templated(name + "({0})", (joined(", ", texts),))


ALIKE: Mapping[str, tuple[int, int, Callable[[Sequence[Typed]], Typed]]] = {
    "coalesce": (1, 100, _coalesce),
    "nullif": (2, 2, _nullif),
    "greatest": (2, 100, _extreme("greatest")),
    "least": (2, 100, _extreme("least")),
}
"""Functions of values of one type: how many at least, at most, and what they make. `greatest` and `least` skip nulls."""

RANKS = frozenset({"row_number", "rank", "dense_rank"})
"""Functions without arguments that need a window with an order."""

NEIGHBOURS = frozenset({"lag", "lead"})
"""Functions of another row of the window: null where there is none."""
