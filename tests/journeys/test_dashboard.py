"""The dashboard as people meet it: a real browser, real stores, a real run."""

import csv
import io
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from qanat.listening import Listening
from qanat.serve.background import serving
from qanat.session import Session
from tests.journeys import browsing, dashboard_visits
from tests.journeys.browsing import watched
from tests.journeys.dashboard_visits import HOSTILE, HUGE, PIPELINE, Visits
from tests.journeys.test_metering import User, _address, await_rows

browser = browsing.browser

expect.set_options(timeout=browsing.PATIENCE_MS)

TOKEN = "a-long-random-token"
_HOURLY = "/api/visits/reports/hourly"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return User(tmp_path_factory.mktemp("metering"), "duckdb:")


@pytest.fixture(scope="module")
def metering(user: User) -> Iterator[str]:
    """The page of `metering`, served by a run that watches a folder in which a file was counted."""
    user.incoming.mkdir()
    process = user.start(
        "run", "metering", "--input", str(user.incoming), "--serve", "--port", "0",
        "--log-level", "info", "--log-format", "json",
    )  # fmt: skip
    try:
        address = _address(process)
        huge = 999_999_999_999_999_999
        lines = [f"{number * 10**12} {number}\n" for number in range(1, 26)]
        bad = f"{HOSTILE}\n"
        user.put("a.txt", f"{''.join(lines)}{huge} {huge}\n{bad}".encode())
        await_rows(user, "select state from files", [{"state": "counted"}])
        yield f"{address}/pipelines/metering"
    finally:
        stop(process)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visits, Session]]:
    with dashboard_visits.visits(tmp_path_factory.mktemp("visits")) as made:
        yield made


@pytest.fixture(scope="module")
def visits(filled: tuple[Visits, Session]) -> Iterator[str]:
    """The page of a pipeline that the dashboard doesn't know."""
    with serving(PIPELINE, filled[1], Listening("127.0.0.1", 0)) as address:
        yield f"{address}/pipelines/visits"


def test_numbers_move(browser: Browser, metering: str, user: User) -> None:
    """What a run counts is on the open page, without a reload."""
    with watched(browser, metering) as page:
        expect(page.locator("#live")).to_have_text("Live")
        expect(fact(page, "count", "records")).to_have_text("27")
        figures = page.locator("#files")
        figures.scroll_into_view_if_needed()
        expect(figures.locator('[data-figure="lines counted"]')).to_have_text("26")
        user.put("b.txt", b"5 1\n" * 1_000)
        expect(fact(page, "count", "records")).to_have_text("1,027")
        expect(figures.locator('[data-figure="lines counted"]')).to_have_text("1,026")
        expect(figures.locator('[data-figure="files counted"]')).to_have_text("2")
        expect(figures.locator('[data-figure="lines/s"]')).not_to_have_text("–")
        expect(figures.locator("tbody tr").first).to_contain_text("b.txt")


