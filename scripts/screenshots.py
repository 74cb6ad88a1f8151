"""Make the pictures of docs/dashboard.md: a run of `metering` on generated files, looked at with the system's Chromium.

    python scripts/screenshots.py

What is shown is the generator's: no picture holds anything of anybody.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from qanat.clock import SystemClock
from qanat.listening import Listening
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.assembly import assembled
from qanat.pipelines.metering.generator import GeneratorOptions, generate
from qanat.pipelines.metering.operations import operations
from qanat.pipelines.metering.settings import Progress, RunSettings
from qanat.serve.background import serving
from qanat.session import open_session
from qanat.settings import Place
from qanat.telemetry import Telemetry

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
BYTES_MAX = 100_000
FILES = 24
PATIENCE_MS = 30_000
# Letters in grey instead of in the colours of a screen's points: half the bytes.
SMALL = ["--disable-lcd-text"]


@dataclass(frozen=True)
class Shot:
    """One picture: of the part of a page that begins with an element."""

    name: str
    path: str
    width: int
    height: int
    dark: bool = False
    at: str = "body"


SHOTS = (
    Shot("home-light", "/", 1600, 560),
    Shot("metering-light", "/pipelines/metering", 1600, 480, at="#files"),
    Shot("reports-dark", "/pipelines/metering", 1600, 900, dark=True, at="#reports"),
    Shot("metering-dark-narrow", "/pipelines/metering", 360, 780, dark=True),
    Shot("letters-light-narrow", "/pipelines/metering", 360, 780, at="#dead-letters"),
)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium")
    if path is None:
        print("no chromium: it is Debian's package chromium", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as place,
        served(Path(place)) as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=path, args=SMALL) as browser,
    ):
        sizes = {shot.name: taken(browser, address, shot) for shot in SHOTS}
    for name, size in sizes.items():
        print(f"{name}.png  {size} bytes")
    return 0 if max(sizes.values()) <= BYTES_MAX else 1


@contextmanager
def served(place: Path) -> Iterator[str]:
    """Count generated files, and serve what came of them."""
    options = GeneratorOptions(
        seed=1, files=FILES, size_bytes_min=300_000, size_bytes_max=900_000, consumers=500,
        distribution="zipf", bad_share=0.0002, durable=False, bad_lines_kept=10_000,
    )  # fmt: skip
    generate(options, place / "incoming")
    settings = RunSettings(
        input=Place(str(place / "incoming")), once=True, data_dir=place / "data",
        progress=Progress.NONE,
    )  # fmt: skip
    clock, telemetry = SystemClock(), Telemetry()
    with assembled(settings, clock, telemetry, threading.Event()) as parts:
        parts.run.run()
    with (
        open_session(PIPELINE, settings, clock, operations=operations()) as session,
        serving(PIPELINE, session, Listening("127.0.0.1", 0), telemetry) as address,
    ):
        yield address


def taken(browser: Browser, address: str, shot: Shot) -> int:
    """Take a picture; return its size in bytes."""
    page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
    )
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address + shot.path)
    page.locator('#live:text-is("Live")').wait_for()
    page.locator(".graph").first.wait_for()
    # What lies above it is loaded first, so that nothing moves afterwards.
    for section in page.locator("section.panel").all():
        section.scroll_into_view_if_needed()
    for chart in page.locator(".chart:not([hidden])").all():
        chart.locator("svg").first.wait_for()
    page.locator(shot.at).evaluate("each => scrollTo(0, each.offsetTop - 64)")
    page.wait_for_timeout(2_500)  # a second look at the counters, for the rates
    path = FOLDER / f"{shot.name}.png"
    page.screenshot(path=path)
    page.close()
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
