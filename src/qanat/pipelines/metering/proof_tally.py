"""The comparison of a store of `metering` with what was handed over: line by line, as far as a total can tell."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from qanat.pipelines.metering.kernel.layout import RAW_BYTES_MAX
from qanat.pipelines.metering.periods import Granularity
from qanat.pipelines.metering.proof_input import Truth, lines_in
from qanat.runtime.registry import FileState, Queries

# Of each kind of difference so many are told one by one.
_TOLD_MAX: Final = 3

_Letter = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What the comparison came to (see `qanat.prove.proof.Tally`); records are lines."""

    read: int
    written: int
    duplicated: int
    lost: int
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Handed:
    """What was handed over under one name.

    Attributes:
        counted: What each file that has to be counted comes to.
        others: How many more rows of `files` there are, by state.
    """

    counted: list[Truth] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    @property
    def states(self) -> Counter[str]:
        """How many rows of `files` there have to be, by state."""
        return self.others + Counter({str(FileState.COUNTED): len(self.counted)})


def tally(store: Queries, handed: Mapping[str, Handed]) -> Tally:
    """Compare everything that was counted with what was handed over."""
    truths = [truth for file in handed.values() for truth in file.counted]
    expected: Counter[int] = Counter()
    in_files: Counter[int] = Counter()
    for truth in truths:
        expected.update(truth.sums)
        in_files.update(truth.sums.keys())
    totals, problems = _totals(store, in_files)
    usage, more = _usage(store)
    letters = _letters(store)
    wanted_letters = Counter(_expected_letters(handed))
    over, under = _worst(expected, totals, usage)
    return Tally(
        read=sum(truth.lines for truth in truths),
        written=sum(map(lines_in, totals.values())) + letters.total(),
        duplicated=over + (letters - wanted_letters).total(),
        lost=under + (wanted_letters - letters).total(),
        problems=(*problems, *more, *_files(store, handed), *_leftovers(store)),
    )


def _totals(store: Queries, in_files: Mapping[int, int]) -> tuple[Counter[int], list[str]]:
    found: Counter[int] = Counter()
    rows: Counter[int] = Counter()
    wrong = []
    for row in store.query("select consumer, amount, parts from totals").to_pylist():
        consumer = row["consumer"]
        found[consumer] += int(row["amount"])
        rows[consumer] += 1
        # In which parts of a file he is depends on where it was cut; in as many as there are files at least.
        if row["parts"] < in_files.get(consumer, 0):
            wrong.append(
                f"consumer {consumer} is in {row['parts']} parts of {in_files[consumer]} files"
            )
    wrong += [
        f"consumer {consumer} has {count} rows" for consumer, count in rows.items() if count > 1
    ]
    return found, _told("totals", wrong)


def _usage(store: Queries) -> tuple[Counter[int], list[str]]:
    found: Counter[int] = Counter()
    rows: Counter[tuple[object, ...]] = Counter()
    for row in store.query(
        "select consumer, period_start, granularity, amount from usage"
    ).to_pylist():
        found[row["consumer"]] += int(row["amount"])
        rows[row["consumer"], row["period_start"], row["granularity"]] += 1
    wrong = [f"{key} has {count} rows" for key, count in rows.items() if count > 1]
    wrong += [
        f"a granularity {word!r}" for word in {str(key[2]) for key in rows} - set(Granularity)
    ]
    return found, _told("usage", wrong)


def _worst(expected: Counter[int], *tables: Counter[int]) -> tuple[int, int]:
    """Return the lines that count too often and too seldom: per consumer, in whichever table is further off."""
    over = under = 0
    for consumer in set(expected).union(*tables):
        differences = [_difference(expected[consumer], found[consumer]) for found in tables]
        over += max(difference[0] for difference in differences)
        under += max(difference[1] for difference in differences)
    return over, under


def _difference(expected: int, found: int) -> tuple[int, int]:
    if expected == found:
        return 0, 0
    lines = lines_in(found) - lines_in(expected)
    # As many lines, but another amount: at least one is lost, and another one is there instead.
    return (max(lines, 0), max(-lines, 0)) if lines else (1, 1)


def _letters(store: Queries) -> Counter[_Letter]:
    rows = store.query(
        "select origin, line, byte_offset, length, raw from dead_letters"
    ).to_pylist()
    return Counter(tuple(row.values()) for row in rows)


def _expected_letters(handed: Mapping[str, Handed]) -> Sequence[_Letter]:
    return [
        (name, letter.line, letter.offset, len(letter.content), letter.content[:RAW_BYTES_MAX])
        for name, file in handed.items()
        for truth in file.counted
        for letter in truth.letters
    ]


def _files(store: Queries, handed: Mapping[str, Handed]) -> list[str]:
    """Compare the register: each file's states, and what is kept of it."""
    columns = "name, state, lines_good, lines_bad, total, number"
    rows = store.query(f"select {columns} from files order by id").to_pylist()
    wrong = []
    for name in sorted({row["name"] for row in rows} | set(handed)):
        mine = [row for row in rows if row["name"] == name]
        file = handed.get(name, Handed())
        states = Counter(row["state"] for row in mine)
        if states != file.states:
            wrong.append(f"{name} is {dict(states)} instead of {dict(file.states)}")
        kept = Counter(
            (row["lines_good"], row["lines_bad"], int(row["total"]))
            for row in mine
            if row["state"] == FileState.COUNTED
        )
        told = Counter((t.lines_good, len(t.letters), sum(t.sums.values())) for t in file.counted)
        if kept != told:
            wrong.append(
                f"the rows of {name} say (good, bad, total) {list(kept)} instead of {list(told)}"
            )
    numbers = sorted(row["number"] for row in rows if row["number"] is not None)
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"counted files are numbered {numbers}")
    return _told("files", wrong)


def _leftovers(store: Queries) -> list[str]:
    """What has to be gone when everything is drained."""
    parts = store.query("select count(*) as n from parts").column("n")[0].as_py()
    return [f"{parts} parts of files are left"] if parts else []


def _told(what: str, wrong: Sequence[str]) -> list[str]:
    """Name the first few, and say how many there are."""
    more = len(wrong) - _TOLD_MAX
    return [f"{what}: {text}" for text in wrong[:_TOLD_MAX]] + (
        [f"{what}: {more} more"] if more > 0 else []
    )
