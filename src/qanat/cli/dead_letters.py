"""`qanat dead-letters`: the records that couldn't be counted, with their place, reason and
bytes.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import click

from qanat.cli.naming import pipeline_argument
from qanat.cli.sql import format_options
from qanat.clock import SystemClock
from qanat.interfaces import Scalar
from qanat.options import settings_command
from qanat.output import Form, Row, bytes_text, form_of, print_rows, rows_of
from qanat.pipeline import Pipeline
from qanat.session import open_session
from qanat.settings import CommonSettings

if TYPE_CHECKING:
    import pyarrow as pa

STATES = ("open", "replayed", "dropped", "superseded", "all")

FIELDS = (
    "id",
    "file",
    "line",
    "offset",
    "reason",
    "length",
    "raw",
    "raw_base64",
    "state",
    "rejected_at",
)
"""What is printed of each: `raw` as text, in which bytes that are none are escaped; `raw_base64`
exactly.
"""

# A table is read by people: what tells a record apart and replays it, in a line's width.
_TABLE = ("id", "file", "line", "offset", "reason", "length", "raw", "state")


def dead_letters(
    settings: CommonSettings,
    pipeline: Pipeline,
    state: str,
    limit: int | None,
    file: str | None,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Print the dead letters of a pipeline, in the order of their files and places."""
    sql, parameters = _question(state, file, limit)
    form = form_of(as_json=as_json, as_csv=as_csv)
    names = _TABLE if form is Form.TABLE else FIELDS
    with (
        open_session(pipeline, settings, SystemClock()) as session,
        session.stream(sql, parameters) as reader,
    ):
        print_rows(names, _told(reader, names), form)
    return 0


def _question(state: str, file: str | None, limit: int | None) -> tuple[str, dict[str, Scalar]]:
    conditions, parameters = [], dict[str, Scalar]()
    if state != "all":
        conditions.append("state = $state")
        parameters["state"] = state
    if file is not None:
        conditions.append("origin = $file")
        parameters["file"] = file
    where = f" where {' and '.join(conditions)}" if conditions else ""
    upto = "" if limit is None else f" limit {int(limit)}"
    sql = (
        "select id, origin, line, byte_offset, reason, length, raw, state, rejected_at"
        f" from dead_letters{where} order by origin_id, origin, byte_offset, id{upto}"
    )
    return sql, parameters


def _told(batches: "Iterable[pa.RecordBatch]", names: Iterable[str]) -> Iterator[Row]:
    for id_, file, line, offset, reason, length, raw, state, rejected_at in rows_of(batches):
        record = cast("bytes", raw)
        values = {
            "id": id_,
            "file": file,
            "line": line,
            "offset": offset,
            "reason": reason,
            "length": length,
            "raw": bytes_text(record),
            "raw_base64": base64.b64encode(record).decode("ascii"),
            "state": state,
            "rejected_at": rejected_at,
        }
        yield [values[name] for name in names]


DEAD_LETTERS = settings_command(
    "dead-letters",
    CommonSettings,
    dead_letters,
    help="List the records of PIPELINE that couldn't be counted: their place, reason and bytes.",
    pipeline=None,
    extra_params=[
        pipeline_argument(),
        click.Option(
            ["--state"],
            type=click.Choice(STATES),
            default="open",
            show_default=True,
            help="Only those in this state.",
        ),
        click.Option(["--file"], metavar="NAME", help="Only those of this file."),
        click.Option(["--limit"], type=click.IntRange(min=0), help="At most so many."),
        *format_options("one object per dead letter"),
    ],
)
