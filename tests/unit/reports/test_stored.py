"""Reports with windows: stored ones where they answer what was asked, computed ones elsewhere; and look-ups in pages."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from qanat.errors import ConfigError, Fatal
from qanat.interfaces import Store
from qanat.pipeline import Lookup
from qanat.reports.answer import END, Answer, ask, parameters_of
from qanat.reports.lookup import OFFSET_MAX, ROWS_MAX, Page, look_up, lookup_named
from qanat.reports.stored import GRACE_S, freshness, is_stale
from qanat.settings import CommonSettings
from qanat.testing import FakeClock
from qanat.wiring import open_store
from tests.unit.reports.windowed import BUSY, DOMAINS, HOUR, NOW, PIPELINE, RECENT, at, make, visit

STORES = ["memory:", "duckdb:", pytest.param("postgres", marks=pytest.mark.postgres)]
VISITS = [("a", 6, 1), ("a", 11, 2), ("b", 7, 1), ("c", 5, 9), ("d", 12, 9)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_fresh") if postgres else request.param
    opened = open_store(PIPELINE.name, CommonSettings(store=url, data_dir=tmp_path), clock)
    opened.migrate(PIPELINE.tables)
    visit(opened, VISITS)
    yield opened
    opened.close()


def asked(store: Store, **given: str) -> Answer:
    with store.snapshot() as reader:
        return ask(BUSY, reader, given, NOW)


def page(store: Store, limit: int = 2, offset: int = 0, **given: str) -> Page:
    with store.snapshot() as reader:
        return look_up(DOMAINS, reader, given, NOW, limit=limit, offset=offset)


def domains(answer: Answer | Page) -> list[object]:
    return list(answer.rows.column("domain").to_pylist())


def test_computed_where_nothing_is_stored(store: Store) -> None:
    """The latest full window, computed now."""
    answer = asked(store)
    assert (at(6), at(12), NOW, 0) == (
        answer.window_start,
        answer.window_end,
        answer.made_at,
        answer.revision,
    )
    assert ["a", "b"] == domains(answer)


def test_stored_equals_computed(store: Store, clock: FakeClock) -> None:
    """What is stored comes back with the types and values of what is computed, and says when it was made."""
    computed = asked(store)
    make(store, clock)
    clock.advance(600)
    stored = asked(store)
    assert computed.rows.equals(stored.rows)
    assert Decimal(3 * 10**19) == stored.rows.column("huge").to_pylist()[0]
    assert (at(12), NOW, 1) == (stored.window_end, stored.made_at, stored.revision)
    assert 600 == stored.age_s(clock.now())


def test_stored_where_it_answers(store: Store, clock: FakeClock) -> None:
    """With parameters of one's own, or for a window that isn't stored, it is computed."""
    make(store, clock)
    visit(store, [("e", 11, 1)])  # without a word to the reports
    assert ["a", "b"] == domains(asked(store))
    assert ["a", "b"] == domains(asked(store, smallest="1"))
    assert ["a", "b"] == domains(asked(store, end="2026-11-22T12:10"))
    other = asked(store, smallest="2")
    assert (["a"], 0, at(12)) == (domains(other), other.revision, other.window_end)
    earlier = asked(store, end="1h")
    assert (["c", "a", "b"], 0, at(11)) == (domains(earlier), earlier.revision, earlier.window_end)


def test_the_newest_stored_is_the_latest(store: Store, clock: FakeClock) -> None:
    """Without an end it is the newest that was made, however long ago: with its window, and stale."""
    make(store, clock)
    with store.snapshot() as reader:
        later = ask(BUSY, reader, {}, NOW + 50 * HOUR)
        set_too = ask(BUSY, reader, {"smallest": "2"}, NOW + 50 * HOUR)
        (fresh,) = freshness(PIPELINE, reader, NOW)
        (old,) = freshness(PIPELINE, reader, NOW + 50 * HOUR)
    assert at(12) == later.window_end == set_too.window_end
    assert (False, True) == (fresh.stale, old.stale)
    assert 50 * 3600 == old.age_s


def test_staleness() -> None:
    """A report is stale when the next window ended, and some grace has passed."""
    grace = timedelta(seconds=GRACE_S)
    assert not is_stale(BUSY, at(12), at(13) + grace)
    assert is_stale(BUSY, at(12), at(13) + grace + timedelta(seconds=1))


def test_never_made_is_not_stale(store: Store) -> None:
    """Before the first run there is nothing that could be too old; on-demand reports never are."""
    with store.snapshot() as reader:
        (one,) = freshness(PIPELINE, reader, NOW)
    assert (BUSY, None, False) == (one.report, one.made, one.stale)


def test_spans_reach_back_from_the_end(store: Store) -> None:
    """In a report with a window `1h` is an hour before its end."""
    with store.snapshot() as reader:
        answer = ask(RECENT, reader, {"end": "2026-11-22T12:00Z"}, NOW)
        wider = ask(RECENT, reader, {"end": "2026-11-22T12:00Z", "since": "6h"}, NOW)
    assert at(11) == answer.values["since"]
    assert [1, 3] == [each.rows.column("pages")[0].as_py() for each in (answer, wider)]
    assert 0 == answer.revision


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"end": "soon"}, "a date or a time"),
        ({"end": "2026-11-22T13:00Z"}, "no later than now"),
        ({"ends": "1h"}, "one of smallest, end"),
        ({"smallest": "x"}, "a whole number"),
    ],
)
def test_wrong_use(store: Store, given: dict[str, str], message: str) -> None:
    """A parameter that can't be used is named with what would do."""
    with pytest.raises(ConfigError, match=message):
        asked(store, **given)


def test_parameters() -> None:
    """`end` can be set of every report with a window."""
    assert ("smallest", END.name) == tuple(each.name for each in parameters_of(BUSY))


def test_pages(store: Store) -> None:
    """A look-up is read page by page, and says whether there is more."""
    first, second, none = page(store), page(store, offset=2), page(store, offset=4)
    assert (["a", "b"], True) == (domains(first), first.more)
    assert (["c", "d"], False) == (domains(second), second.more)
    assert ([], False) == (domains(none), none.more)
    assert (["c"], True) == (
        domains(page(store, limit=1, first="c")),
        page(store, limit=1, first="c").more,
    )


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0, 0), f"from 1 to {ROWS_MAX}"),
        ((ROWS_MAX + 1, 0), f"from 1 to {ROWS_MAX}"),
        ((1, -1), f"from 0 to {OFFSET_MAX}"),
        ((1, OFFSET_MAX + 1), f"from 0 to {OFFSET_MAX}"),
    ],
)
def test_bounds_of_pages(store: Store, bounds: tuple[int, int], message: str) -> None:
    """A page has a size, and lies within reach."""
    with pytest.raises(ConfigError, match=message):
        page(store, *bounds)


def test_lookups_by_name() -> None:
    """A look-up that isn't there is answered with those that are."""
    assert lookup_named(PIPELINE, "domains") is DOMAINS
    with pytest.raises(ConfigError, match="one of domains"):
        lookup_named(PIPELINE, "domain")


def test_other_columns(store: Store) -> None:
    """A statement that returns other columns than are declared is an error of the pipeline."""
    wrong = Lookup("wrong", "", "select domain from visits order by domain", DOMAINS.columns)
    with store.snapshot() as reader, pytest.raises(Fatal, match="wrong returns"):
        look_up(wrong, reader, {}, NOW)
