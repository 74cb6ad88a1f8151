"""The shapes of the answers that every pipeline gives."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

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


class Health(BaseModel):
    """Whether the store answers and no alarm rings, and how the files stand."""

    status: str = Field(description="`ok`, or `alarm` while one rings.")
    pipeline: str
    files: dict[str, int]
    alarms: list[AlarmState]


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


class Reports(BaseModel):
    """The reports of a pipeline."""

    reports: list[ReportAbout]


class Problem(BaseModel):
    """What was wrong with a request."""

    detail: str
    hint: str = ""
