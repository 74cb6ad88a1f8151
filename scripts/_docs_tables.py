"""Guarantees, tables, metrics, events and failpoints, as the code declares them."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from _docs_commands import table
from qanat.errors import Refused
from qanat.failpoints import POINTS
from qanat.interfaces import Capabilities
from qanat.pipeline import Input, Order, Pipeline, Report, Stage, Write
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.lines import BadReason
from qanat.runtime.plan import plan
from qanat.serve.metrics import STORED
from qanat.stores.duckdb_arrow import SQL_TYPES
from qanat.stores.postgres_types import TYPES
from qanat.tables import (
    Add,
    Append,
    Column,
    ColumnType,
    InsertNew,
    Latest,
    Replace,
    Table,
    Upsert,
    WriteMode,
    arrow_schema,
)
from qanat.telemetry import EVENTS, METRICS, READINGS, STATES, Metric

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "src" / "qanat"

NUMBERS = Table(
    "numbers",
    (Column("key", ColumnType.INT64), Column("value", ColumnType.INT64)),
    key=("key",),
)

INPUTS: Mapping[str, Input] = {
    "positions (a stream)": Input("stream", "input", Order.ORDERED),
    "positions, but its last record comes again": Input(
        "stream", "input", Order.ORDERED, repeats=True
    ),
    "the same, and a column that identifies a record": Input(
        "stream", "input", Order.ORDERED, repeats=True, deduplicate_by="key"
    ),
    "ids in any order (files, items of work)": Input("folder", "input", Order.ITEMS),
    "neither": Input("socket", "input", Order.NONE),
}
"""What an input can promise, in the words of the table."""

MODES: Mapping[str, Sequence[WriteMode]] = {
    "`add`, `append`": (Add(("key",), ("value",)), Append()),
    "`upsert`, `insert_new`, `latest`, `replace`": (
        Upsert(("key",)),
        InsertNew(("key",)),
        Latest(("key",), "value"),
        Replace({"key": 1}),
    ),
}
"""The write modes, those together that are judged alike."""

OUTPUTS: Mapping[str, Capabilities] = {
    "with transactions": Capabilities(transactional=True, shared=False),
    "without": Capabilities(transactional=False, shared=True),
}


def guarantees() -> str:
    """One row per kind of input, one column per kind of write and output."""
    heads = [f"{mode} into a store {output}" for output in OUTPUTS for mode in MODES]
    rows = [
        [
            name,
            *(
                _verdict(source, modes, output)[0]
                for output in OUTPUTS.values()
                for modes in MODES.values()
            ),
        ]
        for name, source in INPUTS.items()
    ]
    return table(["the input has", *heads], rows)


def reasons() -> str:
    """Every verdict once, with its reason in the plan's own words."""
    rows = {
        _verdict(source, modes, output): None
        for source in INPUTS.values()
        for modes in MODES.values()
        for output in OUTPUTS.values()
    }
    return table(("verdict", "because"), sorted(rows))


def _verdict(source: Input, modes: Sequence[WriteMode], output: Capabilities) -> tuple[str, str]:
    verdicts = {_judged(source, mode, output) for mode in modes}
    if len(verdicts) != 1:
        raise ValueError(f"{source} and {modes} aren't judged alike: {verdicts}")
    return verdicts.pop()


def _judged(source: Input, mode: WriteMode, output: Capabilities) -> tuple[str, str]:
    stage = Stage("stage", source, "module:transform", (Write(NUMBERS, mode),))
    try:
        (edge,) = plan(Pipeline("numbers", "Numbers", (stage,)), output)
    except Refused as refused:
        return "**refused**", refused.reasons[0].partition(": ")[2]
    return str(edge.guarantee), edge.because


def columns() -> str:
    """Every table of `metering`, column by column."""
    return "\n\n".join(_table(declared) for declared in PIPELINE.tables)


