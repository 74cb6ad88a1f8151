"""Every table, report and look-up equals the computation in plain Python, on real stores."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from qanat.interfaces import Scalar, Store
from qanat.pipelines.wikimedia import expected_answers as expect
from qanat.pipelines.wikimedia.expected import Creation, Judged, Received, judged, tables_of
from qanat.pipelines.wikimedia.generator import Options
from qanat.pipelines.wikimedia.reports import (
    DOMAIN_ARTICLES,
    DOMAINS,
    NAME_PAGES,
    PAGE,
    REPORTS,
    TOP_USERS,
    USER_PAGES,
    USERS,
)
from qanat.pipelines.wikimedia.tables import TABLES
from qanat.reports.lookup import look_up
from qanat.tables import Table
from tests.unit.pipelines.wikimedia import storing

# Eight hours, with ten times more of everything that is wrong; and some hours in the middle without any event.
OPTIONS = Options(
    count=4_000,
    seed=7,
    rate_per_s=0.2,
    repeats=0.1,
    bad=0.1,
    canaries=0.05,
    hidden=0.02,
    whole_seconds=0.1,
    imports=0.02,
    again=0.05,
)
PAGE_ROWS = 60
HOUR = timedelta(hours=1)
START = OPTIONS.start
QUIET = (START + 2 * HOUR, START + 3 * HOUR)


@pytest.fixture(scope="module")
def events() -> list[Received]:
    made = storing.stream(OPTIONS)
    return [event for event in made if not QUIET[0] <= event.received_at < QUIET[1]]


@pytest.fixture(scope="module")
def truth(events: list[Received]) -> Judged:
    return judged(events)


@pytest.fixture(scope="module")
def creations(truth: Judged) -> list[Creation]:
    return truth.creations


@pytest.fixture(
    scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, events: list[Received]
) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    if request.param == "duckdb":
        opened = storing.duckdb_store(folder)
    else:
        opened = storing.postgres_store(request.getfixturevalue("postgres_url"), folder)
    with opened as store:
        storing.fill(store, events, batch=613)
        yield store


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables(table: Table, store: Store, creations: list[Creation]) -> None:
    expected = tables_of(creations)[table.name]
    assert len(expected) > 10
    assert expected == storing.table_rows(store, table)


@pytest.mark.parametrize("hours", [0, 4, 6, 8, 30])
def test_reports(hours: int, store: Store, creations: list[Creation]) -> None:
    """An end may lie before all events, or after them."""
    end = START + hours * HOUR
    for report in REPORTS:
        parameters: dict[str, Scalar] = {"window_start": end - 6 * HOUR, "window_end": end}
        if report is TOP_USERS:
            parameters |= {"top": 20, "bots": "include", "titles_max": 20}
        expected = expect.expected_reports(creations, end)[report.name]
        assert expected == storing.answer(store, report, parameters), report.name


@pytest.mark.parametrize("bots", ["include", "exclude", "only"])
@pytest.mark.parametrize(("top", "titles_max"), [(3, 1), (500, 10_000)])
def test_top_users(
    bots: str, top: int, titles_max: int, store: Store, creations: list[Creation]
) -> None:
    end = START + 8 * HOUR
    parameters: dict[str, Scalar] = {"window_start": end - 6 * HOUR, "window_end": end}
    choice: dict[str, Scalar] = {"top": top, "bots": bots, "titles_max": titles_max}
    found = storing.answer(store, TOP_USERS, {**parameters, **choice})
    assert expect.top_users(creations, end, top, bots, titles_max) == found


def test_an_end_within_an_hour(store: Store) -> None:
    """It counts as the hour's beginning."""
    end = START + 7 * HOUR
    choice: dict[str, Scalar] = {"top": 20, "bots": "include", "titles_max": 20}
    for report in REPORTS:
        more = choice if report is TOP_USERS else dict[str, Scalar]()
        answers = [
            storing.answer(store, report, {"window_start": at - 6 * HOUR, "window_end": at, **more})
            for at in (end, end + timedelta(minutes=59))
        ]
        assert answers[0] == answers[1]


