"""A real browser for the tests: the system's Chromium, watched for what no page of ours may do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# What the slowest page needs on a busy machine; nothing is timed.
PATIENCE_MS = 30_000


@dataclass
class Watched:
    """Pages of one context, and everything they did that they mustn't."""

    context: BrowserContext
    host: str
    wrong: list[str] = field(default_factory=list)
    # What a test brings about on purpose, such as a refused token: the browser tells it as an error.
    expected: tuple[str, ...] = ()

    def page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda told: self._console(told.type, told.text))
        page.on("pageerror", lambda error: self.wrong.append(f"raised: {error}"))
        page.on("request", lambda request: self._request(request.url))
        return page

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(each in text for each in self.expected):
            self.wrong.append(f"{kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).scheme not in {"blob", "data"} and urlsplit(url).netloc != self.host:
            self.wrong.append(f"asked {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    path = shutil.which("chromium")
    if path is None:
        required = os.environ.get("QANAT_REQUIRE_SERVICES", "") not in {"", "0"}
        (pytest.fail if required else pytest.skip)("no chromium: it is Debian's package chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path) as made:
        yield made


@contextmanager
def watched(
    browser: Browser,
    address: str,
    *,
    width: int = 1280,
    dark: bool = False,
    expected: tuple[str, ...] = (),
) -> Iterator[Page]:
    """Open `address`; at the end the pages must have asked nobody else, and told no error."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        accept_downloads=True,
    )
    pages = Watched(context, urlsplit(address).netloc, expected=expected)
    try:
        page = pages.page()
        page.goto(address)
        yield page
    finally:
        context.close()
    assert not pages.wrong, pages.wrong
