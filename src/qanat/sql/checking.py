"""A statement against what is declared: all that can be found out before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from qanat.sql.parsing import offset_of, parsed
from qanat.sql.relations import Known, Output, declared, nearest
from qanat.sql.statements import query
from qanat.sql.text import SqlText
from qanat.sql.typed import Extra, Texts
from qanat.tables import Column, ColumnType, Table


@dataclass(frozen=True, slots=True)
class CheckedSql:
    """A statement that was accepted.

    Attributes:
        columns: Of the result, in order.
        texts: What each engine runs.
        parameters: The names that are written `$name` in it.
    """

    sql: SqlText
    columns: tuple[Column, ...]
    texts: Texts
    parameters: frozenset[str] = frozenset()

    def text_for(self, engine: str) -> str:
        """Return what an engine runs.

        Raises:
            SqlError: The statement is written per engine, and not for this one.
        """
        if engine not in self.texts:
            there = ", ".join(sorted(self.texts))
            hint = f"There are: {there}. Add a section `-- engine: {engine}`."
            raise self.sql.error(0, f"there is no text for {engine}", hint)
        return self.texts[engine]


def check(
    sql: SqlText,
    inputs: Mapping[str, Sequence[Column]],
    target: Table | None = None,
    parameters: Mapping[str, ColumnType] | None = None,
) -> CheckedSql:
    """Check a statement against the relations it may read, and the table it is written to.

    Args:
        sql: The statement.
        inputs: What it may name in `from`, such as `batch`.
        target: Every column of the result has to be one of this table, with its type; only columns that may be null may
            be missing.
        parameters: The types of what is written `$name`. None: each has to be cast where it stands.

    Raises:
        SqlError: It isn't valid, isn't known to be equal on every engine, or doesn't fit; with file, line and column.
    """
    if sql.by_engine:
        return _escaped(sql, target)
    tree = parsed(sql)
    relations = {name.lower(): declared(name.lower(), columns) for name, columns in inputs.items()}
    made = query(tree, Known(sql, relations, parameters), None)
    columns = tuple(_column(sql, each, target) for each in made.outputs)
    if target is not None:
        nodes = {each.alias_or_name.lower(): offset_of(each) for each in tree.selects}
        _fits(sql, columns, target, nodes)
    return CheckedSql(sql, columns, made.text, _parameters(tree))


def _column(sql: SqlText, output: Output, target: Table | None) -> Column:
    """Return a column of the result; what is always null has the type of the column it is written to."""
    if output.kind is Extra.NULL:
        if target is None or output.name not in target.names:
            raise sql.error(0, f"{output.name} is always null", "cast(null as its type)")
        return Column(output.name, target.column(output.name).type, nullable=True)
    return Column(output.name, ColumnType(output.kind), output.nullable)


def _fits(sql: SqlText, columns: Sequence[Column], target: Table, nodes: Mapping[str, int]) -> None:
    for column in columns:
        offset = nodes.get(column.name, 0)
        if column.name not in target.names:
            reason = f"the table {target.name} has no column {column.name!r}"
            raise sql.error(offset, reason, nearest(column.name, target.names))
        wanted = target.column(column.name)
        if column.type is not wanted.type and not _widens(column.type, wanted.type):
            where = f"{target.name}.{column.name}"
            raise sql.error(offset, f"{where} is {wanted.type}, and this is {column.type}")
        if column.nullable and not wanted.nullable:
            reason = f"{target.name}.{column.name} can't be null, and this may be"
            raise sql.error(offset, reason, "coalesce(value, …), or `where … is not null`")
    names = {column.name for column in columns}
    missing = [each.name for each in target.columns if not each.nullable and each.name not in names]
    if missing:
        raise sql.error(0, f"the columns {', '.join(missing)} of {target.name} are missing")


def _widens(have: ColumnType, wanted: ColumnType) -> bool:
    return have is ColumnType.INT64 and wanted is ColumnType.INT128


def _escaped(sql: SqlText, target: Table | None) -> CheckedSql:
    """Take a text per engine as it is; only whether it can be read is checked here, and its result when it has run."""
    if target is None:
        hint = "It is for statements that are written to a table."
        raise sql.error(0, "a text per engine needs a table that tells its columns", hint)
    parameters: frozenset[str] = frozenset()
    for engine, text in sql.by_engine.items():
        try:
            parameters |= _parameters(sqlglot.parse_one(text, read=engine))
        except SqlglotError as error:
            raise sql.error(0, f"the text for {engine} isn't valid: {error}") from error
    return CheckedSql(sql, target.columns, dict(sql.by_engine), parameters)


def _parameters(tree: exp.Expr) -> frozenset[str]:
    return frozenset(each.name for each in tree.find_all(exp.Placeholder))
