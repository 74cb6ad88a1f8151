"""A pipeline of streams that is declared rightly, and transforms that its tests name."""

from datetime import datetime

import pyarrow as pa

from qanat.pipeline import (
    Deduplicate,
    Input,
    Lookup,
    Order,
    Parameter,
    Pipeline,
    Report,
    Stage,
    Write,
)
from qanat.records import Transformed
from qanat.tables import Add, Column, ColumnType, Table, Topic

RECEIVED = Topic(
    "received",
    (
        Column("id", ColumnType.TEXT),
        Column("event", ColumnType.TEXT),
        Column("data", ColumnType.BYTES),
        Column("received_at", ColumnType.TIMESTAMP),
    ),
)
ORDERS = Table(
    "orders",
    (
        Column("ordered_at", ColumnType.TIMESTAMP),
        Column("order_id", ColumnType.TEXT),
        Column("received_at", ColumnType.TIMESTAMP),
        Column("product", ColumnType.TEXT),
        Column("cents", ColumnType.INT64),
    ),
    key=("ordered_at", "order_id"),
)
PRODUCTS = Table(
    "products",
    (
        Column("product", ColumnType.TEXT),
        Column("orders", ColumnType.INT64),
        Column("cents", ColumnType.INT128),
    ),
    key=("product",),
)
BY = Deduplicate(ORDERS, ORDERS.key, "ordered_at", "received_at", 7 * 86_400.0)
SQL = "select product, count(*) as orders, sum(cents) as cents from batch group by product"
INGEST = Stage(
    "ingest",
    Input("sse", "orders", Order.ORDERED, repeats=True, location="http://127.0.0.1:1/"),
    publishes=(RECEIVED,),
)
WRITE = Write(PRODUCTS, Add(PRODUCTS.key, ("orders", "cents")), SQL)
COUNT = Stage(
    "count",
    Input("topic", "received", Order.ORDERED),
    transform=f"{__name__}:read",
    deduplicate=BY,
    writes=(WRITE,),
)
BEST = Report(
    "best",
    "Best",
    "select product, cents from products where orders >= cast($least as bigint) order by cents, product",
    (PRODUCTS.column("product"), PRODUCTS.column("cents")),
    parameters=(Parameter("least", ColumnType.INT64, "", default="1"),),
)
LATEST = Lookup(
    "latest",
    "Latest",
    "select order_id from orders order by ordered_at desc, order_id",
    (ORDERS.column("order_id"),),
)
SHOP = Pipeline(
    "shop",
    "Orders of a shop",
    (INGEST, COUNT),
    tables=(ORDERS, PRODUCTS),
    topics=(RECEIVED,),
    reports=(BEST,),
    lookups=(LATEST,),
)

NO_FUNCTION = "nothing to call"


def read(rows: pa.Table, judged_at: datetime) -> Transformed:
    """Never called: declarations are checked without data."""
    raise AssertionError(rows, judged_at)
