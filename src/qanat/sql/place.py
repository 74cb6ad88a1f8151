"""Where an expression stands, which decides what it may be."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from qanat.sql.refusals import ESCAPE_HATCH
from qanat.sql.relations import Known, Relation, Scope
from qanat.sql.typed import Kind, Typed
from qanat.tables import ColumnType


@dataclass(frozen=True, slots=True)
class Place:
    """One clause of one select.

    Attributes:
        rule: Types an expression at a place.
        query: Checks a statement inside this one.
        keys: The texts of what `group by` names; None where there is none.
        aggregates: Empty where they may stand, else why not.
        names: Those of the result, which `order by` sees first.
    """

    known: Known
    scope: Scope
    rule: "Callable[[exp.Expr, Place], Typed]"
    query: Callable[[exp.Expr, Known, Scope | None], Relation]
    keys: frozenset[str] | None = None
    aggregates: str = ""
    names: "dict[str, Typed] | None" = None

    def typed(self, node: exp.Expr) -> Typed:
        """Check an expression; one that `group by` names counts as grouped."""
        result = self.rule(node, self)
        if self.keys and result.text["duckdb"] in self.keys:
            return replace(result, bare=())
        return result

    def of(self, node: exp.Expr, *kinds: Kind) -> Typed:
        """Check an expression that has to have one of some types."""
        result = self.typed(node)
        if result.kind not in kinds:
            wanted = " or ".join(str(kind) for kind in kinds)
            raise self.fail(node, f"{shown(node)} is {result.kind}; it has to be {wanted}")
        return result

    def condition(self, node: exp.Expr) -> Typed:
        """Check an expression that is true, false or null."""
        return self.of(node, ColumnType.BOOLEAN)

    def without_aggregates(self, why: str) -> "Place":
        """The same place, except that no aggregate may stand there."""
        return replace(self, aggregates=why)

    def fail(self, node: exp.Expr, reason: str, hint: str = "") -> Exception:
        """Make the error that points at a part of the tree."""
        return self.known.fail(node, reason, hint)

    def refuse(self, node: exp.Expr, what: str, why: str, instead: str) -> Exception:
        """Make the error of something that isn't accepted although it is valid."""
        return self.fail(node, f"{what} isn't accepted: {why}", f"Use {instead}. {ESCAPE_HATCH}")


def shown(node: exp.Expr) -> str:
    """Return how an expression is named in a message."""
    text = node.sql(dialect="duckdb")
    return text if len(text) <= 60 else text[:57] + "..."
