"""The dashboard for everybody: any width, light and dark, by keyboard alone, by ear."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from qanat.clock import SystemClock
from qanat.listening import Listening
from qanat.pipelines.metering import PIPELINE as METERING
from qanat.pipelines.metering.operations import operations
from qanat.serve.background import serving_all
from qanat.serve.served import Served
from qanat.session import open_session
from qanat.settings import CommonSettings
from tests.journeys import accessible, browsing, dashboard_visits
from tests.journeys.browsing import watched
from tests.journeys.dashboard_visits import Visits
from tests.journeys.test_metering import User

browser = browsing.browser
expect.set_options(timeout=browsing.PATIENCE_MS)

NARROW, WIDE = 360, 1600
# Of red, green and blue together, which come to 765.
BRIGHT, DARK = 600, 150
CHARTS = ".chart:not([hidden]) svg"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Visits]]:
    """Two pipelines with something of everything."""
    user = User(tmp_path_factory.mktemp("metering"), "duckdb:")
    lines = [f"{number * 10**12} {number}\n" for number in range(1, 60)]
    user.put("a-file-with-a-rather-long-name-of-its-own.txt", f"{''.join(lines)}bad\n".encode())
    user.run_once()
    settings, clock = CommonSettings(data_dir=user.root / "data"), SystemClock()
    with (
        open_session(METERING, settings, clock, operations=operations()) as metering,
        dashboard_visits.visits(tmp_path_factory.mktemp("visits")) as (filled, visits),
    ):
        filled.made(7, ago=timedelta(hours=5))
        several = [Served(METERING, metering), Served(dashboard_visits.PIPELINE, visits)]
        with serving_all(several, Listening("127.0.0.1", 0)) as at:
            yield at, filled


@pytest.fixture
def address(served: tuple[str, Visits]) -> str:
    served[1].tell(5, stall="the source is silent")
    return served[0]


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(
    "path", ["/", "/pipelines/metering", "/pipelines/visits", "/pipelines/none"]
)
def test_every_page(browser: Browser, address: str, path: str, width: int) -> None:
    """No page scrolls sideways; all has a name, an order, a contrast for weak eyes, room for a finger; by day and by night."""
    with watched(browser, address + path, width=width) as page:
        shown(page)
        assert not accessible.too_wide(page)
        assert not accessible.problems(page)
        assert brightness(page) > BRIGHT
        inks = {chart: ink(page, chart) for chart in range(page.locator(CHARTS).count())}
        assert (
            5 if path == "/pipelines/metering" else 1 if path == "/pipelines/visits" else 0
        ) == len(inks)
        page.emulate_media(color_scheme="dark")
        for chart, before in inks.items():
            expect(page.locator(CHARTS).nth(chart).locator(f'text[fill="{before}"]')).to_have_count(
                0
            )
        assert brightness(page) < DARK
        assert not accessible.problems(page)


@pytest.mark.parametrize(
    ("path", "width"),
    [("/", NARROW), ("/pipelines/metering", NARROW), ("/pipelines/visits", WIDE)],
)
def test_keyboard(browser: Browser, address: str, path: str, width: int) -> None:
    """Tab reaches all that can be used, shows where it is, and is trapped nowhere; first comes a way past the head."""
    with watched(browser, address + path, width=width) as page:
        shown(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert "main" == page.evaluate("document.activeElement.id")
        for summary in page.locator("summary").all()[:5]:
            summary.press("Enter")
        shown(page)
        missed, unseen = accessible.walked(page)
        assert not missed
        assert not unseen


def test_by_ear(browser: Browser, address: str) -> None:
    """A screen reader hears what the pictures show: the stages with their ways, and each chart as its table."""
    with watched(browser, f"{address}/pipelines/visits", width=WIDE) as page:
        shown(page)
        heard = page.get_by_role("group", name="Stages of visits").aria_snapshot()
        assert "from store: exactly once" in heard
        assert "Stalled since" in heard
        assert "records/s" in heard
        expect(page.get_by_role("status", name="Alarms")).to_contain_text("hourly is overdue")
        chart = page.get_by_role(
            "img", name="Chart: Visits per site. The table below has the same rows."
        )
        expect(chart).to_have_count(1)
        expect(page.get_by_role("table", name="Visits per site")).to_have_count(1)
        expect(page.get_by_role("status").filter(has_text="Live")).to_have_count(1)


def shown(page: Page) -> None:
    """Scroll through the page, so that all of it is loaded."""
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    for section in page.get_by_role("region", name=re.compile("^(metering|visits)$")).all():
        expect(section.locator(".graph")).to_be_visible()
    for section in page.locator("section.panel").all():
        section.scroll_into_view_if_needed()
    for age in page.locator(".age").all():
        expect(age).not_to_be_empty()
    for chart in page.locator(".chart:not([hidden])").all():
        expect(chart.locator("svg").first).to_be_attached()
    page.evaluate("scrollTo(0, 0)")


def brightness(page: Page) -> int:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def ink(page: Page, chart: int) -> str | None:
    return page.locator(CHARTS).nth(chart).locator("text").first.get_attribute("fill")
