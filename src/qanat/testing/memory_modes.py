"""What each write mode means, on plain lists of dictionaries: the other stores are compared with
this.

Slow and plain on purpose. It shares nothing with the stores that it judges: no SQL, no Arrow.
"""

from collections.abc import Hashable, Sequence
from typing import TypeAlias

from qanat.tables import Add, Append, InsertNew, Latest, Replace, Upsert, WriteMode
from qanat.testing.memory_arrow import Row

Rows: TypeAlias = list[Row]
_Key: TypeAlias = tuple[Hashable, ...]


def apply(kept: Sequence[Row], given: Sequence[Row], mode: WriteMode) -> tuple[Rows, Rows]:
    """Return what a table holding `kept` holds after `given` is written, and the rows that took
    effect.

    Every row has all columns of the table. Neither argument is changed.
    """
    if isinstance(mode, Append):
        return [*kept, *given], list(given)
    if isinstance(mode, Replace):
        stay = [row for row in kept if any(row[name] != to for name, to in mode.where.items())]
        return [*(stay if mode.where else []), *given], list(given)
    if isinstance(mode, Add):
        return _add(kept, given, mode)
    return _by_key(kept, given, mode)


def _by_key(
    kept: Sequence[Row], given: Sequence[Row], mode: Upsert | InsertNew | Latest
) -> tuple[Rows, Rows]:
    """Let the rows come one by one: each takes the place of the one with its key, or doesn't."""
    table = {_key(row, mode.key): row for row in kept}
    effective: dict[_Key, Row] = {}
    for row in given:
        key = _key(row, mode.key)
        before = table.get(key)
        if before is None or _wins(row, before, mode):
            table[key] = effective[key] = row
    return list(table.values()), list(effective.values())


def _wins(row: Row, before: Row, mode: Upsert | InsertNew | Latest) -> bool:
    if isinstance(mode, Latest):
        newer, older = row[mode.version], before[mode.version]
        return bool(newer > older)  # type: ignore[operator]  # a column has one type
    return isinstance(mode, Upsert)


def _add(kept: Sequence[Row], given: Sequence[Row], mode: Add) -> tuple[Rows, Rows]:
    table = {_key(row, mode.key): dict(row) for row in kept}
    for row in given:
        _add_to(table, row, mode)
    touched = {_key(row, mode.key) for row in given}
    zero = mode.drop_when_zero
    left = [
        row for key, row in table.items() if zero is None or key not in touched or row[zero] != 0
    ]
    effective: dict[_Key, Row] = {}
    for row in given:
        _add_to(effective, row, mode)
    return left, list(effective.values())


def _add_to(table: dict[_Key, Row], row: Row, mode: Add) -> None:
    before = table.setdefault(_key(row, mode.key), {**row, **dict.fromkeys(mode.sums, 0)})
    for name in mode.sums:
        before[name] = _number(before[name]) + _number(row[name])


def _key(row: Row, names: Sequence[str]) -> _Key:
    values = tuple(row[name] for name in names)
    hash(values)  # a key of an unhashable type is a mistake of ours: say so here
    return values


def _number(value: object) -> int | float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} can't be added up: it has to be a number")
    return value
