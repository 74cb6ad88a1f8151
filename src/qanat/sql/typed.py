"""What the checker knows of an expression: its type, whether it may be null, and its text for each engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from sqlglot import exp

from qanat.sql.text import ENGINES
from qanat.tables import ColumnType

Texts: TypeAlias = Mapping[str, str]
"""The text of something for each engine."""


class Extra(StrEnum):
    """Types of expressions that a column can't have."""

    NULL = "null"
    INTERVAL = "interval"


Kind: TypeAlias = ColumnType | Extra

NUMBERS: frozenset[Kind] = frozenset({ColumnType.INT64, ColumnType.INT128, ColumnType.FLOAT64})
INTEGERS: frozenset[Kind] = frozenset({ColumnType.INT64, ColumnType.INT128})

TYPE_NAMES: Mapping[ColumnType, Texts] = {
    ColumnType.INT64: {"duckdb": "bigint", "spark": "bigint"},
    # DuckDB's own decimal(38, 0) is another type than its sums have.
    ColumnType.INT128: {"duckdb": "hugeint", "spark": "decimal(38, 0)"},
    ColumnType.FLOAT64: {"duckdb": "double", "spark": "double"},
    ColumnType.TEXT: {"duckdb": "varchar", "spark": "string"},
    ColumnType.BYTES: {"duckdb": "blob", "spark": "binary"},
    ColumnType.BOOLEAN: {"duckdb": "boolean", "spark": "boolean"},
    ColumnType.TIMESTAMP: {"duckdb": "timestamptz", "spark": "timestamp"},
}
"""What a type is called by each engine."""


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression that was accepted.

    Attributes:
        bare: The columns in it that no aggregate covers; with `group by` they have to be grouped.
        aggregate: There is an aggregate in it.
        literal: What is written there, if it is a literal.
        never_zero: It is a number that can't be 0 (it may be null).
    """

    kind: Kind
    nullable: bool
    text: Texts
    bare: tuple[exp.Expr, ...] = ()
    aggregate: bool = False
    literal: str | None = None
    never_zero: bool = False


def templated(templates: Texts | str, parts: Sequence[Texts]) -> Texts:
    """Return the text per engine with `{0}`, `{1}`, … replaced by the text of the parts."""
    each = dict.fromkeys(ENGINES, templates) if isinstance(templates, str) else templates
    return MappingProxyType(
        {engine: each[engine].format(*(part[engine] for part in parts)) for engine in ENGINES}
    )


def joined(separator: str, parts: Sequence[Texts]) -> Texts:
    """Return the texts of the parts in a row."""
    return MappingProxyType(
        {engine: separator.join(part[engine] for part in parts) for engine in ENGINES}
    )


def same(text: str) -> Texts:
    """Return a text that both engines read alike."""
    return MappingProxyType(dict.fromkeys(ENGINES, text))


def name_text(name: str) -> Texts:
    """Return a quoted name."""
    double, back = name.replace('"', '""'), name.replace("`", "``")
    return MappingProxyType({"duckdb": f'"{double}"', "spark": f"`{back}`"})


def string_text(value: str) -> Texts:
    """Return a text literal; to Spark a backslash begins an escape."""
    doubled = value.replace("'", "''")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return MappingProxyType({"duckdb": f"'{doubled}'", "spark": f"'{escaped}'"})


def cast_text(text: Texts, kind: ColumnType) -> Texts:
    """Return the cast of an expression."""
    return templated("cast({0} as {1})", (text, TYPE_NAMES[kind]))


def derived(
    kind: Kind, text: Texts, parts: Sequence[Typed], *, nullable: bool | None = None
) -> Typed:
    """Return an expression that is made of others: null as soon as one of them is, unless said otherwise."""
    return Typed(
        kind,
        any(part.nullable for part in parts) if nullable is None else nullable,
        text,
        bare=tuple(column for part in parts for column in part.bare),
        aggregate=any(part.aggregate for part in parts),
    )
