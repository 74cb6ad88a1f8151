"""What joins what, with which guarantee; and what is refused before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qanat.errors import Refused
from qanat.interfaces import Capabilities
from qanat.pipeline import Order, Pipeline, Stage, Write
from qanat.tables import Add, Append, Table


class Guarantee(StrEnum):
    """What an edge of a pipeline promises."""

    EXACTLY_ONCE = "exactly once"
    REPEAT_SAFE = "repeat-safe"  # may be written again, with the same rows under the same keys
    AT_LEAST_ONCE = "at least once"


@dataclass(frozen=True, slots=True)
class Edge:
    """One way that data takes: from an input through a stage into a table, or a topic (then its mode is `publish`)."""

    source: str
    stage: str
    table: str
    mode: str
    guarantee: Guarantee
    because: str


def plan(pipeline: Pipeline, output: Capabilities) -> Sequence[Edge]:
    """Compute the guarantee of every edge of `pipeline` when it writes to an output that can do `output`.

    Raises:
        Refused: An edge would count twice; every reason, each with its way out.
    """
    reasons: list[str] = []
    edges: list[Edge] = []
    for stage in pipeline.stages:
        edges += _published(pipeline, stage)
        if stage.deduplicate is not None and output.transactional:
            edges.append(_entered(stage, stage.deduplicate.table))
        for write in stage.writes:
            verdict = _judge(pipeline, stage, write, output)
            if isinstance(verdict, str):
                reasons.append(f"{_name(stage, write)}: {verdict}")
            else:
                edges.append(_edge(stage, write, *verdict))
    if reasons:
        raise Refused(reasons)
    return edges


def _published(pipeline: Pipeline, stage: Stage) -> list[Edge]:
    """Return the edges to topics. A log's transaction holds records and progress: only what comes twice is twice there."""
    if _repeats(pipeline, stage):
        guarantee = Guarantee.AT_LEAST_ONCE
        because = "the source gives records again after a restart; the stage that writes tables leaves them out"
    else:
        guarantee = Guarantee.EXACTLY_ONCE
        because = "progress moves by version in the transaction of the records"
    source = f"{stage.input.kind} {stage.input.name}"
    return [
        Edge(source, stage.name, f"topic {topic.name}", "publish", guarantee, because)
        for topic in stage.publishes
    ]


def _entered(stage: Stage, table: Table) -> Edge:
    """Return the edge to the table by which records are told apart."""
    source = f"{stage.input.kind} {stage.input.name}"
    because = f"a record that is in {table.name} already is left out"
    return Edge(source, stage.name, table.name, "insertnew", Guarantee.EXACTLY_ONCE, because)


def _repeats(pipeline: Pipeline, stage: Stage) -> bool:
    """Tell whether a stage may read a record twice: its source repeats, or what fills its topic does."""
    if stage.input.kind != "topic":
        return stage.input.repeats
    return any(
        _repeats(pipeline, other)
        for other in pipeline.stages
        if any(topic.name == stage.input.name for topic in other.publishes)
    )


def _judge(
    pipeline: Pipeline, stage: Stage, write: Write, output: Capabilities
) -> tuple[Guarantee, str] | str:
    """Return the guarantee and why it holds, or why the edge is refused."""
    source = stage.input
    repeatable = not isinstance(write.mode, Append | Add)
    told_apart = source.deduplicate_by is not None or stage.deduplicate is not None
    if _repeats(pipeline, stage) and not told_apart and not repeatable:
        return (
            f"{source.name} gives its last record again after a restart, and nothing tells it apart. "
            "Name the column that identifies a record (deduplicate, deduplicate_by), or write with upsert."
        )
    if source.order is Order.NONE:
        if repeatable:
            return (
                Guarantee.AT_LEAST_ONCE,
                "the input has neither positions nor ids; keys absorb repeats",
            )
        return (
            f"{source.name} has neither positions nor ids, so that a repeat would count twice. "
            "Put a topic in between, or write with upsert."
        )
    if not output.transactional:
        if repeatable:
            return (
                Guarantee.REPEAT_SAFE,
                "the output has no transactions; a retry repeats exact ranges under the same keys",
            )
        return (
            "the output has no transactions, so that a retry would count twice. "
            "Write to a store with transactions (duckdb, postgresql), or with upsert."
        )
    if stage.deduplicate is not None:
        table = stage.deduplicate.table.name
        return (
            Guarantee.EXACTLY_ONCE,
            f"only records that are new to {table} go on, in one transaction",
        )
    why = (
        "progress moves by version in the transaction of the rows"
        if source.order is Order.ORDERED
        else "each item's id enters the ledger in the transaction of its rows"
    )
    return Guarantee.EXACTLY_ONCE, why


def _edge(stage: Stage, write: Write, guarantee: Guarantee, because: str) -> Edge:
    mode = type(write.mode).__name__.lower()
    source = f"{stage.input.kind} {stage.input.name}"
    return Edge(source, stage.name, write.table.name, mode, guarantee, because)


def _name(stage: Stage, write: Write) -> str:
    return f"{stage.input.name} → {stage.name} → {write.table.name}"
