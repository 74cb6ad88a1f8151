"""What a function that transforms may call looks like: one meaning, and hand-written SQL for each engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qanat.sql.text import ENGINES
from qanat.sql.typed import Kind, Texts, Typed, joined, same, string_text
from qanat.tables import ColumnType

ANY: frozenset[Kind] = frozenset(ColumnType)
INT64: frozenset[Kind] = frozenset({ColumnType.INT64})
TEXT: frozenset[Kind] = frozenset({ColumnType.TEXT})
BOOLEAN: frozenset[Kind] = frozenset({ColumnType.BOOLEAN})
MOMENT: frozenset[Kind] = frozenset({ColumnType.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a function.

    Attributes:
        kinds: The types it may have.
        read: For a literal: makes what the templates get out of what is written; ValueError, with the valid ones, if it can't.
        default: What is written when it is left out; None if it has to be there.
    """

    name: str
    kinds: frozenset[Kind]
    read: Callable[[str], str] | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    Attributes:
        meaning: What it returns, nulls and ties included; the same on every engine.
        example: A call, as the documentation shows it; its columns are those of `qanat.sql.catalogue.EXAMPLES`.
        gives: The type of the result, or the place of the argument that has it.
        duckdb: Template: `{0}`, `{1}`, … are the arguments. An aggregate's has `{where}` or `{and_where}` for its filter,
            and `{over}` for its window.
        spark: The same for Spark.
        nullable: Whether the result may be null; None: if an argument may.
        repeats: The last argument may be given several times.
        compose: For templates that depend on the number and types of arguments: makes one text per argument, which are
            joined by ` || ` to `{0}`.
    """

    name: str
    meaning: str
    example: str
    arguments: tuple[Argument, ...]
    gives: ColumnType | int
    duckdb: str
    spark: str
    nullable: bool | None = None
    aggregate: bool = False
    over_windows: bool = False
    repeats: bool = False
    canonical: bool = True
    compose: Callable[[Typed], Texts] | None = None

    def kind(self, arguments: Sequence[Typed]) -> Kind:
        """Return the type of the result."""
        if isinstance(self.gives, ColumnType):
            return self.gives
        return arguments[self.gives].kind

    def text(
        self, arguments: Sequence[Typed], where: Texts | None = None, over: Texts | None = None
    ) -> Texts:
        """Return the call for each engine; `where` is the condition of an aggregate's filter, `over` its window."""
        parts = [part.text for part in arguments]
        if self.compose is not None:
            parts = [joined(" || ", [self.compose(part) for part in arguments])]
        elif self.repeats:
            fixed = len(self.arguments) - 1
            parts = [*parts[:fixed], joined(", ", parts[fixed:])]
        templates = {"duckdb": self.duckdb, "spark": self.spark}
        return {
            engine: templates[engine].format(
                *(part[engine] for part in parts),
                where=f" filter (where {where[engine]})" if where else "",
                over=f" over ({over[engine]})" if over else "",
                and_where=f" and ({where[engine]})" if where else "",
            )
            for engine in ENGINES
        }

    @property
    def usage(self) -> str:
        """How it is called, in words."""
        names = [
            each.name if each.default is None else f"{each.name} = {each.default}"
            for each in self.arguments
        ]
        return f"{self.name}({', '.join(names)}{', …' if self.repeats else ''})"


def literal_text(argument: Argument, written: str) -> Texts:
    """Return what the templates get for a literal.

    Raises:
        ValueError: It isn't valid; the message says what is.
    """
    if argument.read is None:
        return string_text(written)
    return same(argument.read(written))
