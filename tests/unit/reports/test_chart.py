"""Drawings of reports."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.reports.answer import Answer, ask, report_named
from qanat.reports.chart import RANKED_MAX, specification
from qanat.reports.png import png
from tests.unit.reports.metered import NOW, fill, store_at

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = [report.name for report in PIPELINE.reports]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_at("memory:", tmp_path) as opened:
        yield opened


def answered(store: Store, name: str, **given: str) -> Answer:
    with store.snapshot() as reader:
        return ask(report_named(PIPELINE, name), reader, given, NOW)


def drawn(store: Store, name: str, **given: str) -> dict[str, Any]:
    return specification(answered(store, name, **given))


@pytest.mark.parametrize("name", NAMES)
def test_draws(store: Store, name: str) -> None:
    """Each report becomes a PNG, with rows and without."""
    nothing = png(drawn(store, name))
    fill(store)
    full = png(drawn(store, name))
    assert (PNG, PNG) == (nothing[:8], full[:8])
    assert nothing != full


def test_writing_is_drawn(store: Store) -> None:
    """The letters are in the picture, whatever fonts this machine has: other ones, another picture."""
    fill(store)
    answer = answered(store, "top")
    other = replace(answer, report=replace(answer.report, title="Pot consumers"))
    assert png(specification(answer)) != png(specification(other))


def test_carries_its_rows(store: Store) -> None:
    """A specification is JSON that names no data but its own."""
    fill(store)
    spec = json.loads(json.dumps(drawn(store, "usage", step="hour")))
    assert 6 == len(spec["data"]["values"])
    assert {"type": "utc", "domain": ["2026-09-01T00:00:00Z", "2026-11-22T13:00:00Z"]} == (
        spec["encoding"]["x"]["scale"]
    )
    assert ["hour", "day", "month"] == spec["encoding"]["color"]["scale"]["domain"]
    assert "Pale: a period that isn't complete." in spec["title"]["subtitle"][-1]


def test_narrow_bars_have_no_gaps(store: Store) -> None:
    """A white line around bars of a pixel would leave nothing of them."""
    fill(store)
    assert 0 == drawn(store, "usage", step="hour")["mark"]["strokeWidth"]
    assert 0 < drawn(store, "usage", since="2026-11-22")["mark"]["strokeWidth"]


def test_says_that_there_is_nothing(store: Store) -> None:
    """Without rows the drawing says so, with the bounds that were asked for."""
    spec = drawn(store, "top", since="2026-11-01")
    assert "Nothing was counted" in spec["mark"]["text"]
    assert ["since: 2026-11-01 00:00"] == spec["title"]["subtitle"]


def test_names_stay_readable(store: Store) -> None:
    """Of very many consumers the first are drawn, and the picture says so; numbers of names are exact."""
    fill(store, [(2**62 + c, "2026-11-01", "day", c) for c in range(RANKED_MAX + 10)])
    spec = drawn(store, "top", limit="100")
    assert f"the first {RANKED_MAX} of {RANKED_MAX + 10}" in spec["title"]["subtitle"][0]
    assert str(2**62 + RANKED_MAX + 9) == spec["data"]["values"][0]["consumer"]


def test_a_chart_without_values_is_left_out(store: Store) -> None:
    """With a single period nothing can be compared: that is said, instead of an empty drawing."""
    fill(store, [(1, "2026-11-22", "day", 5)])
    spec = drawn(store, "growth")
    assert ["new consumers", "new files"] == [
        part["encoding"]["y"]["title"] for part in spec["vconcat"]
    ]
    assert "Nothing to show yet: change of usage." in spec["title"]["subtitle"][0]
    assert "2026-11-19T00:00:00Z" == spec["vconcat"][0]["encoding"]["x"]["scale"]["domain"][0]


def test_growth_is_drawn_one_below_the_other(store: Store) -> None:
    """Several charts share their axis of time."""
    fill(store, [(1, f"2026-11-{day}", "day", day) for day in (10, 11, 12, 13)])
    parts = drawn(store, "growth")["vconcat"]
    assert 3 == len(parts)
    assert 1 == len({json.dumps(part["encoding"]["x"]["scale"]) for part in parts})
