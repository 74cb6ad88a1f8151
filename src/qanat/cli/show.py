"""`qanat show`: a pipeline as a picture in the terminal, with what each of its edges promises."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from qanat.cli.naming import pipeline_argument
from qanat.options import settings_command
from qanat.output import drawable, print_json
from qanat.pipeline import Pipeline
from qanat.runtime.plan import Edge, plan
from qanat.session import Json, capabilities_of
from qanat.settings import CommonSettings
from qanat.tables import Table
from qanat.wiring import is_of_streams, scheme_of


def show(settings: CommonSettings, pipeline: Pipeline, as_json: bool) -> int:
    """Draw a pipeline as it would run on the settings' store."""
    if is_of_streams(pipeline):
        from qanat.streaming.checks import check_pipeline

        check_pipeline(pipeline)
    edges = plan(pipeline, capabilities_of(settings))
    if as_json:
        print_json(_described(pipeline, settings, edges))
    else:
        drawing = "\n".join(_drawing(pipeline, settings, edges))
        sys.stdout.write(f"{drawable(drawing, sys.stdout)}\n")
    return 0


def _drawing(pipeline: Pipeline, settings: CommonSettings, edges: Sequence[Edge]) -> Iterator[str]:
    shared = capabilities_of(settings).shared
    processes = "shared by processes" if shared else "one process at a time"
    yield f"{pipeline.name}: {pipeline.title}"
    yield f"store: {scheme_of(settings.store)}, {processes}"
    yield ""
    for _, stage in groupby(edges, key=lambda edge: (edge.source, edge.stage)):
        yield from _branches(list(stage))
        yield ""
    for told in pipeline.stages:
        if told.about:
            yield f"{told.name}: {told.about}"
    for guarantee, because in dict.fromkeys((edge.guarantee, edge.because) for edge in edges):
        yield f"{guarantee}: {because}"
    yield ""
    width = max((len(table.name) for table in pipeline.tables), default=0)
    for table in pipeline.tables:
        yield f"{table.name:<{width}}  {table.about}"


def _branches(edges: Sequence[Edge]) -> Iterator[str]:
    """Draw one stage: its input, itself, and a branch to each table."""
    trunk = f"{edges[0].source} ──▶ {edges[0].stage} ─"
    modes = max(len(edge.mode) for edge in edges)
    tables = max(len(edge.table) for edge in edges)
    for index, edge in enumerate(edges):
        first, last = index == 0, index == len(edges) - 1
        joint = "─" if first and last else "┬" if first else "└" if last else "├"
        arrow = f"─ {edge.mode} {'─' * (modes - len(edge.mode))}─▶ {edge.table:<{tables}}"
        start = trunk if first else " " * len(trunk)
        yield f"{start}{joint}{arrow}  {edge.guarantee}"


def _described(
    pipeline: Pipeline, settings: CommonSettings, edges: Sequence[Edge]
) -> dict[str, Json]:
    return {
        "pipeline": pipeline.name,
        "title": pipeline.title,
        "store": scheme_of(settings.store),
        "shared": capabilities_of(settings).shared,
        "edges": [
            {
                "source": edge.source,
                "stage": edge.stage,
                "table": edge.table,
                "mode": edge.mode,
                "guarantee": str(edge.guarantee),
                "because": edge.because,
            }
            for edge in edges
        ],
        "tables": [_table(table) for table in pipeline.tables],
        "operations": list[Json](sorted(pipeline.operations)),
    }


def _table(table: Table) -> Json:
    columns: list[Json] = [
        {
            "name": column.name,
            "type": str(column.type),
            "nullable": column.nullable,
            "about": column.about,
        }
        for column in table.columns
    ]
    return {"name": table.name, "about": table.about, "key": list(table.key), "columns": columns}


SHOW = settings_command(
    "show",
    CommonSettings,
    show,
    help="Draw PIPELINE: where it reads, its stages, its tables, and the guarantee of each edge.",
    pipeline=None,
    extra_params=[
        pipeline_argument(),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ],
)
