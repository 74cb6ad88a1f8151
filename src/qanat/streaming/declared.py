"""What a pipeline of streams has beside what it declares: tables and topics that every one of them needs."""

from typing import TYPE_CHECKING

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.interfaces import Transaction
from qanat.pipeline import Pipeline, Stage
from qanat.runtime.letters import LETTER_TOPIC
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.remakes import Remakes
from qanat.runtime.stage_states import STAGE_STATES
from qanat.runtime.stream_tables import Noticed, unnoticed
from qanat.runtime.windows import is_stored
from qanat.tables import DEAD_LETTERS, Table, Topic

if TYPE_CHECKING:
    import pyarrow as pa


def tables_of(pipeline: Pipeline) -> tuple[Table, ...]:
    """Return the declared tables, and those that every pipeline of streams has."""
    declared = {table.name for table in pipeline.tables}
    stored = (MADE_REPORTS,) if any(map(is_stored, pipeline.reports)) else ()
    own = (DEAD_LETTERS, STAGE_STATES, *stored)
    return (*pipeline.tables, *(table for table in own if table.name not in declared))


def topics_of(pipeline: Pipeline) -> tuple[Topic, ...]:
    """Return the declared topics, and the one of dead letters."""
    return (*pipeline.topics, LETTER_TOPIC) if pipeline.topics else ()


def topic_named(pipeline: Pipeline, name: str) -> Topic:
    """Return a declared topic.

    Raises:
        ConfigError: There is none of this name.
    """
    for topic in pipeline.topics:
        if topic.name == name:
            return topic
    known = ", ".join(topic.name for topic in pipeline.topics) or "declared"
    raise ConfigError("the topic", name, f"one of {known}")


def noticed(pipeline: Pipeline, stage: Stage, clock: Clock) -> Noticed:
    """Return what has the stored reports remade when a stage writes records that came late."""
    remakes = Remakes(pipeline.reports, clock)
    if stage.deduplicate is None or not remakes.reports:
        return unnoticed
    happened = stage.deduplicate.happened

    def notice(transaction: Transaction, rows: "pa.Table") -> None:
        remakes.enqueue(transaction, rows.column(happened))

    return notice
