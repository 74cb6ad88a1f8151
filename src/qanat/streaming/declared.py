"""What a pipeline of streams has beside what it declares: tables and topics that every one of them needs."""

from qanat.errors import ConfigError
from qanat.pipeline import Pipeline
from qanat.runtime.letters import LETTER_TOPIC
from qanat.runtime.stage_states import STAGE_STATES
from qanat.tables import DEAD_LETTERS, Table, Topic


def tables_of(pipeline: Pipeline) -> tuple[Table, ...]:
    """Return the declared tables, and those that every pipeline of streams has."""
    declared = {table.name for table in pipeline.tables}
    own = (DEAD_LETTERS, STAGE_STATES)
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
