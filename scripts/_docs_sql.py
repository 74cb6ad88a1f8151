"""The functions of SQL transforms, as the code declares them: meaning, and text for each engine. Starts no engine."""

from collections.abc import Iterable

from _docs_commands import table
from qanat.sql import ENGINES, check, load_sql
from qanat.sql.catalogue import CANONICAL, EXAMPLES, FUNCTIONS
from qanat.sql.functions import Function
from qanat.sql.refusals import FUNCTIONS as REFUSED
from qanat.sql.refusals import NODES, UNREPEATABLE


def canonical() -> str:
    """Every canonical function: how it is called, and what it means."""
    return _meanings(CANONICAL)


def ordinary() -> str:
    """Every other function that is called like any."""
    return _meanings(each for each in FUNCTIONS.values() if not each.canonical)


def texts() -> str:
    """What each engine is given for the example of each canonical function."""
    blocks = []
    for each in CANONICAL:
        checked = check(load_sql(f"select {each.example} as x from batch"), {"batch": EXAMPLES})
        lines = (f"-- {engine}\n{_expression(checked.text_for(engine))}" for engine in ENGINES)
        blocks.append("```text\n-- " + each.example + "\n" + "\n".join(lines) + "\n```")
    return "\n\n".join(blocks)


def refused() -> str:
    """What isn't accepted by name."""
    known = {**REFUSED, **UNREPEATABLE}
    rows: dict[tuple[str, str], list[str]] = {}
    for name, reason in known.items():
        rows.setdefault(reason, []).append(f"`{name}`")
    listed = [(", ".join(names), why, _way(instead)) for (why, instead), names in rows.items()]
    return table(("refused", "because", "instead"), listed)


def refused_syntax() -> str:
    """What isn't accepted although it is SQL."""
    rows = [(f"`{name}`", why, _way(instead)) for name, (why, instead) in sorted(NODES.items())]
    return table(("refused", "because", "instead"), rows)


def _way(instead: str) -> str:
    return instead if instead.startswith(("a ", "several", "the ", "every")) else f"`{instead}`"


def _meanings(functions: Iterable[Function]) -> str:
    return table(("function", "meaning"), [(f"`{each.usage}`", each.meaning) for each in functions])


def _expression(text: str) -> str:
    """The expression alone, with its columns unqualified."""
    inner = text.removeprefix("select ").partition(" as `x`")[0].partition(' as "x"')[0]
    return inner.replace('"batch".', "").replace("`batch`.", "").replace('"', "").replace("`", "")


PARTS = {
    "sql-canonical": canonical,
    "sql-ordinary": ordinary,
    "sql-texts": texts,
    "sql-refused": refused,
    "sql-refused-syntax": refused_syntax,
}
