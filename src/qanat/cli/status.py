"""`qanat status`: how pipelines are doing, while they run and when they don't."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, cast

import click

from qanat.cli.status_remote import remote_rows, remote_state
from qanat.clock import SystemClock
from qanat.options import load_settings, settings_command
from qanat.output import moment_text, print_json, printable
from qanat.pipeline import Pipeline
from qanat.session import (
    Json,
    NothingYet,
    Session,
    capabilities_of,
    holder,
    open_session,
    store_text,
)
from qanat.settings import CommonSettings
from qanat.wiring import PIPELINES, pipeline_named

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

# More are told by their number; `qanat sql` lists them all.
PROBLEMS_MAX = 20

_STATES = (
    "select state, count(*) as files, cast(sum(size) as numeric(38, 0)) as bytes,"
    " cast(sum(lines_good) as numeric(38, 0)) as lines_good,"
    " cast(sum(lines_bad) as numeric(38, 0)) as lines_bad,"
    " cast(sum(total) as numeric(38, 0)) as total, max(ended_at) as ended_at"
    " from files group by state order by state"
)
_PROBLEMS = (
    "select id, name, state, reason, ended_at from files"
    f" where state in ('failed', 'held') order by id desc limit {PROBLEMS_MAX}"
)
_LETTERS = "select count(*) as open from dead_letters where state = 'open'"


def status(settings: CommonSettings, pipeline: str | None, as_json: bool) -> int:
    """Print the state of one pipeline, or of all of which the settings' store knows anything."""
    found = [_described(pipeline_named(pipeline), settings)] if pipeline else list(_all())
    if as_json:
        print_json({"pipelines": found})
    elif not found:
        sys.stdout.write("Nothing was counted here yet. To begin: qanat demo metering\n")
    else:
        for described in found:
            _draw(described, sys.stdout)
    return 0


def _all() -> Iterator[dict[str, Json]]:
    given = click.get_current_context().params
    options = {name: value for name, value in given.items() if name not in {"pipeline", "as_json"}}
    for name in sorted(PIPELINES):
        # Each by its own settings: qanat.toml may give it a store of its own.
        settings = load_settings(CommonSettings, options, pipeline=name)
        try:
            yield _described(pipeline_named(name), settings)
        except NothingYet:
            continue


def _described(pipeline: Pipeline, settings: CommonSettings) -> dict[str, Json]:
    tables = {table.name for table in pipeline.tables}
    with open_session(pipeline, settings, SystemClock()) as session:
        files = _files(session) if "files" in tables else {}
        letters = session.query(_LETTERS).column("open")[0].as_py()
    owner = holder(pipeline, settings)
    # A store that processes share has no holder; who works there only its server knows.
    running = None if capabilities_of(settings).shared else owner is not None
    return {
        "pipeline": pipeline.name,
        "store": store_text(settings),
        "running": running,
        "owner": owner and {"pid": owner.pid, "host": owner.host, "started_at": owner.started_at},
        **files,
        "remote": remote_state(pipeline, settings),
        "dead_letters_open": letters,
    }


def _files(session: Session) -> dict[str, Json]:
    states = {str(row["state"]): row for row in session.query(_STATES).to_pylist()}
    counted, waiting = states.get("counted", {}), states.get("registered", {})
    ended = [row["ended_at"] for row in states.values() if row["ended_at"] is not None]
    return {
        "files": {state: _whole(row["files"]) for state, row in states.items()},
        "files_waiting": _whole(waiting.get("files")),
        "bytes_waiting": _whole(waiting.get("bytes")),
        "lines_good": _whole(counted.get("lines_good")),
        "lines_bad": _whole(counted.get("lines_bad")),
        "total": _whole(counted.get("total")),
        "last_commit_at": moment_text(max(ended)) if ended else None,
        "problems": [_problem(row) for row in session.query(_PROBLEMS).to_pylist()],
    }


def _problem(row: dict[str, object]) -> Json:
    ended = cast("datetime | None", row["ended_at"])
    return {
        "file": cast("int", row["id"]),
        "name": str(row["name"]),
        "state": str(row["state"]),
        "reason": cast("str | None", row["reason"]),
        "at": None if ended is None else moment_text(ended),
    }


def _whole(value: object) -> int:
    return int(cast("Decimal | int | None", value) or 0)


def _draw(described: dict[str, Json], stream: TextIO) -> None:
    owner = described["owner"]
    running = "not running" if described["running"] is False else "whoever has it open"
    if isinstance(owner, dict):
        running = f"process {owner['pid']} on {owner['host']}, since {owner['started_at']}"
    rows = [("store", str(described["store"])), ("held by", running)]
    if "files" in described:
        rows += _file_rows(described)
    rows += remote_rows(cast("list[Json]", described["remote"]))
    rows.append(("dead letters", f"{described['dead_letters_open']:,} open"))
    stream.write(f"{described['pipeline']}\n")
    stream.writelines(f"  {name:<13} {printable(text)}\n" for name, text in rows)


def _file_rows(described: dict[str, Json]) -> Sequence[tuple[str, str]]:
    states = cast("dict[str, int]", described["files"])
    told = ", ".join(f"{count:,} {state}" for state, count in states.items()) or "none"
    waiting = f"{described['files_waiting']:,} files, {described['bytes_waiting']:,} bytes"
    rows = [
        ("files", told),
        ("waiting", waiting),
        ("lines", f"{described['lines_good']:,} good, {described['lines_bad']:,} malformed"),
        ("total", f"{described['total']:,}"),
        ("last commit", str(described["last_commit_at"] or "none yet")),
    ]
    for problem in cast("list[dict[str, Json]]", described["problems"]):
        text = f"file {problem['file']} {problem['name']}: {problem['reason']}"
        rows.append((str(problem["state"]), text))
    unlisted = states.get("failed", 0) + states.get("held", 0) - PROBLEMS_MAX
    if unlisted > 0:
        rows.append(("", f"and {unlisted:,} more that failed or are held"))
    return rows


STATUS = settings_command(
    "status",
    CommonSettings,
    status,
    help="Tell how PIPELINE is doing, or every pipeline that was used here.",
    pipeline=None,
    extra_params=[
        click.Argument(["pipeline"], required=False),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ],
)
