"""The topics between the stages: what was received, and what it says."""

from qanat.pipelines.wikimedia.tables import CREATIONS
from qanat.tables import Column, ColumnType, Topic

INPUT = Topic(
    name="input",
    columns=(
        Column("id", ColumnType.TEXT, about="the stream's own position; a resume names it"),
        Column("event", ColumnType.TEXT, about="`message`, or `error`"),
        Column("data", ColumnType.BYTES, about="JSON, exactly as it was received"),
        Column("received_at", ColumnType.TIMESTAMP),
    ),
    about="every event as it was received, repeats included",
)

PROCESSED = Topic(
    name="processed",
    columns=CREATIONS.columns,
    about="one record per creation of a page, repeats included",
)

TOPICS = (INPUT, PROCESSED)
