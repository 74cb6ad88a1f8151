"""Declarations: what a pipeline consists of. Immutable, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from qanat.tables import Column, ColumnType, Table, Topic, WriteMode


class Order(StrEnum):
    """What an input promises about its records; the plan derives the guarantee from it."""

    ORDERED = "ordered"  # partitions with positions: progress by compare-and-set
    ITEMS = "items"  # ids in any order, perhaps twice: the ledger
    NONE = "none"  # neither positions nor ids: a repeat can't be recognised


@dataclass(frozen=True, slots=True)
class Input:
    """Where a stage reads.

    Attributes:
        kind: As the user names it: `folder`, `sse`, `topic`, `memory`, …
        name: What it is called in the picture; of a topic, its name.
        order: How its records can be told apart.
        repeats: A resume yields the last record again; needs `deduplicate_by`.
        deduplicate_by: The column of a record's own id.
        location: The URL that is read when the user names no other.
    """

    kind: str
    name: str
    order: Order
    repeats: bool = False
    deduplicate_by: str | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """One edge from a stage to a table.

    Attributes:
        sql: What makes its rows out of the relation `batch` (see `qanat.sql`): the text, or `package:file.sql`; empty where
            the batch's rows are written as they are.
    """

    table: Table
    mode: WriteMode
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Deduplicate:
    """How a stage leaves out records that came before: by a table in which each has been entered once.

    The table is written first; only the records that were new to it go on to the stage's other writes.

    Attributes:
        table: Gets each record once.
        key: Its columns that tell records apart, the time first: what a record repeats lies at the same time, so that only a
            narrow span of a large table is looked at.
        happened: The column that says when a record came about.
        received: The column that says when it was received.
        horizon_s: A record that was received so long after it came about, and lies so far behind the newest, isn't judged but
            becomes a dead letter `too_late` (see `runtime.lateness`).
    """

    table: Table
    key: tuple[str, ...]
    happened: str
    received: str
    horizon_s: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Reads one input, transforms one batch, commits once to one output: a store's tables, or topics of the log.

    Attributes:
        transform: Import string `module:attribute` of what turns a batch or a file into rows. A string, so that a declaration
            loads no kernel and no driver. Empty for none: the rows go on as they are.
        writes: Tables of the store.
        publishes: Topics of the log. A stage has writes or topics, never both: one transaction never spans two systems.
        deduplicate: For an input that may repeat records.
    """

    name: str
    input: Input
    transform: str = ""
    writes: tuple[Write, ...] = ()
    about: str = ""
    publishes: tuple[Topic, ...] = ()
    deduplicate: Deduplicate | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be set of a report; its SQL has it as `$name`.

    Attributes:
        type: INT64, TEXT, or TIMESTAMP: a moment in UTC, or a span such as `7d`, which is so long ago.
        default: As a user would write it; empty for none, which the SQL sees as null.
        choices: The only words that are valid, for a TEXT.
        smallest: Of an INT64.
        largest: Of an INT64.
    """

    name: str
    type: ColumnType
    about: str
    default: str = ""
    choices: tuple[str, ...] = ()
    smallest: int | None = None
    largest: int | None = None


class Shape(StrEnum):
    """How the rows of a report are drawn."""

    RANKED = "ranked"  # a bar to the right for each row, in the order of the rows
    PERIODS = "periods"  # a bar from `start` to `end` for each row: as wide as its period


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing of a report's rows.

    Attributes:
        values: The columns whose values are lengths; several are stacked, and told apart by colour.
        names: The axis of the values.
        label: For RANKED: the column that names a row.
        start: For PERIODS: the column in which a period begins.
        end: For PERIODS: the column in which it ends.
        colour: A column by whose words single values are told apart.
        whole: A boolean column; a row in which it is false is drawn pale.
        percent: The values are shares.
    """

    shape: Shape
    values: tuple[str, ...]
    names: str
    label: str = ""
    start: str = ""
    end: str = ""
    colour: str = ""
    whole: str = ""
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A question that people ask again and again, with a drawing of its answer.

    Attributes:
        about: What one row is, and what has to be known to read it.
        sql: The statement, as every store understands it; or `package:file.sql`, for a file in that package.
        columns: What the statement returns, in order; the answer is cast to these types.
        charts: One below the other.
        window_s: The length of the span of time that it covers. Its SQL then has `$window_start` and `$window_end`, and the
            user may set the end (`end`); without, it is the latest multiple of `every_s` (of an hour where that is 0), in UTC.
        every_s: It is made at every multiple of this, and stored; 0 for a report that is made when it is asked for.
    """

    name: str
    title: str
    sql: str
    columns: tuple[Column, ...]
    about: str = ""
    parameters: tuple[Parameter, ...] = ()
    charts: tuple[Chart, ...] = ()
    window_s: float = 0.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question about one thing, or a page of a list: answered from tables that are maintained for it.

    Attributes:
        sql: As a report's. It ends with an `order by` that leaves no ties: `limit` and `offset` are added to read page by page.
            What would otherwise read whole rows of a large table may choose the page's before: `$page_end` is the number of
            rows up to its end, and one more.
        columns: What the statement returns, in order.
    """

    name: str
    title: str
    sql: str
    columns: tuple[Column, ...]
    about: str = ""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages joined by tables, and what `qanat` can do with them.

    Attributes:
        tables: What a user may ask for, the written ones included.
        topics: The ordered logs between its stages.
        operations: Import strings of what the command offers besides, by name: `run`, `demo`, `generate`, `prove`, ….
        api: Import string of a function that makes the FastAPI router of what is the pipeline's own, from a session.
        offers: Import string of a function that makes the operations that a session can call, from the pipeline.
        reports: What `qanat reports` tells, and the service under /reports.
        lookups: What `qanat reports` and the service answer besides.
        alarms: Import string of a function `(session, now) -> Readings` that tells how far everything is from an alarm.
        recording: `package:file` of the recorded input that `qanat demo` plays.
        proof: Import string of what computes a second time what the tables of a stream have to hold, for `qanat prove` (see
            `qanat.prove.streams.truth.StreamProof`); without it a run to which nothing is done is the measure.
    """

    name: str
    title: str
    stages: tuple[Stage, ...]
    tables: tuple[Table, ...] = ()
    operations: Mapping[str, str] = field(default_factory=dict)
    api: str | None = None
    offers: str | None = None
    reports: tuple[Report, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    alarms: str | None = None
    topics: tuple[Topic, ...] = ()
    recording: str = ""
    proof: str = ""
