"""From text to a syntax tree: DuckDB's grammar, with functions left as they are written."""

from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.duckdb import DuckDBParser

from qanat.sql.text import SqlText

EXPLICIT = "explicit"
"""The mark of an `order by` that says where nulls go."""


class Dialect(DuckDB):
    """DuckDB's, without SQLGlot's knowledge of functions: it would rename them, and lose their places."""

    class Parser(DuckDBParser):
        """Keeps every call as a name and arguments; only casts and `extract` have a grammar of their own."""

        FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTIONS: ClassVar = {}
        FUNCTION_PARSERS: ClassVar = {
            name: parser
            for name, parser in DuckDB.Parser.FUNCTION_PARSERS.items()
            if name in {"CAST", "TRY_CAST", "EXTRACT"}
        }

        def _parse_placeholder(self) -> exp.Expr | None:
            start = self._curr.start if self._curr else 0
            placeholder = super()._parse_placeholder()
            if placeholder is not None:
                placeholder.meta["start"] = start
            return placeholder

        def _parse_ordered(self, *args: object, **options: object) -> exp.Ordered | None:
            ordered = super()._parse_ordered(*args, **options)  # type: ignore[arg-type]  # passed on as given
            if ordered is not None:
                before, last = self._tokens[self._index - 2], self._tokens[self._index - 1]
                words = (before.text.lower(), last.text.lower())
                ordered.meta[EXPLICIT] = words in {("nulls", "first"), ("nulls", "last")}
            return ordered


def parsed(sql: SqlText) -> exp.Query:
    """Return the tree of the one statement that `sql` is.

    Raises:
        SqlError: It isn't one, or it does more than read.
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql.text, read=Dialect) if tree is not None]
    except ParseError as error:
        raise _syntax(sql, error) from error
    except SqlglotError as error:
        raise sql.error(0, f"not valid SQL: {error}") from error
    if len(trees) != 1:
        raise sql.error(0, f"{len(trees)} statements; it has to be one")
    tree = trees[0]
    if not isinstance(tree, exp.Query):
        raise sql.error(
            0, "not a query", "A transform is one `select`, perhaps with `with` before it."
        )
    return tree


def offset_of(node: exp.Expr) -> int:
    """Return where in the text a part of the tree begins, as near as it is known."""
    current: exp.Expr | None = node
    while current is not None:
        starts = [each.meta["start"] for each in current.walk() if "start" in each.meta]
        if starts:
            return int(min(starts))
        current = current.parent
    return 0


def _syntax(sql: SqlText, error: ParseError) -> Exception:
    first = error.errors[0] if error.errors else {}
    description = str(first.get("description", error)).rstrip(".")
    found = str(first.get("highlight", ""))
    # The parser counts columns to the end of what it stumbled over, and lines from 1.
    line, end = int(first.get("line", 1)), int(first.get("col", 1))
    lines = sql.text.split("\n")
    offset = sum(len(each) + 1 for each in lines[: line - 1]) + max(0, end - max(1, len(found)))
    near = f" at {found!r}" if found else ""
    return sql.error(min(offset, len(sql.text)), f"not valid SQL{near}: {description}")
