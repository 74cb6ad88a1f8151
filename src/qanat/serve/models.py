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


class Health(BaseModel):
    """Whether the store answers, and how the files stand."""

    status: str
    pipeline: str
    files: dict[str, int]


class Problem(BaseModel):
    """What was wrong with a request."""

    detail: str
    hint: str = ""
