"""What the plan promises for each edge, and what it refuses."""

import pytest

from qanat.errors import Refused
from qanat.interfaces import Capabilities
from qanat.pipeline import Deduplicate, Input, Order, Pipeline, Stage, Write
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.plan import Guarantee, plan
from qanat.tables import Add, Append, Column, ColumnType, Table, Topic, Upsert, WriteMode

TABLE = Table(
    "numbers",
    (Column("key", ColumnType.INT64), Column("value", ColumnType.INT64)),
    key=("key",),
)
TRANSACTIONAL = Capabilities(transactional=True, shared=False)
PLAIN = Capabilities(transactional=False, shared=True)
ADD = Add(("key",), ("value",))
UPSERT = Upsert(("key",))


def pipeline(source: Input, mode: WriteMode) -> Pipeline:
    stage = Stage("sum", source, "module:transform", (Write(TABLE, mode),))
    return Pipeline("numbers", "Numbers", (stage,))


def source(order: Order, *, repeats: bool = False, by: str | None = None) -> Input:
    return Input("memory", "numbers", order, repeats=repeats, deduplicate_by=by)


@pytest.mark.parametrize(
    ("expected", "declared", "mode", "output"),
    [
        (Guarantee.EXACTLY_ONCE, source(Order.ORDERED), ADD, TRANSACTIONAL),
        (Guarantee.EXACTLY_ONCE, source(Order.ITEMS), ADD, TRANSACTIONAL),
        (Guarantee.EXACTLY_ONCE, source(Order.ORDERED, repeats=True, by="id"), ADD, TRANSACTIONAL),
        (Guarantee.EXACTLY_ONCE, source(Order.ORDERED, repeats=True), UPSERT, TRANSACTIONAL),
        (Guarantee.REPEAT_SAFE, source(Order.ORDERED), UPSERT, PLAIN),
        (Guarantee.AT_LEAST_ONCE, source(Order.NONE), UPSERT, TRANSACTIONAL),
    ],
)
def test_guarantee(
    expected: Guarantee, declared: Input, mode: WriteMode, output: Capabilities
) -> None:
    """An edge's guarantee follows from what its two ends can do, and says why."""
    (edge,) = plan(pipeline(declared, mode), output)
    assert expected == edge.guarantee
    assert edge.because


@pytest.mark.parametrize(
    ("way_out", "declared", "mode", "output"),
    [
        ("deduplicate_by", source(Order.ORDERED, repeats=True), ADD, TRANSACTIONAL),
        ("topic in between", source(Order.NONE), Append(), TRANSACTIONAL),
        ("store with transactions", source(Order.ORDERED), ADD, PLAIN),
    ],
)
def test_refusal(way_out: str, declared: Input, mode: WriteMode, output: Capabilities) -> None:
    """What would count twice is refused before it starts, with the reason and the way out."""
    with pytest.raises(Refused, match=way_out):
        plan(pipeline(declared, mode), output)


def test_metering_counts_exactly_once() -> None:
    """Every edge of `metering` is exactly once on a store with transactions, and refused on one without."""
    edges = plan(PIPELINE, TRANSACTIONAL)
    assert {Guarantee.EXACTLY_ONCE} == {edge.guarantee for edge in edges}
    assert ["totals", "usage", "dead_letters"] == [edge.table for edge in edges]
    with pytest.raises(Refused):
        plan(PIPELINE, PLAIN)


TOPIC = Topic("numbers", TABLE.columns)


def relayed(*, deduplicate: Deduplicate | None, mode: WriteMode) -> Pipeline:
    """A source that repeats, a topic, and a stage that writes from it."""
    repeating = Input("sse", "numbers", Order.ORDERED, repeats=True)
    first = Stage("ingest", repeating, publishes=(TOPIC,))
    reading = Input("topic", TOPIC.name, Order.ORDERED)
    last = Stage("store", reading, writes=(Write(TABLE, mode),), deduplicate=deduplicate)
    return Pipeline("numbers", "Numbers", (first, last), topics=(TOPIC,))


def test_repeats_pass_through_a_topic() -> None:
    """What a source gives again is in the topic twice, and said so; the stage behind it has to tell records apart."""
    by_key = Deduplicate(TABLE, ("key",), "value", "value", 60.0)
    published, entered, written = plan(relayed(deduplicate=by_key, mode=ADD), TRANSACTIONAL)
    assert ("numbers", "insertnew") == (entered.table, entered.mode)
    assert ("topic numbers", "publish") == (published.table, published.mode)
    assert Guarantee.AT_LEAST_ONCE == published.guarantee
    assert Guarantee.EXACTLY_ONCE == written.guarantee
    with pytest.raises(Refused, match="deduplicate"):
        plan(relayed(deduplicate=None, mode=ADD), TRANSACTIONAL)
    assert plan(relayed(deduplicate=None, mode=UPSERT), TRANSACTIONAL)