def _table(declared: Table) -> str:
    rows = [
        (f"`{column.name}`", str(column.type), "yes" if column.nullable else "", column.about)
        for column in declared.columns
    ]
    key = f" Key: {', '.join(f'`{name}`' for name in declared.key)}." if declared.key else ""
    about = declared.about[:1].upper() + declared.about[1:]
    listed = table(("column", "type", "may be null", "meaning"), rows)
    return f"### `{declared.name}`\n\n{about}.{key}\n\n{listed}"


def types() -> str:
    """What each declared type is in Arrow and in the stores."""
    shape = Table("types", tuple(Column(str(kind), kind) for kind in ColumnType))
    schema = arrow_schema(shape)
    rows = [
        (
            f"`{kind}`",
            f"`{schema.field(str(kind)).type}`",
            f"`{SQL_TYPES[kind]}`",
            f"`{TYPES[kind]}`",
        )
        for kind in ColumnType
    ]
    return table(("declared", "Arrow", "DuckDB", "PostgreSQL"), rows)


def metrics() -> str:
    """What a run counts."""
    return _metrics(METRICS)


def readings() -> str:
    """What the alarms go by."""
    return _metrics(READINGS)


def states() -> str:
    """How stages and stored reports are doing."""
    return _metrics(STATES)


def _metrics(declared: Mapping[str, Metric]) -> str:
    rows = [
        (f"`{name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.about)
        for name, metric in declared.items()
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)


def reports() -> str:
    """Every report of `metering`: what can be set, and what it returns."""
    return "\n\n".join(_report(report) for report in PIPELINE.reports)


def _report(report: Report) -> str:
    parameters = [
        (
            f"`{each.name}`",
            f"`{each.default}`" if each.default else "none",
            f"{each.about} One of {', '.join(f'`{word}`' for word in each.choices)}."
            if each.choices
            else each.about,
        )
        for each in report.parameters
    ]
    columns = [
        (f"`{c.name}`", str(c.type), "yes" if c.nullable else "", c.about) for c in report.columns
    ]
    return "\n\n".join(
        [
            f"### `{report.name}`",
            f"{report.title}. {report.about}",
            table(("parameter", "default", "meaning"), parameters),
            table(("column", "type", "may be null", "meaning"), columns),
        ]
    )


def stored() -> str:
    """What the store tells when it is asked."""
    rows = [
        (
            f"`{name}`",
            "gauge",
            ", ".join(f"`{each}`" for each in ("pipeline", label) if each),
            about,
        )
        for name, (about, _, label) in STORED.items()
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)


def events() -> str:
    """What is logged."""
    return table(("event", "meaning"), [(f"`{name}`", about) for name, about in EVENTS.items()])


def failpoints() -> str:
    """Where a fault can be injected."""
    return table(("failpoint", "when"), [(f"`{name}`", about) for name, about in POINTS.items()])


def bad_lines() -> str:
    """Why a line of `metering` is malformed."""
    return "\n".join(f"* {reason.text}" for reason in BadReason)


def layers() -> str:
    """The direction of imports, as it is checked."""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = declared["tool"]["importlinter"]["contracts"]
    (contract,) = [each for each in contracts if each["type"] == "layers"]
    lines = [_layer(line) for line in contract["layers"]]
    return "```text\n" + "\n".join(filter(None, lines)) + "\n```"


def _layer(line: str) -> str:
    """One layer without what isn't there yet (it is in parentheses in the contract)."""
    names = [(name.strip("()"), name) for name in re.split(r" [:|] ", line)]
    there = [
        name for name, _ in names if any((PACKAGE / end).exists() for end in (name, f"{name}.py"))
    ]
    return (" and " if ":" in line else ", ").join(there)


PARTS = {
    "guarantees": guarantees,
    "reasons": reasons,
    "tables": columns,
    "types": types,
    "metrics": metrics,
    "stored-metrics": stored,
    "alarm-metrics": readings,
    "state-metrics": states,
    "reports": reports,
    "events": events,
    "failpoints": failpoints,
    "bad-lines": bad_lines,
    "layers": layers,
}
