"""Dead letters of streams, counted after all: as they are, or corrected by hand; each once."""

from datetime import datetime
from typing import TYPE_CHECKING

from qanat.errors import ConfigError
from qanat.interfaces import Transaction
from qanat.pipeline import Pipeline, Stage
from qanat.records import Transformed
from qanat.runtime.commit import Committer
from qanat.runtime.lateness import TOO_LATE
from qanat.runtime.letters import RAW_BYTES_MAX
from qanat.runtime.live import brings_rows
from qanat.runtime.stream_tables import TableWriter
from qanat.streaming.declared import noticed, topic_named
from qanat.streaming.transforms import table_writes
from qanat.tables import ColumnType, Table, arrow_schema
from qanat.wiring import load

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


def replay(pipeline: Pipeline, committer: Committer, letter_id: str, text: str | None) -> int:
    """Count one dead letter; return how many records that made (0: it repeats one that counted already).

    It passes the stages from the one that rejected it on, and its id enters the ledger, so that it counts once whoever asks.
    A record that was too late is counted whatever its age.

    Raises:
        ConfigError: There is no such letter, it isn't open any more, it was too long to be kept whole, or it is rejected again.
    """
    last = _table_stage(pipeline)
    clock = committer.clock
    writer = TableWriter(
        table_writes(pipeline)[last.name](), last.deduplicate, noticed(pipeline, last, clock)
    )
    now = clock.now()

    def body(transaction: Transaction) -> int:
        brings_rows(transaction)
        letter = _open_letter(transaction, letter_id)
        rows = _rows(pipeline, last, letter, text, now)
        if transaction.enter([f"letter:{letter_id}"]):
            raise ConfigError("the letter", letter_id, "one that wasn't replayed before")
        count = writer.write(transaction, rows)
        _mark(transaction, letter_id, "replayed")
        return count

    return committer.commit(body)


def drop(committer: Committer, letter_id: str) -> None:
    """Put a dead letter aside for good; it stays in the table.

    Raises:
        ConfigError: There is no such letter, or it isn't open any more.
    """

    def body(transaction: Transaction) -> None:
        _open_letter(transaction, letter_id)
        _mark(transaction, letter_id, "dropped")

    committer.commit(body)


def _table_stage(pipeline: Pipeline) -> Stage:
    for stage in pipeline.stages:
        if stage.writes or stage.deduplicate is not None:
            return stage
    raise ConfigError("PIPELINE", pipeline.name, "one with a stage that writes tables")


def _rows(
    pipeline: Pipeline, last: Stage, letter: dict[str, object], text: str | None, now: datetime
) -> "pa.Table":
    """Carry a letter's record through the stages that it didn't pass."""
    names = [stage.name for stage in pipeline.stages]
    if letter["stage"] not in names:
        raise ConfigError("the letter", letter["stage"], f"of one of the stages {', '.join(names)}")
    raw = _raw(letter, text)
    at = names.index(str(letter["stage"]))
    if letter["reason"] == TOO_LATE:
        return _late_row(last, raw)
    rows = _record(pipeline, pipeline.stages[at], raw, now)
    for stage in pipeline.stages[at:]:
        if stage.transform:
            rows = _transformed(stage, rows, now)
    return rows


def _raw(letter: dict[str, object], text: str | None) -> bytes:
    if text is not None:
        return text.encode()
    raw = letter["raw"]
    if not isinstance(raw, bytes) or letter["length"] != len(raw):
        raise ConfigError(
            "the letter", f"{letter['length']} bytes long", f"at most {RAW_BYTES_MAX}",
            hint="Only its beginning was kept: give the whole record with --as.",
        )  # fmt: skip
    return raw


def _record(pipeline: Pipeline, stage: Stage, raw: bytes, now: datetime) -> "pa.Table":
    """Make the one row that the stage would read: the bytes in its column of bytes, empty texts, and now as its times."""
    import pyarrow as pa

    shape = topic_named(pipeline, stage.input.name).shape
    values: dict[ColumnType, object] = {
        ColumnType.BYTES: raw,
        ColumnType.TEXT: "",
        ColumnType.TIMESTAMP: now,
    }
    row = {column.name: values.get(column.type) for column in shape.columns}
    return pa.Table.from_pylist([row], schema=arrow_schema(shape))


def _late_row(last: Stage, raw: bytes) -> "pa.Table":
    import msgspec
    import pyarrow as pa

    if last.deduplicate is None:
        raise ConfigError("the letter", TOO_LATE, "of a stage that de-duplicates")
    table: Table = last.deduplicate.table
    row = msgspec.json.decode(raw)
    for column in table.columns:
        if column.type is ColumnType.TIMESTAMP and row.get(column.name) is not None:
            row[column.name] = datetime.fromisoformat(row[column.name])
    return pa.Table.from_pylist([row], schema=arrow_schema(table))


def _transformed(stage: Stage, rows: "pa.Table", now: datetime) -> "pa.Table":
    transform: Callable[[pa.Table, datetime], Transformed] = load(stage.transform)  # type: ignore[assignment]  # by its name
    made = transform(rows, now)
    if made.rejected is not None and made.rejected.num_rows:
        reason = made.rejected.column("reason")[0].as_py()
        raise ConfigError(
            "the record", reason, "one that can be counted",
            hint="Give the corrected record with --as, or put the letter aside with --drop.",
        )  # fmt: skip
    return made.rows


def _open_letter(transaction: Transaction, letter_id: str) -> dict[str, object]:
    transaction.lock(f"letter:{letter_id}")
    rows = transaction.query(
        "select stage, origin, reason, length, raw, state from dead_letters where id = $id",
        {"id": letter_id},
    ).to_pylist()
    if not rows:
        raise ConfigError("the letter", letter_id, "an id that `qanat dead-letters` lists")
    if rows[0]["state"] != "open":
        raise ConfigError("the letter", letter_id, f"open; it is {rows[0]['state']}")
    found: dict[str, object] = rows[0]
    return found


def _mark(transaction: Transaction, letter_id: str, state: str) -> None:
    transaction.execute(
        "update dead_letters set state = $state where id = $id and state = 'open'",
        {"state": state, "id": letter_id},
    )
