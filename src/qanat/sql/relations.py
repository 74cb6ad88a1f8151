"""What names mean inside a statement: relations, their columns, and the scopes in which they are seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from sqlglot import exp

from qanat.sql.parsing import offset_of
from qanat.sql.text import SqlText
from qanat.sql.typed import Kind, Texts, Typed, cast_text, joined, name_text
from qanat.tables import Column, ColumnType


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a relation, or of a result."""

    name: str
    kind: Kind
    nullable: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """Something with rows.

    Attributes:
        given: It comes from outside, so its 128-bit integers have the type that Arrow gives them.
    """

    outputs: tuple[Output, ...]
    text: Texts
    given: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns' names."""
        return tuple(output.name for output in self.outputs)


@dataclass(frozen=True, slots=True)
class Known:
    """What a statement may refer to from outside.

    Attributes:
        sql: The text, for messages.
        relations: Tables, and the results of `with`.
        parameters: Their types; None if every type may be given by a cast alone.
    """

    sql: SqlText
    relations: Mapping[str, Relation]
    parameters: Mapping[str, ColumnType] | None

    def fail(self, node: exp.Expr, reason: str, hint: str = "") -> Exception:
        """Make the error that points at a part of the tree."""
        return self.sql.error(offset_of(node), reason, hint)


@dataclass(slots=True)
class Scope:
    """The relations of one `from`, by alias; then those of the statement around it."""

    relations: dict[str, Relation] = field(default_factory=dict)
    outer: "Scope | None" = None

    def column(self, known: Known, node: exp.Column) -> Typed:
        """Return the column that a name means.

        Raises:
            SqlError: There is none, or there are several.
        """
        name, alias = node.name.lower(), node.table.lower()
        if node.args.get("db"):
            raise known.fail(node, "a column is called by its table and its name")
        found = self._found(name, alias)
        if len(found) > 1:
            raise known.fail(
                node,
                f"{name!r} is a column of {' and of '.join(found)}",
                f"Write {found[0]}.{name}",
            )
        if found:
            return _typed(self.relations[found[0]], found[0], name, node)
        if self.outer is not None:
            return self.outer.column(known, node)
        raise self._unknown(known, node, name, alias)

    def require(self, alias: str, name: str) -> None:
        """Note that a column, where it is one of this scope's, isn't null."""
        for each in self._found(name, alias):
            relation = self.relations[each]
            outputs = tuple(
                replace(output, nullable=output.nullable and output.name != name)
                for output in relation.outputs
            )
            self.relations[each] = replace(relation, outputs=outputs)

    def _found(self, name: str, alias: str) -> list[str]:
        return [
            each
            for each, relation in self.relations.items()
            if alias in {"", each} and name in relation.names
        ]

    def _unknown(self, known: Known, node: exp.Column, name: str, alias: str) -> Exception:
        if alias and alias not in self.relations:
            near = nearest(alias, self.relations)
            return known.fail(node, f"no table {alias!r} in this select", near)
        there = [self.relations[alias]] if alias else list(self.relations.values())
        names = [each for relation in there for each in relation.names]
        of = alias or " or ".join(self.relations) or "a select without `from`"
        return known.fail(node, f"no column {name!r} in {of}", nearest(name, names))


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint with the name that was meant perhaps, or with all there are."""
    every = list(dict.fromkeys(names))
    close = get_close_matches(name, every, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"There are: {', '.join(every)}" if every else "There are none."


def declared(name: str, columns: Iterable[Column]) -> Relation:
    """Return the relation of a declared table."""
    outputs = tuple(Output(each.name, each.type, each.nullable) for each in columns)
    return Relation(outputs, name_text(name), given=True)


def _typed(relation: Relation, alias: str, name: str, node: exp.Expr) -> Typed:
    (output,) = (each for each in relation.outputs if each.name == name)
    text = joined(".", (name_text(alias), name_text(name)))
    if relation.given and output.kind is ColumnType.INT128:
        text = cast_text(text, ColumnType.INT128)
    return Typed(output.kind, output.nullable, text, bare=(node,))
