"""A report's answer as a Vega-Lite specification: whoever draws it needs nothing else.

The rows stand in the specification as they are drawn: as numbers that are exact to 15 digits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias, Union

from qanat.interfaces import Scalar
from qanat.output import moment_text
from qanat.pipeline import Chart, Shape
from qanat.reports.answer import Answer

Json: TypeAlias = Union[str, int, float, bool, "list[Json]", "dict[str, Json]", None]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

# In pixels, before scaling: with its axes a chart is about 800 wide, as wide as the text of a page.
WIDTH = 680
HEIGHT = 300
# Of several charts one below the other each is lower, so that all fit on half a page.
HEIGHT_OF_SEVERAL = 150
BAR_HEIGHT = 22
GAP = 0.6
# A single period would fill the whole drawing, and look like anything but a bar.
PERIODS_MIN = 4
# Beyond so many the names of bars can't be read, however high the drawing is.
RANKED_MAX = 50

# Told apart also by those who see colours otherwise, and in print (Okabe and Ito, "Color Universal
# Design", 2008).
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"
_COLOURS: Mapping[str, str] = {
    "hour": _GREEN,
    "day": _BLUE,
    "month": _ORANGE,
    "counted": _BLUE,
    "waiting": _GREY,
    "held": _ORANGE,
    "failed": _RED,
    "undone": _GREEN,
}

# The axis of time, by what a tick is the beginning of: 24 hours, and dates that need no week.
_TIMES: dict[str, Json] = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%b %d",
    "date": "%b %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
}

_CONFIG: dict[str, Json] = {
    "background": "white",
    # The first comes with the renderer, so that a server without fonts draws the same.
    "font": "Liberation Sans, Arial, sans-serif",
    "padding": 16,
    "title": {
        "anchor": "start",
        "fontSize": 18,
        "subtitleFontSize": 12,
        "subtitleColor": "#555555",
        "subtitlePadding": 6,
        "offset": 14,
    },
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleColor": "#333333",
        "labelColor": "#333333",
        "gridColor": "#E8E8E8",
        "domainColor": "#888888",
        "tickColor": "#888888",
        "labelOverlap": "greedy",
    },
    "legend": {"orient": "top", "direction": "horizontal", "labelFontSize": 12, "title": None},
    "view": {"stroke": None},
}


def specification(answer: Answer) -> dict[str, Json]:
    """Return the drawing of an answer; one without rows says so."""
    report = answer.report
    rows = [{name: _drawn(value) for name, value in row.items()} for row in answer.rows.to_pylist()]
    title: dict[str, Json] = {"text": report.title}
    if subtitle := _subtitle(answer):
        title["subtitle"] = list[Json](subtitle)
    whole: dict[str, Json] = {"$schema": SCHEMA, "title": title, "config": _CONFIG}
    if not rows:
        return {**whole, **_nothing()}
    height = HEIGHT if len(report.charts) == 1 else HEIGHT_OF_SEVERAL
    drawn = [_chart(chart, rows, height) for chart in report.charts if _has_values(chart, rows)]
    whole["data"] = {"values": list[Json](rows)}
    if not drawn:
        return {**whole, **_nothing()}
    if len(drawn) == 1:
        return {**whole, **drawn[0]}
    return {**whole, "vconcat": list[Json](drawn), "spacing": 18}


def _has_values(chart: Chart, rows: Sequence[Mapping[str, Json]]) -> bool:
    return any(row[name] is not None for row in rows for name in chart.values)


def _chart(chart: Chart, rows: Sequence[Mapping[str, Json]], height: int) -> dict[str, Json]:
    if chart.shape is Shape.RANKED:
        return _ranked(chart, len(rows))
    return _periods(chart, rows, height)


def _ranked(chart: Chart, count: int) -> dict[str, Json]:
    (value,) = chart.values
    shown = min(count, RANKED_MAX)
    return {
        "width": WIDTH,
        "height": shown * BAR_HEIGHT,
        "transform": [
            {"window": [{"op": "row_number", "as": "order"}]},
            {"filter": f"datum.order <= {RANKED_MAX}"},
        ],
        "mark": {"type": "bar", "color": _BLUE, "height": {"band": 0.75}},
        "encoding": {
            "y": {
                "field": chart.label,
                "type": "nominal",
                "sort": {"field": "order"},
                "title": chart.label,
                "axis": {"ticks": False, "domain": False},
            },
            "x": {**_values_axis(chart), "field": value},
        },
    }


def _periods(chart: Chart, rows: Sequence[Mapping[str, Json]], height: int) -> dict[str, Json]:
    # By hand from 0 or from the bar below: a bar between two moments isn't stacked by itself.
    transform: list[Json] = [
        {"fold": list[Json](chart.values), "as": ["series", "value"]},
        {"filter": "isValid(datum.value)"},
        {"calculate": f"indexof({list(chart.values)}, datum.series)", "as": "order"},
        {
            "stack": "value",
            "groupby": [chart.start],
            "sort": [{"field": "order"}],
            "as": ["below", "above"],
        },
    ]
    encoding: dict[str, Json] = {
        "x": {
            "field": chart.start,
            "type": "temporal",
            "scale": {"type": "utc", "domain": _span(chart, rows)},
            "axis": {"title": None, "grid": False, "tickCount": 8, "format": dict(_TIMES)},
        },
        "x2": {"field": chart.end},
        "y": {**_values_axis(chart), "field": "below"},
        "y2": {"field": "above"},
        "color": _colour(chart, rows),
    }
    if chart.whole:
        # Two steps instead of a scale: a legend of its own would say less than the subtitle.
        encoding["opacity"] = {
            "condition": {"test": f"datum['{chart.whole}']", "value": 1},
            "value": 0.45,
        }
    return {
        "width": WIDTH,
        "height": height,
        "transform": transform,
        "mark": {"type": "rect", "stroke": "white", "strokeWidth": _gap(chart, rows)},
        "encoding": encoding,
    }


def _span(chart: Chart, rows: Sequence[Mapping[str, Json]]) -> Json:
    """From the first start to the last end, so that charts one below the other have one axis."""
    starts, ends, shortest = _times(chart, rows)
    begin = min(*starts, max(ends) - PERIODS_MIN * shortest)
    return [moment_text(begin), moment_text(max(ends))]


def _gap(chart: Chart, rows: Sequence[Mapping[str, Json]]) -> float:
    """The white around a bar: none where it would leave nothing of the narrowest one."""
    starts, ends, shortest = _times(chart, rows)
    return GAP if WIDTH * (shortest / (max(ends) - min(starts))) >= 4 * GAP else 0


def _times(
    chart: Chart, rows: Sequence[Mapping[str, Json]]
) -> tuple[list[datetime], list[datetime], timedelta]:
    """When the periods start and end, and how long the shortest one is."""
    starts, ends = (
        [datetime.fromisoformat(str(row[name])) for row in rows]
        for name in (chart.start, chart.end)
    )
    return starts, ends, min(end - start for start, end in zip(starts, ends, strict=True))


def _values_axis(chart: Chart) -> dict[str, Json]:
    # 1.5k, 20M, 3G; what is counted has no halves, not even where there is little of it.
    told = "format(datum.value, '~s')"
    if chart.percent:
        told = "datum.value == 0 ? '0%' : format(datum.value, '+.0%')"
    else:
        told = f"datum.value == 0 ? '0' : datum.value % 1 ? '' : {told}"
    axis: dict[str, Json] = {"labelExpr": told}
    return {"type": "quantitative", "title": chart.names, "axis": axis}


def _colour(chart: Chart, rows: Sequence[Mapping[str, Json]]) -> Json:
    if chart.colour:
        words = [word for word in _COLOURS if any(row[chart.colour] == word for row in rows)]
        return _told_apart(chart.colour, words) if len(words) > 1 else {"value": _BLUE}
    if len(chart.values) > 1:
        return _told_apart("series", [name for name in chart.values if any(r[name] for r in rows)])
    return {"condition": {"test": "datum.value < 0", "value": _RED}, "value": _BLUE}


def _told_apart(field: str, words: Sequence[str]) -> Json:
    scale: dict[str, Json] = {
        "domain": list[Json](words),
        "range": [_COLOURS.get(word, _GREY) for word in words],
    }
    return {"field": field, "type": "nominal", "scale": scale}


def _nothing() -> dict[str, Json]:
    return {
        "width": WIDTH,
        "height": HEIGHT_OF_SEVERAL,
        "data": {"values": [{}]},
        "mark": {
            "type": "text",
            "text": "Nothing was counted that this could show.",
            "fontSize": 14,
            "color": "#555555",
        },
    }


def _subtitle(answer: Answer) -> list[str]:
    """What was set, and how to read what can't be seen: pale bars, bars of several widths."""
    charts = answer.report.charts
    told = [
        f"{name}: {_set(value)}"
        for name, value in answer.values.items()
        if value is not None and name not in {"now", "limit"} and value != "auto"
    ]
    shown = answer.rows.num_rows
    if any(chart.shape is Shape.RANKED for chart in charts) and shown > RANKED_MAX:
        told.append(f"the first {RANKED_MAX} of {shown}")
    notes = []
    if any(chart.shape is Shape.PERIODS for chart in charts):
        notes.append("Times are UTC.")
    if any(chart.colour for chart in charts):
        notes.append("A bar is as wide as the period it tells of; its area is what was used.")
    known = answer.rows.to_pylist()
    if missing := [chart.names for chart in charts if known and not _has_values(chart, known)]:
        notes.append(f"Nothing to show yet: {', '.join(missing)}.")
    if any(chart.whole for chart in charts) and False in answer.rows.column("complete").to_pylist():
        notes.append("Pale: a period that isn't complete.")
    return [line for line in (", ".join(told), " ".join(notes)) if line]


def _set(value: Scalar) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def _drawn(value: object) -> Json:
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)  # a name, such as a consumer's: as a number it would become another one
    return value if isinstance(value, str | int | float | bool) else None
