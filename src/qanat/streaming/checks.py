"""What can be wrong with the declaration of a pipeline of streams, found before anything runs."""

from collections.abc import Callable, Iterator, Sequence

from qanat.errors import ConfigError, QanatError
from qanat.outside import NAME_IS, is_name
from qanat.pipeline import Pipeline, Stage
from qanat.runtime.stream_tables import TableWrite
from qanat.streaming.checks_columns import mode_problems, table_problems, topic_problems
from qanat.streaming.checks_questions import question_problems
from qanat.streaming.declared import tables_of
from qanat.streaming.transforms import batch_columns, table_writes
from qanat.tables import DEAD_LETTERS, ColumnType, Table
from qanat.wiring import STREAM_INPUTS, load

RESERVED_STAGES = frozenset({"letters", "states", "retention", "replay", "reports", "backfill"})
"""What the runtime itself calls the stages that it adds."""

_NAME = "small letters, digits, - and _, a letter first"


def check_pipeline(pipeline: Pipeline) -> dict[str, Callable[[], Sequence[TableWrite]]]:
    """Refuse a pipeline of streams whose declaration doesn't hold together; return what `table_writes` does.

    Raises:
        ConfigError: Names the declaration, what it says, and what is valid. Of several problems the first, in the order of the
            data.
    """
    for problem in _problems(pipeline):
        raise problem
    return table_writes(pipeline)


def _problems(pipeline: Pipeline) -> Iterator[ConfigError]:
    name = pipeline.name
    if not is_name(name):
        yield ConfigError("the pipeline's name", name, NAME_IS)
    if not pipeline.stages:
        yield ConfigError(f"{name}: stages", pipeline.stages, "at least one Stage")
    yield from _twice(f"{name}: stages", [stage.name for stage in pipeline.stages])
    yield from _twice(f"{name}: topics", [topic.name for topic in pipeline.topics])
    yield from _twice(f"{name}: tables", [table.name for table in pipeline.tables])
    for topic in pipeline.topics:
        yield from topic_problems(pipeline, topic)
    for table in pipeline.tables:
        yield from table_problems(pipeline, table)
    filled: set[str] = set()
    for stage in pipeline.stages:
        yield from _stage_problems(pipeline, stage, filled)
        filled.update(topic.name for topic in stage.publishes)
    yield from question_problems(pipeline)


def _twice(told: str, names: Sequence[str]) -> Iterator[ConfigError]:
    for place, name in enumerate(names):
        if name in names[:place]:
            yield ConfigError(told, name, "different names: this one is there twice")


def _stage_problems(pipeline: Pipeline, stage: Stage, filled: set[str]) -> Iterator[ConfigError]:
    told = f"{pipeline.name}: the stage {stage.name}"
    if not is_name(stage.name) or stage.name in RESERVED_STAGES:
        reserved = ", ".join(sorted(RESERVED_STAGES))
        yield ConfigError(
            f"{pipeline.name}: a stage's name", stage.name, f"{_NAME}; not {reserved}"
        )
    yield from _input_problems(pipeline, stage, told, filled)
    if bool(stage.writes or stage.deduplicate) == bool(stage.publishes):
        both = "both" if stage.publishes else "neither"
        yield ConfigError(
            told, f"{both} of writes and publishes", "one that writes tables or publishes to a topic",
            hint="One transaction never spans two systems: join two stages by a topic.",
        )  # fmt: skip
    yield from _publish_problems(pipeline, stage, told)
    yield from _transform_problems(stage, told)
    if stage.deduplicate is not None:
        yield from _deduplicate_problems(pipeline, stage, told)
    yield from _write_problems(pipeline, stage, told)


def _input_problems(
    pipeline: Pipeline, stage: Stage, told: str, filled: set[str]
) -> Iterator[ConfigError]:
    given = stage.input
    if given.kind not in STREAM_INPUTS:
        known = " or ".join(sorted(STREAM_INPUTS))
        yield ConfigError(f"{told}: input kind", given.kind, known)
    if given.kind != "topic":
        return
    topics = [topic.name for topic in pipeline.topics]
    if given.name not in topics:
        yield ConfigError(f"{told}: input topic", given.name, _one_of(topics))
    elif given.name not in filled:
        yield ConfigError(
            f"{told}: input topic", given.name, "one that a stage before it publishes to",
            hint=f"Filled before it: {', '.join(sorted(filled)) or 'none'}.",
        )  # fmt: skip


def _publish_problems(pipeline: Pipeline, stage: Stage, told: str) -> Iterator[ConfigError]:
    if len(stage.publishes) > 1:
        names = ", ".join(topic.name for topic in stage.publishes)
        yield ConfigError(f"{told}: publishes", names, "exactly one topic")
    for topic in stage.publishes:
        if topic not in pipeline.topics:
            known = [each.name for each in pipeline.topics]
            yield ConfigError(
                f"{told}: publishes", topic.name, f"{_one_of(known)}, as declared there"
            )


def _transform_problems(stage: Stage, told: str) -> Iterator[ConfigError]:
    if not stage.transform:
        return
    valid = "`module:function` of a function (rows, judged_at) that returns Transformed"
    try:
        found = load(stage.transform)
    except QanatError:
        raise
    except (ImportError, AttributeError, ValueError) as error:
        yield ConfigError(f"{told}: transform", stage.transform, valid, hint=str(error))
    else:
        if not callable(found):
            yield ConfigError(f"{told}: transform", stage.transform, valid)


def _deduplicate_problems(pipeline: Pipeline, stage: Stage, told: str) -> Iterator[ConfigError]:
    by = stage.deduplicate
    if by is None:
        return
    table, told = by.table, f"{told}: deduplicate"
    yield from _declared_problems(pipeline, table, told)
    for name in by.key:
        if name not in table.names:
            yield ConfigError(f"{told} key", name, _one_of(table.names))
    if not by.key or set(by.key) != set(table.key):
        yield ConfigError(f"{told} key", by.key, f"the key of {table.name}: {table.key}")
    for role, name in (("happened", by.happened), ("received", by.received)):
        times = [each.name for each in table.columns if each.type is ColumnType.TIMESTAMP]
        if name not in times:
            valid = _one_of(times) if times else f"a TIMESTAMP of {table.name}, which has none"
            yield ConfigError(f"{told} {role}", name, valid)
    if not by.horizon_s > 0:
        yield ConfigError(f"{told} horizon_s", by.horizon_s, "more than 0 seconds")


def _write_problems(pipeline: Pipeline, stage: Stage, told: str) -> Iterator[ConfigError]:
    yield from _twice(f"{told}: writes", [write.table.name for write in stage.writes])
    known = not stage.transform or stage.deduplicate is not None
    for write in stage.writes:
        edge = f"{told}: write to {write.table.name}"
        yield from _declared_problems(pipeline, write.table, edge)
        yield from mode_problems(write.table, write.mode, edge)
        if write.sql or not known:
            continue
        given = [column.name for column in batch_columns(pipeline, stage)]
        missing = [name for name in write.table.names if name not in given]
        if given and missing:
            yield ConfigError(
                f"{edge}: sql", "", f"given: the batch has no {', '.join(missing)}",
                hint=f"It has {', '.join(given)}.",
            )  # fmt: skip


def _declared_problems(pipeline: Pipeline, table: Table, told: str) -> Iterator[ConfigError]:
    if table not in pipeline.tables and table.name != DEAD_LETTERS.name:
        known = [each.name for each in tables_of(pipeline)]
        yield ConfigError(f"{told}: table", table.name, f"{_one_of(known)}, as declared there")


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if names else "declared; there is none"
