"""The reports of `metering`. Each says on top of its `.sql` what one row is."""

from qanat.pipeline import Chart, Parameter, Report, Shape
from qanat.tables import Column, ColumnType

LIMIT_MAX = 10_000

_PACKAGE = "qanat.pipelines.metering.reports"

_SINCE = Parameter("since", ColumnType.TIMESTAMP, "From here on; empty for the beginning.")
_UNTIL = Parameter("until", ColumnType.TIMESTAMP, "Before this moment; empty for no end.")
_NOW = Parameter(
    "now", ColumnType.TIMESTAMP, "A period that ends later isn't complete yet.", default="0s"
)


def _step(default: str, *choices: str) -> Parameter:
    about = "The length of a period; what is kept coarser stays as it is."
    return Parameter("step", ColumnType.TEXT, about, default, choices)


_PERIOD = (
    Column("period_start", ColumnType.TIMESTAMP),
    Column("period_end", ColumnType.TIMESTAMP, about="the first moment after it"),
)
_USED = (
    *_PERIOD,
    Column("granularity", ColumnType.TEXT, about="hour, day or month: how long it is"),
    Column("amount", ColumnType.INT128, about="all that was used in it"),
    Column("per_day", ColumnType.FLOAT64, about="the amount by the length, rounded"),
)

TOP = Report(
    name="top",
    title="Top consumers",
    about="One row per consumer, the greatest amounts first. A kept period that reaches into the"
    " bounds counts as a whole.",
    sql=f"{_PACKAGE}:top.sql",
    parameters=(
        _SINCE,
        _UNTIL,
        Parameter("limit", ColumnType.INT64, "How many.", "20", smallest=1, largest=LIMIT_MAX),
    ),
    columns=(
        Column("place", ColumnType.INT64),
        Column("consumer", ColumnType.INT64),
        Column("amount", ColumnType.INT128),
        Column("share", ColumnType.FLOAT64, nullable=True, about="of what all consumers used"),
    ),
    charts=(Chart(Shape.RANKED, ("amount",), "amount", label="consumer"),),
)

USAGE = Report(
    name="usage",
    title="Usage over time",
    about="One row per period. What is kept coarser than the step stays one row of its own length;"
    " its bar is as wide as it is long, and as high as its amount per day: the area is the amount.",
    sql=f"{_PACKAGE}:usage.sql",
    parameters=(
        _SINCE,
        _UNTIL,
        _step("auto", "auto", "hour", "day", "month"),
        Parameter(
            "consumer", ColumnType.INT64, "Only this one; empty for all together.", smallest=0
        ),
        _NOW,
    ),
    columns=(
        *_USED,
        Column("complete", ColumnType.BOOLEAN, about="it has ended"),
    ),
    charts=(
        Chart(
            Shape.PERIODS,
            ("per_day",),
            "amount per day",
            start="period_start",
            end="period_end",
            colour="granularity",
            whole="complete",
        ),
    ),
)

GROWTH = Report(
    name="growth",
    title="Growth",
    about="One row per period: the change of usage per day against the period right before, and"
    " what came anew. Nothing is compared with a gap, or with a period that isn't complete.",
    sql=f"{_PACKAGE}:growth.sql",
    parameters=(_SINCE, _UNTIL, _step("auto", "auto", "day", "month"), _NOW),
    columns=(
        *_USED,
        Column("change", ColumnType.FLOAT64, nullable=True, about="0.25 is a quarter more"),
        Column("new_consumers", ColumnType.INT64, about="that never occurred before"),
        Column("new_files", ColumnType.INT64, about="that came in it and were counted"),
        Column(
            "complete",
            ColumnType.BOOLEAN,
            about="it has ended, and isn't the one of the first file",
        ),
    ),
    charts=(
        Chart(
            Shape.PERIODS,
            ("change",),
            "change of usage",
            start="period_start",
            end="period_end",
            percent=True,
        ),
        *(
            Chart(
                Shape.PERIODS,
                (column,),
                column.replace("_", " "),
                start="period_start",
                end="period_end",
                whole="complete",
            )
            for column in ("new_consumers", "new_files")
        ),
    ),
)

FILES = Report(
    name="files",
    title="Files that arrived",
    about="One row per period in which files arrived, by what became of them.",
    sql=f"{_PACKAGE}:files.sql",
    parameters=(
        _SINCE,
        _UNTIL,
        Parameter(
            "step", ColumnType.TEXT, "The length of a period.", "day", ("hour", "day", "month")
        ),
    ),
    columns=(
        *_PERIOD,
        Column("files", ColumnType.INT64),
        Column("counted", ColumnType.INT64),
        Column("waiting", ColumnType.INT64, about="registered, not yet counted"),
        Column("held", ColumnType.INT64),
        Column("failed", ColumnType.INT64),
        Column("undone", ColumnType.INT64),
        Column("bytes", ColumnType.INT128, about="on disk"),
        Column("lines_good", ColumnType.INT128),
        Column("lines_bad", ColumnType.INT128, about="malformed"),
    ),
    charts=(
        Chart(
            Shape.PERIODS,
            ("counted", "waiting", "held", "failed", "undone"),
            "files",
            start="period_start",
            end="period_end",
        ),
    ),
)

REPORTS = (TOP, USAGE, GROWTH, FILES)
