"""What joins what, with which guarantee; and what is refused before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qanat.errors import Refused
from qanat.interfaces import Capabilities
from qanat.pipeline import Input, Order, Pipeline, Stage, Write
from qanat.tables import Add, Append


class Guarantee(StrEnum):
    """What an edge of a pipeline promises."""

    EXACTLY_ONCE = "exactly once"
    REPEAT_SAFE = "repeat-safe"  # may be written again, with the same rows under the same keys
    AT_LEAST_ONCE = "at least once"


@dataclass(frozen=True, slots=True)
class Edge:
    """One way that data takes: from an input through a stage into a table."""

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
        for write in stage.writes:
            verdict = _judge(stage.input, write, output)
            if isinstance(verdict, str):
                reasons.append(f"{_name(stage, write)}: {verdict}")
            else:
                edges.append(_edge(stage, write, *verdict))
    if reasons:
        raise Refused(reasons)
    return edges


def _judge(source: Input, write: Write, output: Capabilities) -> tuple[Guarantee, str] | str:
    """Return the guarantee and why it holds, or why the edge is refused."""
    repeatable = not isinstance(write.mode, Append | Add)
    if source.repeats and source.deduplicate_by is None and not repeatable:
        return (
            f"{source.name} gives its last record again after a restart, and nothing tells it apart. "
            "Name the column that identifies a record (deduplicate_by), or write with upsert."
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