def test_report(browser: Browser, metering: str, user: User) -> None:
    """A report is a chart and a table with every digit; sorted, set, in pages, and kept as the command prints it."""
    with watched(browser, metering, expected=("422",)) as page:
        report = page.locator("#report-top")
        report.scroll_into_view_if_needed()
        expect(report.locator("tbody tr")).to_have_count(20)
        expect(report.locator(".chart svg .mark-rect path")).to_have_count(20)
        expect(report.locator("tbody tr").first).to_contain_text("999999999999999999")
        report.get_by_text("Parameters").click()
        report.get_by_role("textbox", name="limit").fill("23")
        report.get_by_role("button", name="Show").click()
        expect(report.locator(".told")).to_have_text("1 to 20 of 23")
        report.get_by_role("button", name="Next page").click()
        expect(report.locator("tbody tr")).to_have_count(3)
        report.get_by_role("button", name="place").click()
        report.get_by_role("button", name="place").click()
        expect(report.locator("tbody tr").first).to_contain_text("23")
        expect(report.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
        kept = downloaded(page, "#report-top", "Download CSV")
        told = user.do("reports", "metering", "top", "--set", "limit=23", "--csv")
        assert numbers(told) == numbers(kept)
        told = user.do("reports", "metering", "top", "--set", "limit=23", "--json")
        rows = json.loads(downloaded(page, "#report-top", "Download JSON"))
        assert json.loads(told) == [{**row, "amount": int(row["amount"])} for row in rows]
        report.get_by_role("textbox", name="limit").fill("0")
        report.get_by_role("button", name="Show").click()
        expect(report.get_by_role("alert")).to_contain_text("limit")


def test_replay(browser: Browser, metering: str, user: User) -> None:
    """A dead letter is shown as what it is, kept, and counted after all by a button."""
    with watched(browser, metering, expected=("400",)) as page:
        letters = page.locator("#dead-letters")
        letters.scroll_into_view_if_needed()
        expect(letters.locator("pre")).to_have_text(HOSTILE)
        kept = json.loads(downloaded(page, "#dead-letters", "Download all"))
        assert HOSTILE == kept["raw"]
        letters.get_by_role("button", name=re.compile("^Replay")).click()
        expect(letters.locator(".outcome")).to_contain_text("Not replayed")
        letters.get_by_label("Corrected").fill("77 5")
        letters.get_by_role("button", name=re.compile("^Replay")).click()
        expect(letters.locator(".outcome")).to_have_text("Replayed: consumer 77, amount 5")
        letters.get_by_label("State").select_option("replayed")
        expect(letters.locator("pre")).to_have_text(HOSTILE)
        assert not page.evaluate("window.ran ?? false")
    assert [{"amount": 5}] == user.sql("select amount from totals where consumer = 77")


def test_any_pipeline(browser: Browser, visits: str, filled: tuple[Visits, Session]) -> None:
    """Stages, edges, states and stalls of a pipeline come from its declaration, and from what its run tells."""
    with watched(browser, visits) as page:
        graph = page.get_by_role("group", name="Stages of visits")
        expect(graph.locator(".node")).to_have_count(6)
        expect(graph.locator(".edges .edge")).to_have_count(5)
        expect(graph.locator(".node.table", has_text="sites")).to_contain_text("exactly once")
        expect(page.locator("#live")).to_have_text("Live")
        filled[0].tell(123_456, rate=1_234.5, lag=7, stall="the source is silent")
        expect(fact(page, "store", "records")).to_have_text("123,456")
        expect(fact(page, "store", "lag")).to_have_text("7")
        expect(graph.locator(".stalled")).to_contain_text("the source is silent")
        filled[0].tell(123_457)
        expect(graph.locator(".stalled")).to_have_count(0)


def test_stored_report(browser: Browser, visits: str, filled: tuple[Visits, Session]) -> None:
    """A report that was made on time says of when it is; a newer one takes its place on the open page."""
    end = filled[0].made(7)
    with watched(browser, visits) as page:
        report = page.locator("#report-hourly")
        report.scroll_into_view_if_needed()
        expect(report.locator("tbody")).to_have_text("7")
        expect(report.locator(".age")).to_contain_text(f"to {end:%Y-%m-%d %H:%M} UTC; made at")
        filled[0].made(8)
        expect(report.locator("tbody")).to_have_text("8")


def test_report_told_of_early(
    browser: Browser, visits: str, filled: tuple[Visits, Session]
) -> None:
    """The page may hear of a report before the service gives it: it asks again until it has what it heard of."""
    filled[0].made(9)
    with watched(browser, visits) as page:
        report = page.locator("#report-hourly")
        report.scroll_into_view_if_needed()
        expect(report.locator("tbody")).to_have_text("9")
        served = page.request.get(f"{visits.removesuffix('/pipelines/visits')}{_HOURLY}").text()
        old = [served]

        def answer(route: Route) -> None:
            if old:
                route.fulfill(body=old.pop(), content_type="application/json")
            else:
                route.continue_()

        page.route(f"**{_HOURLY}", answer)
        filled[0].made(10)
        expect(report.locator("tbody")).to_have_text("10")
        assert not old


def test_lookup_and_tables(browser: Browser, visits: str) -> None:
    """A look-up finds by its form, a table is looked into; what strangers wrote stays text, whole numbers whole."""
    with watched(browser, visits) as page:
        lookup = page.locator("#lookup-visits")
        lookup.get_by_role("textbox", name="site").fill(HOSTILE)
        lookup.get_by_role("button", name="Look up").click()
        expect(lookup.locator("tbody tr")).to_have_count(20)
        expect(lookup.locator("tbody tr").first).to_contain_text(HOSTILE)
        expect(lookup.locator("tbody tr").nth(19)).to_contain_text(str(HUGE - 2_405))
        assert str(HUGE - 2_405) in downloaded(page, "#lookup-visits", "Download JSON")
        page.get_by_text("– one row per site").click()
        table = page.locator("#tables details[open]")
        expect(table.locator("tbody tr")).to_have_count(20)
        expect(table.locator("tbody")).to_contain_text(HOSTILE)
        assert not page.evaluate("window.ran ?? false")


def test_token(browser: Browser, filled: tuple[Visits, Session]) -> None:
    """Where a token is wanted the page asks for it, says when it is wrong, and keeps it for the tab."""
    with (
        serving(PIPELINE, filled[1], Listening("127.0.0.1", 0, TOKEN)) as address,
        watched(browser, f"{address}/", expected=("401",)) as page,
    ):
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button", name="Continue").click()
        expect(dialog.get_by_role("alert")).to_have_text("That one is wrong.")
        dialog.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("group", name="Stages of visits")).to_be_visible()
        expect(page.locator("#live")).to_have_text("Live")
        page.reload()
        expect(page.get_by_role("group", name="Stages of visits")).to_be_visible()
        expect(dialog).to_have_count(0)


def test_comes_back(browser: Browser, filled: tuple[Visits, Session]) -> None:
    """A page says since when it isn't live, and is live again by itself."""
    with ExitStack() as first:
        address = first.enter_context(serving(PIPELINE, filled[1], Listening("127.0.0.1", 0)))
        with watched(browser, f"{address}/", expected=("ERR_",)) as page:
            expect(page.locator("#live")).to_have_text("Live")
            first.close()
            expect(page.locator("#live")).to_have_text(re.compile("Not live since"))
            filled[0].tell(200_000)
            port = int(address.rpartition(":")[2])
            with serving(PIPELINE, filled[1], Listening("127.0.0.1", port)):
                expect(page.locator("#live")).to_have_text("Live")
                expect(fact(page, "store", "records")).to_have_text("200,000")


def fact(page: Page, stage: str, name: str) -> Locator:
    return page.locator(".node.stage", has=page.get_by_text(stage, exact=True)).locator(
        f'[data-fact="{name}"]'
    )


def numbers(text: str) -> tuple[list[str], list[list[Decimal]]]:
    """The rows of a CSV of numbers below its headings; JavaScript writes 1 where Python writes 1.0."""
    headings, *rows = csv.reader(io.StringIO(text))
    return headings, [[Decimal(cell) for cell in row] for row in rows]


def downloaded(page: Page, section: str, button: str) -> str:
    with page.expect_download() as download:
        page.locator(section).get_by_role("button", name=button).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
