"""The SQL of a pipeline's stages, checked against the declared tables before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from qanat.engines.duckdb import DuckdbEngine
from qanat.errors import ConfigError
from qanat.pipeline import Pipeline, Stage, Write
from qanat.runtime.stream_tables import Made, TableWrite
from qanat.sql import CheckedSql, check, load_sql
from qanat.streaming.declared import topic_named
from qanat.tables import Column

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = "batch"
"""What the rows of a batch are called in a transform's SQL."""


def table_writes(pipeline: Pipeline) -> dict[str, Callable[[], Sequence[TableWrite]]]:
    """Check the SQL of every stage; return what makes each one's writes, with an engine of its own.

    Raises:
        ConfigError: A statement doesn't fit: says where.
    """
    return {
        stage.name: _maker(stage, checked(pipeline, stage))
        for stage in pipeline.stages
        if stage.writes or stage.deduplicate is not None
    }


def checked(pipeline: Pipeline, stage: Stage) -> Mapping[str, CheckedSql]:
    """Return the checked statements of a stage, by the table that each writes.

    Raises:
        ConfigError: A statement doesn't fit: says where.
    """
    inputs = {BATCH: batch_columns(pipeline, stage)}
    return {
        write.table.name: check(load_sql(write.sql), inputs, write.table)
        for write in stage.writes
        if write.sql
    }


def batch_columns(pipeline: Pipeline, stage: Stage) -> tuple[Column, ...]:
    """Return the columns of the relation `batch`: those of the table that tells records apart, or of the topic that is read.

    Raises:
        ConfigError: The stage has SQL and neither.
    """
    if stage.deduplicate is not None:
        return stage.deduplicate.table.columns
    if stage.input.kind == "topic":
        return topic_named(pipeline, stage.input.name).columns
    if any(write.sql for write in stage.writes):
        raise ConfigError(
            f"the stage {stage.name}", stage.input.kind, "one that reads a topic, or de-duplicates",
            hint="Only then are the columns of `batch` declared.",
        )  # fmt: skip
    return ()


def _maker(
    stage: Stage, statements: Mapping[str, CheckedSql]
) -> Callable[[], Sequence[TableWrite]]:
    def make() -> Sequence[TableWrite]:
        engine = DuckdbEngine()
        return [_write(write, statements, engine) for write in stage.writes]

    return make


def _write(write: Write, statements: Mapping[str, CheckedSql], engine: DuckdbEngine) -> TableWrite:
    statement = statements.get(write.table.name)
    if statement is None:
        return TableWrite(write.table, write.mode)
    return TableWrite(write.table, write.mode, _made(statement, engine))


def _made(statement: CheckedSql, engine: DuckdbEngine) -> Made:
    def make(rows: "pa.Table") -> "pa.Table":
        return engine.run(statement, {BATCH: rows})

    return make
