"""Small pieces of SQL: quoted names, lists of columns, conditions."""

from collections.abc import Iterable


def quoted(name: str) -> str:
    """Return an identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


def column_list(names: Iterable[str], prefix: str = "") -> str:
    """Return names with commas, each after `prefix` (an alias and a dot)."""
    return ", ".join(f"{prefix}{quoted(name)}" for name in names)


def equal(names: Iterable[str], left: str, right: str) -> str:
    """Return the condition that two relations have equal values in columns of the same names."""
    return " and ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in names)


def bound(names: Iterable[str], prefix: str = "") -> str:
    """Return the condition that each column equals the parameter of its name; `true` for none."""
    return " and ".join(f"{prefix}{quoted(name)} = ${name}" for name in names) or "true"
