"""What can be wrong with declared tables and topics, and with how a table is written."""

import re
from collections.abc import Iterator, Sequence

from qanat.errors import ConfigError
from qanat.pipeline import Pipeline
from qanat.runtime.letters import LETTER_TOPIC
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.stage_states import STAGE_STATES
from qanat.tables import (
    DEAD_LETTERS,
    Add,
    Append,
    Column,
    ColumnType,
    Latest,
    Replace,
    Table,
    Topic,
    WriteMode,
)
from qanat.topics import check_names

OWN = {table.name: table for table in (DEAD_LETTERS, STAGE_STATES, MADE_REPORTS)}
"""Tables that the runtime adds."""

SUMS = frozenset({ColumnType.INT64, ColumnType.INT128, ColumnType.FLOAT64})
"""The types that add up."""

# PostgreSQL cuts longer ones; others would have to be quoted in every statement.
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VALID = "small letters, digits and _, a letter first, at most 63"
_TOPIC = re.compile(r"[a-z][a-z0-9._-]{0,199}")


def topic_problems(pipeline: Pipeline, topic: Topic) -> Iterator[ConfigError]:
    """Tell what is wrong with a topic."""
    told = f"{pipeline.name}: the topic {topic.name}"
    if _TOPIC.fullmatch(topic.name) is None or topic.name == LETTER_TOPIC.name:
        valid = (
            f"small letters, digits, -, . and _; not {LETTER_TOPIC.name}, which is there already"
        )
        yield ConfigError(f"{pipeline.name}: a topic's name", topic.name, valid)
    yield from _column_problems(told, topic.columns)
    try:
        check_names(topic)
    except ConfigError as error:
        yield error


def table_problems(pipeline: Pipeline, table: Table) -> Iterator[ConfigError]:
    """Tell what is wrong with a table."""
    told = f"{pipeline.name}: the table {table.name}"
    if _IDENTIFIER.fullmatch(table.name) is None:
        yield ConfigError(f"{pipeline.name}: a table's name", table.name, _VALID)
    if table.name in OWN and table != OWN[table.name]:
        yield ConfigError(
            f"{pipeline.name}: a table's name", table.name, "not one of the runtime's"
        )
    yield from _column_problems(told, table.columns)
    sets = [("key", table.key)]
    sets += [("unique", columns) for columns in table.unique]
    sets += [("index", columns) for columns in table.indexes]
    for role, columns in sets:
        yield from _known(f"{told}: {role}", columns, table)
    for name in table.key:
        if name in table.names and table.column(name).nullable:
            yield ConfigError(f"{told}: key", name, "a column that is never null")


def mode_problems(table: Table, mode: WriteMode, told: str) -> Iterator[ConfigError]:
    """Tell what is wrong with how a table is written."""
    if isinstance(mode, Append):
        return
    if isinstance(mode, Replace):
        yield from _known(f"{told}: where", tuple(mode.where), table)
        return
    kind = type(mode).__name__
    yield from _known(f"{told}: key of {kind}", mode.key, table)
    if set(mode.key) != set(table.key):
        yield ConfigError(f"{told}: key of {kind}", mode.key, f"the table's key: {table.key}")
    if isinstance(mode, Add):
        yield from _add_problems(table, mode, told)
    if isinstance(mode, Latest):
        yield from _known(f"{told}: version", (mode.version,), table)
        if mode.deleted is not None:
            yield from _typed(f"{told}: deleted", mode.deleted, table, {ColumnType.BOOLEAN})


def _add_problems(table: Table, mode: Add, told: str) -> Iterator[ConfigError]:
    if not mode.sums:
        yield ConfigError(f"{told}: sums", mode.sums, "at least one column that adds up")
    for name in mode.sums:
        yield from _typed(f"{told}: sums", name, table, SUMS)
        if name in mode.key:
            yield ConfigError(f"{told}: sums", name, "a column that isn't in the key")
    if mode.drop_when_zero is not None and mode.drop_when_zero not in mode.sums:
        yield ConfigError(
            f"{told}: drop_when_zero", mode.drop_when_zero, f"one of {', '.join(mode.sums)}"
        )


def _column_problems(told: str, columns: Sequence[Column]) -> Iterator[ConfigError]:
    if not columns:
        yield ConfigError(f"{told}: columns", columns, "at least one Column")
    names = [column.name for column in columns]
    for place, name in enumerate(names):
        if _IDENTIFIER.fullmatch(name) is None and not name.startswith("_"):
            yield ConfigError(f"{told}: a column's name", name, _VALID)
        if name in names[:place]:
            yield ConfigError(f"{told}: columns", name, "different names: this one is there twice")


def _known(told: str, names: Sequence[str], table: Table) -> Iterator[ConfigError]:
    for name in names:
        if name not in table.names:
            yield ConfigError(told, name, f"one of {', '.join(table.names)}")


def _typed(
    told: str, name: str, table: Table, kinds: frozenset[ColumnType] | set[ColumnType]
) -> Iterator[ConfigError]:
    fitting = [column.name for column in table.columns if column.type in kinds]
    if name not in fitting:
        types = ", ".join(sorted(kinds))
        valid = f"one of {', '.join(fitting)}" if fitting else f"a column of type {types}"
        yield ConfigError(told, name, f"{valid} ({types})" if fitting else valid)
