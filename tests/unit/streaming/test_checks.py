"""What is wrong with a declaration is told before anything runs: which declaration, what it says, what is valid."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from qanat.errors import ConfigError
from qanat.pipeline import Chart, Pipeline, Shape, Stage
from qanat.pipelines.wikimedia import PIPELINE as WIKIMEDIA
from qanat.streaming.checks import check_pipeline
from qanat.tables import Add, Column, ColumnType, Latest, Replace, Table, Topic, Upsert, WriteMode
from tests.unit.streaming import shop
from tests.unit.streaming.shop import (
    BEST,
    BY,
    COUNT,
    INGEST,
    LATEST,
    ORDERS,
    PRODUCTS,
    RECEIVED,
    SHOP,
    WRITE,
)

OTHER = Table("others", PRODUCTS.columns, key=("product",))
TWICE = Column("cents", ColumnType.INT64)


def counting(**changes: object) -> Pipeline:
    """The shop whose stage `count` is changed."""
    return replace(SHOP, stages=(INGEST, replace(COUNT, **changes)))  # type: ignore[arg-type]


def ingesting(**changes: object) -> Pipeline:
    return replace(SHOP, stages=(replace(INGEST, **changes), COUNT))  # type: ignore[arg-type]


def told_apart(**changes: object) -> Pipeline:
    return counting(deduplicate=replace(BY, **changes))  # type: ignore[arg-type]


def writing(mode: WriteMode | None = None, **changes: object) -> Pipeline:
    write = replace(WRITE, **({"mode": mode} if mode else {}), **changes)  # type: ignore[arg-type]
    return counting(writes=(write,))


def keeping(table: Table) -> Pipeline:
    """The shop with one more table."""
    return replace(SHOP, tables=(*SHOP.tables, table))


def table(**changes: object) -> Pipeline:
    return keeping(replace(OTHER, **changes))  # type: ignore[arg-type]


def topic(**changes: object) -> Pipeline:
    changed = replace(RECEIVED, **changes)  # type: ignore[arg-type]
    return replace(ingesting(publishes=(changed,)), topics=(changed,))


def reporting(**changes: object) -> Pipeline:
    return replace(SHOP, reports=(replace(BEST, **changes),))  # type: ignore[arg-type]


def looking_up(sql: str) -> Pipeline:
    return replace(SHOP, lookups=(replace(LATEST, sql=sql),))


CASES: dict[str, tuple[Callable[[], Pipeline], str]] = {
    "its name": (lambda: replace(SHOP, name="My Shop"), "the pipeline's name is 'My Shop'; it has to be small letters"),
    "no stages": (lambda: replace(SHOP, stages=()), "stages is ()"),
    "two stages of one name": (
        lambda: replace(SHOP, stages=(INGEST, replace(COUNT, name="ingest"))),
        "shop: stages is 'ingest'; it has to be different names",
    ),
    "a stage with a name of the runtime's": (lambda: counting(name="letters"), "a stage's name is 'letters'"),
    "two tables of one name": (lambda: keeping(ORDERS), "shop: tables is 'orders'"),
    "two topics of one name": (lambda: replace(SHOP, topics=(RECEIVED, RECEIVED)), "shop: topics is 'received'"),
    "an unknown kind of input": (
        lambda: ingesting(input=replace(INGEST.input, kind="kafka")),
        "the stage ingest: input kind is 'kafka'; it has to be sse or topic",
    ),
    "a topic that isn't declared": (
        lambda: counting(input=replace(COUNT.input, name="recieved")),
        "input topic is 'recieved'; it has to be one of received",
    ),
    "a topic that nobody fills": (
        lambda: replace(SHOP, stages=(COUNT,)),
        "input topic is 'received'; it has to be one that a stage before it publishes to",
    ),
    "a topic that is filled behind": (
        lambda: replace(SHOP, stages=(COUNT, INGEST)),
        "input topic is 'received'; it has to be one that a stage before it",
    ),
    "writes and publishes": (
        lambda: counting(publishes=(RECEIVED,)),
        "the stage count is 'both of writes and publishes'; it has to be one that",
    ),
    "neither": (lambda: ingesting(publishes=()), "the stage ingest is 'neither of writes and publishes'"),
    "two topics": (
        lambda: ingesting(publishes=(RECEIVED, replace(RECEIVED, name="other"))),
        "publishes is 'received, other'; it has to be exactly one topic",
    ),
    "publishes what isn't declared": (
        lambda: ingesting(publishes=(replace(RECEIVED, partitions=2),)),
        "publishes is 'received'; it has to be one of received, as declared there",
    ),
    "no such function": (
        lambda: counting(transform=f"{shop.__name__}:raed"),
        "transform is 'tests.unit.streaming.shop:raed'; it has to be `module:function`",
    ),
    "no such module": (lambda: counting(transform="shpo:read"), "transform is 'shpo:read'"),
    "no function": (lambda: counting(transform=f"{shop.__name__}:NO_FUNCTION"), "has to be `module:function`"),
    "SQL that doesn't fit": (
        lambda: writing(sql="select produkt as product from batch"),
        "SQL:1:8: no column 'produkt' in batch",
    ),
    "no SQL where it is needed": (
        lambda: writing(sql=""),
        "write to products: sql is ''; it has to be given: the batch has no orders",
    ),
    "two writes to one table": (lambda: counting(writes=(WRITE, WRITE)), "count: writes is 'products'"),
    "a write to a table that isn't declared": (
        lambda: writing(table=OTHER),
        "write to others: table is 'others'; it has to be one of orders, products",
    ),
    "a table that tells apart and isn't declared": (
        lambda: told_apart(table=replace(ORDERS, name="others")),
        "deduplicate: table is 'others'",
    ),
    "told apart by an unknown column": (
        lambda: told_apart(key=("ordered_at", "id")),
        "deduplicate key is 'id'; it has to be one of ordered_at, order_id",
    ),
    "told apart by something else than the key": (
        lambda: told_apart(key=("order_id",)),
        "deduplicate key is ('order_id',); it has to be the key of orders: ('ordered_at', 'order_id')",
    ),
    "a time that is none": (
        lambda: told_apart(happened="product"),
        "deduplicate happened is 'product'; it has to be one of ordered_at, received_at",
    ),
    "a horizon of nothing": (lambda: told_apart(horizon_s=0.0), "deduplicate horizon_s is 0.0"),
    "a mode's unknown key": (
        lambda: writing(Upsert(("produkt",))),
        "key of Upsert is 'produkt'; it has to be one of product, orders, cents",
    ),
    "a mode's other key": (lambda: writing(Upsert(("orders",))), "it has to be the table's key: ('product',)"),
    "sums of nothing": (lambda: writing(Add(("product",), ())), "sums is ()"),
    "a sum of texts": (
        lambda: writing(Add(("product",), ("product",))),
        "sums is 'product'; it has to be one of orders, cents",
    ),
    "a sum that is dropped by another": (
        lambda: writing(Add(("product",), ("orders",), drop_when_zero="cents")),
        "drop_when_zero is 'cents'; it has to be one of orders",
    ),
    "an unknown version": (lambda: writing(Latest(("product",), "at")), "version is 'at'"),
    "a mark that isn't boolean": (
        lambda: writing(Latest(("product",), "orders", deleted="cents")),
        "deleted is 'cents'; it has to be a column of type boolean",
    ),
    "replaces where nothing is": (lambda: writing(Replace({"shop": 1})), "where is 'shop'"),
    "a table's name": (lambda: table(name="Order Lines"), "a table's name is 'Order Lines'"),
    "a table of the runtime's": (lambda: table(name="stage_states"), "not one of the runtime's"),
    "a table without columns": (lambda: table(columns=(), key=()), "columns is ()"),
    "a column twice": (lambda: table(columns=(*OTHER.columns, TWICE)), "columns is 'cents'"),
    "a column's name": (
        lambda: table(columns=(*OTHER.columns, Column("a-b", ColumnType.TEXT))),
        "a column's name is 'a-b'",
    ),
    "a table's unknown key": (lambda: table(key=("id",)), "the table others: key is 'id'"),
    "a key that may be null": (
        lambda: table(columns=(Column("product", ColumnType.TEXT, nullable=True),)),
        "key is 'product'; it has to be a column that is never null",
    ),
    "an unknown index": (lambda: table(indexes=(("id",),)), "the table others: index is 'id'"),
    "a topic's name": (lambda: replace(SHOP, topics=(Topic("dead-letters", ()),)), "a topic's name is 'dead-letters'"),
    "a topic's key": (lambda: topic(key="shop"), "the key of received is 'shop'"),
    "a topic without partitions": (lambda: topic(partitions=0), "partitions of received is 0"),
    "a report's file": (
        lambda: reporting(sql=f"{shop.__name__}:nothing.sql"),
        "the report best: sql is 'tests.unit.streaming.shop:nothing.sql'",
    ),
    "a report's parameter": (
        lambda: reporting(parameters=()),
        "the report best: a parameter of its SQL is '$least'; it has to be one of declared; there is none",
    ),
    "a report's page": (
        lambda: reporting(sql="select product, cents from products limit $page_limit"),
        "the report best: a parameter of its SQL is '$page_limit'",
    ),
    "a report's chart": (
        lambda: reporting(charts=(Chart(Shape.RANKED, ("euros",), "cents", label="product"),)),
        "a chart's column is 'euros'; it has to be one of product, cents",
    ),
    "a report that is made of no window": (lambda: reporting(every_s=3600.0), "every_s is 3600.0"),
    "a report and a look-up of one name": (lambda: reporting(name="latest"), "name is 'latest'"),
    "a look-up without an order": (
        lambda: looking_up("select order_id from orders -- order by order_id"),
        "the look-up latest: sql is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    """Each with its declaration, its value and what is valid."""
    make, told = CASES[case]
    with pytest.raises(ConfigError) as error:
        check_pipeline(make())
    assert told in str(error.value)


def test_a_look_up_knows_its_page() -> None:
    """It may choose its rows by the parameters of the page that is asked for."""
    sql = "select order_id from (from orders limit $page_end) order by order_id"
    check_pipeline(looking_up(sql))


@pytest.mark.parametrize("pipeline", [SHOP, WIKIMEDIA], ids=lambda one: one.name)
def test_what_is_right_is_accepted(pipeline: Pipeline) -> None:
    """What ships, and what the cases are made of; what makes their writes is returned."""
    stages = {stage.name for stage in pipeline.stages if not stage.publishes}
    assert set(check_pipeline(pipeline)) == stages


def test_a_stage_may_only_tell_apart() -> None:
    """A table of each record once, and no other."""
    only = Stage(
        "count",
        COUNT.input,
        COUNT.transform,
        deduplicate=BY,
    )
    assert set(check_pipeline(replace(SHOP, stages=(INGEST, only)))) == {"count"}
