"""Metering: big files of `consumer amount` lines become totals per consumer, and usage by period."""

from typing import Final

from qanat.pipeline import Input, Order, Pipeline, Stage, Write
from qanat.pipelines.metering.reports import REPORTS
from qanat.runtime.registry import REGISTRY_TABLES, WATCH
from qanat.tables import DEAD_LETTERS, Add, Append, Column, ColumnType, Table

STAGE: Final = "count"

TOTALS = Table(
    name="totals",
    columns=(
        Column("consumer", ColumnType.INT64),
        Column("amount", ColumnType.INT128, about="everything the consumer ever used"),
        Column(
            "parts",
            ColumnType.INT64,
            about="in how many counted parts of files, and replayed letters, the consumer occurs",
        ),
    ),
    key=("consumer",),
    large=True,
    about="one row per consumer",
)

USAGE = Table(
    name="usage",
    columns=(
        Column("consumer", ColumnType.INT64),
        Column(
            "period_start", ColumnType.TIMESTAMP, about="the hour in which the file was registered"
        ),
        Column("granularity", ColumnType.TEXT, about="hour, day or month"),
        Column("amount", ColumnType.INT128),
    ),
    key=("consumer", "period_start", "granularity"),
    large=True,
    about="one row per consumer and period; each amount is in exactly one granularity",
)

ROLLUPS = Table(
    name="rollups",
    columns=(
        Column("granularity", ColumnType.TEXT, about="day or month"),
        Column(
            "before", ColumnType.TIMESTAMP, about="finer usage before this moment was rolled up"
        ),
    ),
    key=("granularity",),
    about="how far usage was rolled up",
)

INPUTS = Table(
    name="inputs",
    columns=(Column("stage", ColumnType.TEXT), Column("location", ColumnType.TEXT)),
    key=("stage",),
    about="where the files of a stage are",
)

GRAMMAR = Table(
    name="grammar",
    columns=(
        Column("stage", ColumnType.TEXT),
        Column("signed", ColumnType.BOOLEAN, about="an amount may begin with a minus sign"),
        Column(
            "decimals",
            ColumnType.INT64,
            about="every amount and total is a whole number of units of 10 to the power of minus this",
        ),
    ),
    key=("stage",),
    about="by which grammar amounts are counted, where it isn't the plain one",
)

SUMS = Table(
    name="sums",
    columns=(Column("consumer", ColumnType.INT64), Column("amount", ColumnType.INT128)),
    key=("consumer",),
    large=True,
    about="the shape of what a file's parts come to",
)

ADD_TO_TOTALS = Add(key=TOTALS.key, sums=("amount", "parts"))
ADD_TO_USAGE = Add(key=USAGE.key, sums=("amount",))

PIPELINE = Pipeline(
    name="metering",
    title="Files of consumption, summed per consumer",
    stages=(
        Stage(
            name=STAGE,
            input=Input(kind="folder", name="--input", order=Order.ITEMS),
            transform="qanat.pipelines.metering.transform:SumFiles",
            writes=(
                Write(TOTALS, ADD_TO_TOTALS),
                Write(USAGE, ADD_TO_USAGE),
                Write(DEAD_LETTERS, Append()),
            ),
            about="each file counts wholly or not at all",
        ),
    ),
    tables=(TOTALS, USAGE, ROLLUPS, INPUTS, GRAMMAR, *REGISTRY_TABLES, WATCH, DEAD_LETTERS),
    operations={
        name: f"qanat.pipelines.metering.commands.{module}:{name.upper()}"
        for name, module in {
            "run": "run",
            "announce": "announce",
            "demo": "demo",
            "generate": "generate",
            "prove": "prove",
            "verify": "file",
            "undo": "file",
            "requeue": "file",
            "replay": "replay",
            "rollup": "usage",
            "usage": "usage",
        }.items()
    },
    api="qanat.pipelines.metering.api:router",
    offers="qanat.pipelines.metering.operations:offered",
    reports=REPORTS,
    alarms="qanat.pipelines.metering.alarms:readings",
)