def test_domains(store: Store, creations: list[Creation]) -> None:
    assert expect.domains(creations) == storing.answer(store, DOMAINS, {})
    for domain in ("commons.wikimedia.org", "de.wiktionary.org", "nowhere.example"):
        expected = expect.domain_articles(creations, domain)
        assert expected == storing.answer(store, DOMAIN_ARTICLES, {"domain": domain})


def test_user_pages(store: Store, creations: list[Creation]) -> None:
    """By id or name; users with one name on several wikis are told apart by the wiki."""
    busy = [row for row in creations if row.user_id is not None][::400]
    anonymous = [row for row in creations if row.who is not None and row.user_id is None]
    for row in busy:
        for wiki in (None, row.wiki):
            expected = expect.user_pages(creations, row.user_id, None, wiki)
            told = {"user_id": row.user_id, "wiki": wiki}
            assert expected == storing.answer(store, USER_PAGES, told)
    for row in (*busy, *anonymous[::40]):
        for wiki in (None, row.wiki):
            expected = expect.user_pages(creations, None, row.user_name, wiki)
            by_name = {"user_name": row.user_name, "wiki": wiki}
            assert expected == storing.answer(store, NAME_PAGES, by_name)
    assert [] == storing.answer(store, USER_PAGES, {"user_id": 0, "wiki": None})
    assert [] == storing.answer(store, NAME_PAGES, {"user_name": None, "wiki": None})


def test_pages_of_a_user_page_by_page(store: Store, creations: list[Creation]) -> None:
    """The rows of a page are chosen before they are read: of all pages together none is missing, and none comes twice."""
    (user_id, _), *_ = Counter(row.user_id for row in creations if row.user_id).most_common(1)
    expected = expect.user_pages(creations, user_id, None, None)
    assert len(expected) > 2 * PAGE_ROWS
    with store.snapshot() as reader:
        for offset in range(0, len(expected) + PAGE_ROWS, PAGE_ROWS):
            told = {"user_id": str(user_id)}
            page = look_up(USER_PAGES, reader, told, START, limit=PAGE_ROWS, offset=offset)
            assert expected[offset : offset + PAGE_ROWS] == page.rows.to_pylist()
            assert page.more == (offset + PAGE_ROWS < len(expected))


def test_page(store: Store, creations: list[Creation]) -> None:
    """A page that was made anew is told as it was made last."""
    times = Counter((row.wiki, row.page_id) for row in creations)
    again = [row for row in creations if times[row.wiki, row.page_id] > 1]
    assert again
    for row in [*creations[::1000], *again[::12]]:
        for wiki, domain in ((None, None), (row.wiki, None), (None, row.domain), ("nowiki_", None)):
            parameters = {"page_id": row.page_id, "wiki": wiki, "domain": domain}
            expected = expect.page(creations, row.page_id, wiki, domain)
            assert expected == storing.answer(store, PAGE, parameters), parameters


def moments(creations: list[Creation]) -> list[datetime | None]:
    """No bound, full hours, the very moments of creations, and those right beside."""
    of_events = [row.created_at for row in creations[300::2500]]
    beside = [at + timedelta(microseconds=by) for at in of_events for by in (-1, 0, 1)]
    hours = [START, START + HOUR, START + 5 * HOUR, START + 5 * HOUR + timedelta(minutes=30)]
    return [None, *hours, *beside]


def test_users(store: Store, creations: list[Creation]) -> None:
    """Of any range of time, exact to the microsecond; of an empty one, and a reversed one, none."""
    for since in moments(creations):
        for until in moments(creations):
            found = storing.answer(store, USERS, {"since": since, "until": until, "wiki": None})
            assert expect.users(creations, since, until) == found, (since, until)
    expected = expect.users(creations, START, None, "commonswiki")
    told = {"since": START, "until": None, "wiki": "commonswiki"}
    assert expected == storing.answer(store, USERS, told)
