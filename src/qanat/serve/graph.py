"""A pipeline as a graph: inputs, stages, topics and tables, and what each way between them promises."""

from collections.abc import Iterator

from qanat.errors import Refused
from qanat.pipeline import Pipeline, Stage
from qanat.runtime.plan import Edge, plan
from qanat.serve.models import GraphEdge, Node
from qanat.serve.served import Served


def nodes_of(pipeline: Pipeline) -> list[Node]:
    """Return everything in the picture once, in the order in which data meets it."""
    found: dict[str, Node] = {}
    for stage in pipeline.stages:
        for node in _nodes(stage, pipeline):
            found.setdefault(node.id, node)
    return list(found.values())


def edges_of(served: Served) -> tuple[list[GraphEdge], list[str]]:
    """Return every way, and why the pipeline would be refused on this store; with no guarantees then."""
    try:
        edges, refused = plan(served.pipeline, served.capabilities), list[str]()
    except Refused as error:
        edges, refused = (), list(error.reasons)
    planned = {(edge.stage, edge.table): edge for edge in edges}
    return [each for stage in served.pipeline.stages for each in _edges(stage, planned)], refused


def _nodes(stage: Stage, pipeline: Pipeline) -> Iterator[Node]:
    source = stage.input
    topics = {topic.name: topic.about for topic in pipeline.topics}
    if source.kind == "topic":
        yield _node("topic", source.name, topics.get(source.name, ""))
    else:
        yield Node(id=_input_id(stage), kind="input", name=source.name, about=source.kind)
    yield _node("stage", stage.name, stage.about)
    for topic in stage.publishes:
        yield _node("topic", topic.name, topic.about)
    tables = [write.table for write in stage.writes]
    if stage.deduplicate is not None:
        tables.insert(0, stage.deduplicate.table)
    for table in tables:
        yield _node("table", table.name, table.about)


def _edges(stage: Stage, planned: dict[tuple[str, str], Edge]) -> Iterator[GraphEdge]:
    here = f"stage:{stage.name}"
    source = f"topic:{stage.input.name}" if stage.input.kind == "topic" else _input_id(stage)
    yield GraphEdge(source=source, target=here, mode="", guarantee=None, because="")
    for topic in stage.publishes:
        yield _edge(
            here, f"topic:{topic.name}", "publish", planned.get((stage.name, f"topic {topic.name}"))
        )
    written = {write.table.name: type(write.mode).__name__.lower() for write in stage.writes}
    if stage.deduplicate is not None:
        written = {stage.deduplicate.table.name: "insertnew", **written}
    for table, mode in written.items():
        yield _edge(here, f"table:{table}", mode, planned.get((stage.name, table)))


def _edge(source: str, target: str, mode: str, planned: Edge | None) -> GraphEdge:
    guarantee = None if planned is None else str(planned.guarantee)
    because = "" if planned is None else planned.because
    return GraphEdge(source=source, target=target, mode=mode, guarantee=guarantee, because=because)


def _node(kind: str, name: str, about: str) -> Node:
    return Node.model_validate({"id": f"{kind}:{name}", "kind": kind, "name": name, "about": about})


def _input_id(stage: Stage) -> str:
    return f"input:{stage.input.kind} {stage.input.name}"
