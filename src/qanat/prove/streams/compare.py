"""One table, compared row by row with what it has to hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import isclose
from typing import Final, TypeAlias

from qanat.prove.streams.truth import Row
from qanat.tables import Add, Append, Table, WriteMode

Values: TypeAlias = tuple[object, ...]

# Of each kind of difference so many are told one by one.
_TOLD_MAX: Final = 3
# Sums of floating-point numbers depend on the order of adding; everything else is compared exactly.
_RELATIVE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Differences:
    """What a comparison came to.

    Attributes:
        read: Records that the table has to tell of.
        written: Records that it tells of.
        duplicated: Records that count too often.
        lost: Records that count too seldom.
        problems: In words.
    """

    read: int = 0
    written: int = 0
    duplicated: int = 0
    lost: int = 0
    problems: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether there is no difference."""
        return not (self.duplicated or self.lost or self.problems)


def compare(
    table: Table,
    mode: WriteMode,
    expected: Iterable[Row],
    found: Iterable[Row],
    ignored: frozenset[str],
) -> Differences:
    """Compare a table's rows, key by key.

    Where columns add up, the first one counts records: what it is too large by is duplicated, what it is too small by is lost.

    Args:
        table: Its declaration.
        mode: How it is written.
        expected: What it has to hold.
        found: What it holds.
        ignored: Columns that aren't compared.
    """
    shape = _Shape(table, mode, ignored)
    if isinstance(mode, Append):
        return _counted(
            table.name, Counter(map(shape.key, expected)), Counter(map(shape.key, found))
        )
    wanted = {shape.key(row): shape.rest(row) for row in expected}
    tally = _Tally(table.name, shape)
    seen: set[Values] = set()
    for row in found:
        key, rest = shape.key(row), shape.rest(row)
        if key in seen:
            tally.more(key, rest, "is there twice")
        elif key not in wanted:
            tally.more(key, rest, "is there and shouldn't be")
        else:
            tally.same(key, wanted[key], rest)
        seen.add(key)
    for key, rest in wanted.items():
        if key not in seen:
            tally.less(key, rest)
    return tally.result(sum(map(shape.records, wanted.values())))


def _counted(name: str, wanted: Counter[Values], found: Counter[Values]) -> Differences:
    """Compare rows of a table in which equal ones may be."""
    over, under = found - wanted, wanted - found
    told = [f"{name}: {_shown(key)} is there too often" for key in list(over)[:_TOLD_MAX]]
    told += [f"{name}: {_shown(key)} is missing" for key in list(under)[:_TOLD_MAX]]
    return Differences(wanted.total(), found.total(), over.total(), under.total(), tuple(told))


def compare_letters(
    expected: Counter[bytes], found: Counter[bytes], spare: int, what: str
) -> Differences:
    """Compare dead letters by their bytes; `spare` more may be there, of events that came again."""
    strange = found.keys() - expected.keys()
    missing = expected - found
    over = found - expected
    duplicated = sum(over[one] for one in strange) or max(0, over.total() - spare)
    problems = [f"{what}: {one[:80]!r} isn't expected" for one in list(strange)[:_TOLD_MAX]]
    problems += [f"{what}: {one[:80]!r} is missing" for one in list(missing)[:_TOLD_MAX]]
    return Differences(
        expected.total(),
        found.total() - max(0, over.total() - duplicated),
        duplicated,
        missing.total(),
        tuple(problems),
    )


def plain(value: object) -> object:
    """Return a value as it compares: moments in UTC, whole decimals as integers."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def equal(first: object, second: object) -> bool:
    """Tell whether two values are the same, as far as adding up in another order lets them be."""
    if isinstance(first, float) and isinstance(second, float):
        return first == second or isclose(first, second, rel_tol=_RELATIVE)
    return first == second


def equal_rows(first: Sequence[Row], second: Sequence[Row]) -> bool:
    """Tell whether rows are the same, in the same order."""
    if len(first) != len(second):
        return False
    return all(
        one.keys() == other.keys()
        and all(equal(plain(one[name]), plain(other[name])) for name in one)
        for one, other in zip(first, second, strict=True)
    )


class _Shape:
    """Which columns of a table are what."""

    def __init__(self, table: Table, mode: WriteMode, ignored: frozenset[str]) -> None:
        names = [name for name in table.names if name not in ignored]
        key = names if isinstance(mode, Append) else getattr(mode, "key", ()) or table.key or names
        self.keys: tuple[str, ...] = tuple(name for name in key if name in names)
        self.others = tuple(name for name in names if name not in self.keys)
        sums = mode.sums[:1] if isinstance(mode, Add) else ()
        self.sums = tuple(self.others.index(name) for name in sums)

    def key(self, row: Row) -> Values:
        return tuple(plain(row[name]) for name in self.keys)

    def rest(self, row: Row) -> Values:
        return tuple(plain(row[name]) for name in self.others)

    def records(self, rest: Values) -> int:
        """How many records a row tells of: what its first sum says, or one."""
        return sum(_whole(rest[place]) for place in self.sums) if self.sums else 1


class _Tally:
    def __init__(self, name: str, shape: _Shape) -> None:
        self._name = name
        self._shape = shape
        self._written = self._duplicated = self._lost = 0
        self._wrong: list[str] = []

    def more(self, key: Values, rest: Values, what: str) -> None:
        count = self._shape.records(rest)
        self._written += count
        self._duplicated += count
        self._wrong.append(f"{_shown(key)} {what}")

    def less(self, key: Values, rest: Values) -> None:
        self._lost += self._shape.records(rest)
        self._wrong.append(f"{_shown(key)} is missing")

    def same(self, key: Values, wanted: Values, found: Values) -> None:
        self._written += self._shape.records(found)
        if wanted == found:
            return
        by = [_whole(found[place]) - _whole(wanted[place]) for place in self._shape.sums]
        self._duplicated += max(0, sum(by))
        self._lost += max(0, -sum(by))
        self._wrong += [
            f"{_shown(key)}: {name} is {one!r} instead of {other!r}"
            for name, one, other in zip(self._shape.others, found, wanted, strict=True)
            if not equal(one, other)
        ]

    def result(self, read: int) -> Differences:
        told = [f"{self._name}: {text}" for text in self._wrong[:_TOLD_MAX]]
        more = len(self._wrong) - _TOLD_MAX
        if more > 0:
            told.append(f"{self._name}: {more} more")
        return Differences(read, self._written, self._duplicated, self._lost, tuple(told))


def _whole(value: object) -> int:
    return round(value) if isinstance(value, int | float | Decimal) else 0


def _shown(key: Values) -> str:
    texts = (each.isoformat() if isinstance(each, datetime) else str(each) for each in key)
    return f"({', '.join(texts)})"


def rows_of(batches: Iterable[object]) -> Iterator[Row]:
    """Yield the rows of Arrow batches."""
    for batch in batches:
        yield from batch.to_pylist()  # type: ignore[attr-defined]
