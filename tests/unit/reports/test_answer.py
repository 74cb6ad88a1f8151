"""What the reports of `metering` say, on each store alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Store
from qanat.pipeline import Pipeline, Report
from qanat.pipelines.metering import PIPELINE
from qanat.reports.answer import Answer, ask, report_named, statement_of
from qanat.tables import Column, ColumnType
from tests.unit.reports.metered import HUGE, NOW, at, fill, store_at

STORES = ["memory:", "duckdb:", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=STORES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_fresh") if postgres else request.param
    with store_at(url, tmp_path) as store:
        yield store


@pytest.fixture
def store(empty: Store) -> Store:
    fill(empty)
    return empty


def asked(store: Store, name: str, **given: str) -> Answer:
    with store.snapshot() as reader:
        return ask(report_named(PIPELINE, name), reader, given, NOW)


def rows(answer: Answer, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in names) for row in answer.rows.to_pylist()]


def test_top(store: Store) -> None:
    """The greatest first, with the share of everything, exact beyond 64 bits; bounds ask the usage."""
    found = rows(asked(store, "top"), "place", "consumer", "amount", "share")
    assert [(1, 8, Decimal(HUGE), 1.0), (2, 7, 975, 0.0), (3, 9, 2, 0.0)] == found
    november = asked(store, "top", since="2026-11-21", limit="1")
    assert [(1, 7, 51, 0.9623)] == rows(november, "place", "consumer", "amount", "share")
    cut = asked(store, "top", since="2026-10-15", until="2026-11-01")
    assert [(7, 620)] == rows(cut, "consumer", "amount")


def test_usage_of_mixed_granularities(store: Store) -> None:
    """Each period once, as long as it is kept; finer rows in a coarser period go with it."""
    found = rows(
        asked(store, "usage", step="hour"), "period_start", "granularity", "amount", "per_day"
    )
    assert [
        (at("2026-09-01"), "month", 300, 10),
        (at("2026-10-01"), "month", 620, 20),
        (at("2026-11-20"), "day", HUGE + 4, pytest.approx(float(HUGE), 1e-14)),
        (at("2026-11-21"), "day", 50, 50),
        (at("2026-11-22T04:00"), "hour", 2, 48),
        (at("2026-11-22T12:00"), "hour", 1, 24),
    ] == found


@pytest.mark.parametrize(
    ("since", "step"),
    [("2026-11-21", "hour"), ("2026-10-01", "day"), ("", "day")],
)
def test_usage_is_complete(store: Store, since: str, step: str) -> None:
    """Whatever the step, the amounts add up to what is kept in the bounds."""
    with store.snapshot() as reader:
        kept = reader.query(
            "select cast(sum(amount) as numeric(38, 0)) as amount from usage"
            " where period_start >= $since",
            {"since": at(since or "2000-01-01")},
        ).to_pylist()[0]["amount"]
    found = rows(asked(store, "usage", since=since, step=step), "amount")
    assert kept == sum(Decimal(str(amount)) for (amount,) in found)


def test_usage_chooses_its_step(store: Store) -> None:
    """Without a step: hours for three days, days for four months."""
    hours = rows(asked(store, "usage", since="2026-11-22"), "granularity")
    assert [("hour",), ("hour",)] == hours
    days = rows(asked(store, "usage", since="2026-10-15"), "period_start", "granularity", "amount")
    assert (at("2026-11-22"), "day", 3) == days[-1]
    assert (at("2026-10-01"), "month", 620) == days[0]


def test_usage_of_one(store: Store) -> None:
    """One consumer alone; what is going on isn't complete."""
    found = rows(
        asked(store, "usage", consumer="7", since="2026-11-21"), "period_start", "complete"
    )
    assert [(at("2026-11-21"), True), (at("2026-11-22T12:00"), False)] == found


def test_growth(store: Store) -> None:
    """Changes compare what is complete and side by side; consumers and files are new once."""
    found = rows(
        asked(store, "growth", step="month"),
        "period_start", "change", "new_consumers", "new_files", "complete",
    )  # fmt: skip
    assert [
        (at("2026-09-01"), None, 1, 0, False),
        (at("2026-10-01"), None, 0, 1, True),
        (at("2026-11-01"), None, 2, 2, False),
    ] == found
    later = rows(
        asked(store, "growth", step="month", now="2027-01-01", since="2026-11-02"),
        "amount",
        "change",
    )
    assert HUGE + 57 == later[0][0]
    assert isinstance(later[0][1], float)
    assert later[0][1] > 1e20


