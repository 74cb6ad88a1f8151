"""Every `.sql` that ships: what it reads, and with which parameters it is run."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import qanat
from qanat.interfaces import Scalar
from qanat.pipeline import Lookup, Pipeline, Report
from qanat.reports.lookup import PAGE_END
from qanat.reports.values import values_of
from qanat.runtime.registry import FILES
from qanat.sql import SqlText, load_sql
from qanat.streaming.transforms import BATCH, batch_columns
from qanat.tables import DEAD_LETTERS, Column, ColumnType, Table
from qanat.wiring import PIPELINES, pipeline_named

PACKAGE = Path(qanat.__file__).parent
STARTER = PACKAGE / "cli" / "starter"

NOT_COMPARED: Mapping[str, str] = {}
"""Files that no engine but the store's own may run, by `package:file.sql`: why."""

# A day on which clocks change in Europe; the generated moments lie around it.
NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)

# What a look-up is asked besides, that chooses its page's rows itself.
PAGE: Mapping[str, Scalar] = {PAGE_END: 1_000}

GIVEN: Mapping[str, Sequence[Mapping[str, str]]] = {
    "top": ({"since": "7d", "limit": "3"}, {"since": "2026-03-29T01:00Z", "until": "2026-03-29T09:00Z"}),
    "usage": ({"step": "hour", "consumer": "1"}, {"step": "month", "since": "300d", "until": "10d"}),
    "growth": ({"step": "month"}, {"step": "day", "since": "10d"}),
    "files": ({"step": "hour", "since": "2d"}, {"step": "month", "until": "1d"}),
    "top-users": ({"top": "3", "titles_max": "2", "bots": "only"}, {"bots": "exclude"}),
    "user-pages": ({"user_id": "1"}, {"user_id": "2", "wiki": "a"}),
    "name-pages": ({"user_name": "it's"}, {"user_name": "ß", "wiki": "a"}),
    "domain-articles": ({"domain": "a"}, {"domain": "nowhere"}),
    "orders_of": ({"product": "ß"},),
    "page": ({"page_id": "1"}, {"page_id": "2", "wiki": "a"}, {"page_id": "3", "domain": "ß"}),
    "users": ({"since": "5h"}, {"since": "2026-03-29T00:30Z", "until": "2026-03-29T02:15:00.5Z", "wiki": "a"}),
}  # fmt: skip
"""Parameters of reports and look-ups by their names, beside the defaults."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A statement that ships.

    Attributes:
        inputs: The tables that it may read.
        target: What it is written to; None for an answer.
        columns: What the answer is declared to have; empty for what is written.
        values: The parameters of each run.
    """

    name: str
    sql: SqlText
    inputs: Mapping[str, Sequence[Column]]
    target: Table | None = None
    columns: tuple[Column, ...] = ()
    parameters: Mapping[str, ColumnType] = field(default_factory=dict)
    values: Sequence[Mapping[str, Scalar]] = ({},)


def pipelines() -> Iterator[Pipeline]:
    """Those that ship, and the one that `qanat new` writes."""
    yield from map(pipeline_named, PIPELINES)
    path = STARTER / "starter.py.txt"
    spec = spec_from_file_location(
        "starter",
        path,
        loader=SourceFileLoader("starter", str(path)),
        submodule_search_locations=[str(STARTER)],
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setitem(sys.modules, "starter", module)
        spec.loader.exec_module(module)
        yield module.PIPELINE


def statements() -> Iterator[Shipped]:
    """Every statement of every pipeline, and of the runtime."""
    for pipeline in pipelines():
        answers: tuple[Report | Lookup, ...] = (*pipeline.reports, *pipeline.lookups)
        for answer in answers:
            yield _answer(pipeline, answer)
        for stage in pipeline.stages:
            for write in stage.writes:
                if write.sql:
                    inputs = {BATCH: batch_columns(pipeline, stage)}
                    name = f"{pipeline.name}: into {write.table.name}"
                    yield Shipped(name, load_sql(write.sql), inputs, write.table)
    yield Shipped(
        "alarms",
        load_sql("qanat.runtime:alarms.sql"),
        {"files": FILES.columns, "dead_letters": DEAD_LETTERS.columns},
        parameters={"since": ColumnType.TIMESTAMP},
        values=({"since": NOW - timedelta(hours=3)},),
    )


def files() -> set[str]:
    """Every `.sql` in the package, as it is referred to."""
    found = set()
    for path in PACKAGE.rglob("*.sql"):
        if path.is_relative_to(STARTER):
            found.add(f"starter:{path.relative_to(STARTER).as_posix()}")
            continue
        package = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        found.add(f"{package}:{path.name}")
    return found


def _answer(pipeline: Pipeline, answer: Report | Lookup) -> Shipped:
    window_s = answer.window_s if isinstance(answer, Report) else 0.0
    window: dict[str, Scalar] = (
        {"window_start": NOW - timedelta(seconds=window_s), "window_end": NOW} if window_s else {}
    )
    text = load_sql(answer.sql).text
    page = {name: value for name, value in PAGE.items() if f"${name}" in text}
    parameters = {each.name: each.type for each in answer.parameters}
    given = ({}, *GIVEN.get(answer.name, ()))
    return Shipped(
        f"{pipeline.name}: {answer.name}",
        load_sql(answer.sql),
        {table.name: table.columns for table in pipeline.tables},
        columns=answer.columns,
        parameters=parameters
        | dict.fromkeys(window, ColumnType.TIMESTAMP)
        | dict.fromkeys(page, ColumnType.INT64),
        values=[{**values_of(answer, each, NOW), **window, **page} for each in given],
    )
