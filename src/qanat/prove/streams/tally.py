"""The comparison of everything that a pipeline of streams made with what it had to make."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from qanat.pipeline import Pipeline, Report
from qanat.prove.streams.compare import (
    Differences,
    compare,
    compare_letters,
    equal_rows,
    rows_of,
)
from qanat.prove.streams.letters import Letters, expected_letters, found_letters
from qanat.prove.streams.topic import Kept
from qanat.prove.streams.truth import Expected, Row, receipts_of, windowed
from qanat.reports.answer import compute
from qanat.reports.stored import stored_at
from qanat.runtime.registry import Queries
from qanat.runtime.remakes import QUEUE, remake_id
from qanat.runtime.windows import is_stored, latest_end, step_of
from qanat.tables import InsertNew, Table, WriteMode

DUE: Mapping[str, str] = {
    "duckdb": "qanat_queue",
    "postgresql": "qanat_due",
    "postgres": "qanat_due",
    "postgresql+local": "qanat_due",
}
"""The table of what is due in a store, by the scheme of its URL."""

# So many rows are turned into Python's objects at a time.
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What the comparison came to (see `qanat.prove.proof.Tally`)."""

    read: int
    written: int
    duplicated: int
    lost: int
    problems: tuple[str, ...] = ()


def tally(
    pipeline: Pipeline,
    asked: Queries,
    expected: Expected,
    found: Kept | None,
    now: datetime,
    due: str,
    *,
    settled: bool,
) -> Tally:
    """Compare every table, the dead letters and the reports.

    Args:
        pipeline: The declaration.
        asked: The store.
        expected: What has to be there.
        found: The first topic, where there is one.
        now: Tells which reports are asked for.
        due: The store's table of what is due.
        settled: Nothing may be due any more; otherwise a stored report that is due to be remade isn't compared.
    """
    ignored = receipts_of(pipeline)
    parts = list(_tables(pipeline, asked, expected, ignored))
    letters = list(_letters(asked, expected, found, ignored))
    worst = max(parts, key=lambda part: part.duplicated + part.lost, default=Differences())
    problems = [text for part in (*parts, *letters) for text in part.problems]
    problems += _reports(pipeline, asked, expected, now, waiting(asked, due), settled=settled)
    first = parts[0] if parts else Differences()
    return Tally(
        read=first.read + sum(part.read for part in letters),
        written=first.written + sum(part.written for part in letters),
        duplicated=worst.duplicated + sum(part.duplicated for part in letters),
        lost=worst.lost + sum(part.lost for part in letters),
        problems=tuple(problems),
    )


def written(pipeline: Pipeline) -> Mapping[str, tuple[Table, WriteMode]]:
    """Return the tables that the stages write, the de-duplicating ones first."""
    found: dict[str, tuple[Table, WriteMode]] = {}
    for stage in pipeline.stages:
        if stage.deduplicate is not None:
            by = stage.deduplicate
            found[by.table.name] = (by.table, InsertNew(by.key))
    for stage in pipeline.stages:
        for write in stage.writes:
            found.setdefault(write.table.name, (write.table, write.mode))
    return found


def rows(asked: Queries, table: Table) -> Iterator[Row]:
    """Yield a table's rows, in no order."""
    columns = ", ".join(f'"{name}"' for name in table.names)
    answer = asked.query(f"select {columns} from {table.name}")
    return rows_of(answer.to_batches(max_chunksize=_ROWS))


def _tables(
    pipeline: Pipeline, asked: Queries, expected: Expected, ignored: frozenset[str]
) -> Iterator[Differences]:
    for name, (table, mode) in written(pipeline).items():
        if name in expected.tables:
            yield compare(table, mode, expected.tables[name], rows(asked, table), ignored)


def _letters(
    asked: Queries, expected: Expected, found: Kept | None, ignored: frozenset[str]
) -> Iterator[Differences]:
    """Compare dead letters: a record that comes again is rejected again, as often as it is in the topic."""
    there = found_letters(asked, ignored)
    wanted = expected_letters(expected.rejected, expected.late, ignored)
    spare = found.again + found.strange if found is not None else 0
    if found is not None and all(hash(raw) in found.times for raw in wanted.rejected):
        # Whatever is no event of the stream's own is the server's garbage.
        raws = wanted.rejected.keys() | there.rejected.keys()
        wanted = Letters(Counter({raw: found.times[hash(raw)] for raw in raws}), wanted.late)
        yield compare_letters(wanted.rejected, there.rejected, 0, "dead letters")
    else:
        yield compare_letters(wanted.rejected, there.rejected, spare, "dead letters")
    yield compare_letters(wanted.late, there.late, spare, "too late")


def waiting(asked: Queries, due: str) -> frozenset[str]:
    """Return the ids of the reports that are due to be remade."""
    sql = f"select id from {due} where queue = $queue and id like 'remake:%'"
    return frozenset(asked.query(sql, {"queue": QUEUE}).column("id").to_pylist())


def _reports(
    pipeline: Pipeline,
    asked: Queries,
    expected: Expected,
    now: datetime,
    remade: frozenset[str],
    *,
    settled: bool,
) -> list[str]:
    wrong = []
    for report in windowed(pipeline):
        latest = latest_end(report, now)
        for end in (latest, latest - 3 * step_of(report)):
            told = compute(report, asked, end).to_pylist()
            if not equal_rows(expected.report(report.name, end), told):
                wrong.append(f"{report.name}, asked for {end.isoformat()}, tells something else")
        if is_stored(report):
            wrong += _stored(report, asked, expected, frozenset() if settled else remade)
    return wrong


def _stored(
    report: Report, asked: Queries, expected: Expected, remade: frozenset[str]
) -> Sequence[str]:
    made = "select window_end from made_reports where report = $report"
    ends = asked.query(made, {"report": report.name}).column("window_end").to_pylist()
    if not ends:
        return [f"{report.name} was never made"]
    wrong = []
    for end in (moment.astimezone(UTC) for moment in ends):
        if remake_id(report, end) in remade:
            continue
        stored = stored_at(asked, report, end)
        same = stored is not None and equal_rows(
            expected.report(report.name, end), stored.rows.to_pylist()
        )
        if not same:
            wrong.append(f"{report.name} of {end.isoformat()} is stored with other rows")
    return wrong