def test_growth_by_day(empty: Store) -> None:
    """A change is that of the amount per day against the day before, and null after a gap."""
    days = [("10", 100), ("11", 200), ("12", 250), ("13", 125), ("15", 300), ("16", 300)]
    fill(empty, [(1, f"2026-11-{day}", "day", amount) for day, amount in days])
    changes = rows(asked(empty, "growth"), "change")
    assert [(None,), (None,), (0.25,), (-0.5,), (None,), (0.0,)] == changes


def test_files(store: Store) -> None:
    """Files by the day on which they came, and what became of them."""
    found = rows(
        asked(store, "files"), "period_start", "files", "counted", "waiting", "held", "failed", "lines_good",
    )  # fmt: skip
    assert [
        (at("2026-10-05"), 1, 1, 0, 0, 0, 8),
        (at("2026-11-20"), 2, 1, 0, 0, 1, 8),
        (at("2026-11-22"), 3, 1, 1, 1, 0, 8),
    ] == found
    hours = rows(asked(store, "files", step="hour", since="1d"), "period_start", "files")
    assert [(at("2026-11-22T04:00"), 2), (at("2026-11-22T12:00"), 1)] == hours


@pytest.mark.parametrize("name", [report.name for report in PIPELINE.reports])
def test_empty(empty: Store, name: str) -> None:
    """A store in which nothing was counted gives a report without rows, of the same columns."""
    answer = asked(empty, name)
    assert 0 == answer.rows.num_rows
    assert [c.name for c in answer.report.columns] == answer.rows.schema.names


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("top", {"limit": "0"}, "whole number from 1 to 10000"),
        ("top", {"limit": "many"}, "whole number"),
        ("usage", {"step": "week"}, "one of auto, hour, day, month"),
        ("usage", {"since": "yesterday"}, "such as 2026-11-22T10:00Z, or a span such as 7d"),
        ("usage", {"since": "999999999999d"}, "a span such as 7d"),
        ("usage", {"consumer": "-1"}, "from 0 to 9223372036854775807"),
        ("files", {"limit": "1"}, "one of since, until, step"),
    ],
)
def test_wrong_parameters(name: str, given: dict[str, str], message: str, tmp_path: Path) -> None:
    """A parameter that can't be used is refused with what would be right."""
    with store_at("memory:", tmp_path) as store, pytest.raises(ConfigError, match=message):
        asked(store, name, **given)


def test_unknown_report() -> None:
    """A name that isn't there is refused with those that are."""
    with pytest.raises(ConfigError, match="one of top, usage, growth, files"):
        report_named(PIPELINE, "bottom")
    with pytest.raises(ConfigError, match="there is none"):
        report_named(Pipeline("bare", "Bare", ()), "top")


def test_moments_have_time_zones(store: Store) -> None:
    """A moment is UTC unless it says otherwise; a span reaches back from now."""
    values = asked(store, "usage", since="2026-11-22T01:00+02:00", until="2026-11-23").values
    assert (datetime(2026, 11, 21, 23, tzinfo=UTC), at("2026-11-23")) == (
        values["since"],
        values["until"],
    )
    assert NOW - timedelta(hours=36) == asked(store, "usage", since="36h").values["since"]


def test_other_columns_are_a_mistake_of_ours(store: Store) -> None:
    """A statement that returns something else than is declared stops, and says what."""
    report = Report("odd", "Odd", "select 1 as one", (Column("two", ColumnType.INT64),))
    with store.snapshot() as reader, pytest.raises(Fatal, match="odd returns"):
        ask(report, reader, {}, NOW)


@pytest.mark.parametrize("report", PIPELINE.reports, ids=lambda report: report.name)
def test_statements_say_what_a_row_is(report: Report) -> None:
    """Each statement begins with a comment, as our SQL does; each is drawn by columns it has."""
    assert statement_of(report).startswith("-- One row per ")
    names = {column.name for column in report.columns}
    for chart in report.charts:
        used = {*chart.values, chart.label, chart.start, chart.end, chart.colour, chart.whole}
        assert used - {""} <= names


def test_corrections_that_outweigh_the_rest(empty: Store) -> None:
    """There is no share of a total, and no change against a period, that isn't positive; neither is misleading."""
    days = [("10", 100), ("11", 200), ("12", -50), ("13", 40), ("14", 0), ("15", -400)]
    fill(empty, [(1, f"2026-11-{day}", "day", amount) for day, amount in days])
    growth = rows(asked(empty, "growth"), "amount", "change")
    changes = [None, None, -1.25, None, -1.0, None]
    assert [(amount, change) for (_, amount), change in zip(days, changes, strict=True)] == growth
    assert [(1, -110, None)] == rows(asked(empty, "top"), "consumer", "amount", "share")
