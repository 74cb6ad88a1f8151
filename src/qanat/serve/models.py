"""The shapes of the answers that every pipeline gives."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from qanat.pipeline import Parameter
from qanat.reports.lookup import ROWS_MAX
from qanat.tables import ColumnType

PAGE_MAX = ROWS_MAX

# Beyond 2^53 a JSON number loses digits in JavaScript; exact sums travel as text.
ExactInteger = Annotated[
    str, Field(pattern=r"^-?[0-9]+$", description="An integer of any size, as text.")
]


class FileState(BaseModel):
    """What became of one file."""

    id: int
    name: str
    size: int
    state: str
    reason: str | None
    registered_at: datetime
    ended_at: datetime | None
    lines_good: int | None
    lines_bad: int | None
    total: ExactInteger | None


class Letter(BaseModel):
    """One dead letter."""

    id: str
    stage: str
    origin: str
    line: int | None
    byte_offset: int | None
    reason: str
    length: int
    raw: str = Field(description="Its first bytes; those that aren't UTF-8 as \\xNN.")
    raw_base64: str
    rejected_at: datetime
    state: str


class Page(BaseModel):
    """Which part of a list this is.

    Attributes:
        next_after: Ask for `after` this to get the following part; null at the end.
    """

    limit: int
    next_after: str | None


class Files(Page):
    """Some files, newest first."""

    files: list[FileState]


class Letters(Page):
    """Some dead letters, in order of id."""

    dead_letters: list[Letter]


class Replay(BaseModel):
    """How a dead letter is to be counted."""

    line: str | None = Field(
        None, max_length=4096, description="The corrected line; null for the one that was kept."
    )


class Replayed(BaseModel):
    """What counting a dead letter came to, in the pipeline's own words."""

    outcome: dict[str, JsonValue]


class AlarmState(BaseModel):
    """How far one alarm is."""

    alarm: str
    rings: bool
    value: float | None = Field(
        description="Seconds, files, a share, or bytes; null while there is nothing to go by."
    )
    threshold: float = Field(description="0 where the alarm is switched off.")
    text: str


class Stall(BaseModel):
    """A stage that should move and doesn't."""

    stage: str
    instance: str
    since: datetime
    reason: str
    red: bool = Field(description="It has lasted so long that health is red.")


class ReportState(BaseModel):
    """How old a stored report is."""

    name: str
    window_end: datetime | None = Field(
        description="Up to when the newest one reaches; null before the first."
    )
    made_at: datetime | None
    age_s: float | None = Field(description="Since it was made, in seconds.")
    stale: bool = Field(description="The one that follows is overdue.")


class PipelineHealth(BaseModel):
    """Whether a pipeline's store answers, no alarm rings, every stage moves and every report is made."""

    status: str = Field(
        description="`ok`; `degraded` while a stage stalls for a short time; and, with status 503, `alarm` while one rings, "
        "`stalled` while a stage stalls for long, `stale` while a report is overdue."
    )
    pipeline: str
    files: dict[str, int] = Field(
        description="How many files there are, by state; empty where it reads none."
    )
    alarms: list[AlarmState]
    stalls: list[Stall]
    reports: list[ReportState]


class Health(BaseModel):
    """Whether everything that is served is well."""

    status: str = Field(description="The worst of the pipelines'.")
    pipelines: list[PipelineHealth]


class ReportParameter(BaseModel):
    """What can be set of a report."""

    name: str
    default: str
    about: str
    choices: list[str] = Field(description="The only valid words; empty for any.")


class ReportAbout(BaseModel):
    """A report that can be asked for."""

    name: str
    title: str
    about: str
    parameters: list[ReportParameter]
    columns: list[str]
    window_s: float = Field(description="The span that it covers, in seconds; 0 for all.")
    every_s: float = Field(
        description="So often it is made and stored, in seconds; 0: when it is asked for."
    )


class Reports(BaseModel):
    """The reports of a pipeline."""

    reports: list[ReportAbout]


class ColumnAbout(BaseModel):
    """A column of a table."""

    name: str
    type: ColumnType
    nullable: bool
    about: str


class TableAbout(BaseModel):
    """A table that can be read."""

    name: str
    about: str
    key: list[str]
    filters: list[str] = Field(description="By which parameters rows can be picked.")
    pages: Literal["cursor", "offset"] = Field(description="How it is read page by page.")
    columns: list[ColumnAbout]


class Tables(BaseModel):
    """The tables of a pipeline."""

    tables: list[TableAbout]


class LookupAbout(BaseModel):
    """A look-up that can be asked for."""

    name: str
    title: str
    about: str
    parameters: list[ReportParameter]
    columns: list[str]


class Lookups(BaseModel):
    """The look-ups of a pipeline."""

    lookups: list[LookupAbout]


class PipelineAbout(BaseModel):
    """A pipeline that is served. What is its own lies under `/api/` and its name."""

    name: str
    title: str
    stages: list[str]
    tables: list[str]
    reports: list[str]
    lookups: list[str]


class Pipelines(BaseModel):
    """What is served."""

    pipelines: list[PipelineAbout]


class Node(BaseModel):
    """A thing in the picture of a pipeline."""

    id: str = Field(description="Unique in the picture: the kind, a colon, the name.")
    kind: Literal["input", "stage", "topic", "table"]
    name: str
    about: str


class GraphEdge(BaseModel):
    """A way that data takes."""

    source: str = Field(description="The `id` of a node.")
    target: str = Field(description="The `id` of a node.")
    mode: str = Field(
        description="How rows are written there, or `publish`; empty for what is read."
    )
    guarantee: str | None = Field(description="What the way promises; null for what is only read.")
    because: str


class StageState(BaseModel):
    """How one instance of a stage is doing."""

    stage: str
    instance: str
    records: int = Field(description="Since the beginning.")
    rate: float | None = Field(
        description="Records per second, lately; null while that isn't known."
    )
    lag: int | None = Field(
        description="Records (of a folder: files) that wait; null where that can't be known."
    )
    last_commit_at: datetime | None
    stalled_since: datetime | None
    stall_reason: str | None
    updated_at: datetime | None = Field(
        description="When the run told this; null where it was found out from the tables."
    )


class Stages(BaseModel):
    """A pipeline as a graph, and how its stages are doing."""

    pipeline: str
    title: str
    refused: list[str] = Field(
        description="Why it wouldn't be started on this store; empty when it would."
    )
    nodes: list[Node]
    edges: list[GraphEdge]
    states: list[StageState]
    dead_letters: int = Field(description="Open ones.")


class Problem(BaseModel):
    """What was wrong with a request."""

    detail: str
    hint: str = ""


def parameter_about(parameter: Parameter) -> ReportParameter:
    """Describe what can be set of a report or a look-up."""
    return ReportParameter(
        name=parameter.name,
        default=parameter.default,
        about=parameter.about,
        choices=list(parameter.choices),
    )
