"""`qanat status`: how pipelines are doing, while they run and when they don't."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, cast

import click

from qanat.cli.naming import pipeline_argument
from qanat.cli.status_remote import remote_rows, remote_state
from qanat.cli.status_stages import stage_rows, stage_states
from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import load_settings, settings_command
from qanat.output import moment_text, print_json, printable
from qanat.pipeline import Pipeline
from qanat.records import Worker
from qanat.session import (
    Json,
    NothingYet,
    Session,
    open_session,
    store_text,
)
from qanat.settings import CommonSettings
from qanat.wiring import is_of_streams, known_pipelines, readings_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from qanat.runtime.alarms import Readings

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


def status(settings: CommonSettings, pipeline: Pipeline | None, as_json: bool) -> int:
    """Print the state of one pipeline, or of all of which the settings' store knows anything."""
    found = [_described(pipeline, settings)] if pipeline else list(_all())
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
    for known in known_pipelines():
        if known.pipeline is None:
            sys.stderr.write(f"{known.name} is left out: {known.problem}\n")
            continue
        # Each by its own settings: qanat.toml may give it a store of its own.
        settings = load_settings(CommonSettings, options, pipeline=known.name)
        if _is_used(known.pipeline, settings):
            yield _described(known.pipeline, settings)


def _is_used(pipeline: Pipeline, settings: CommonSettings) -> bool:
    """Tell whether a store has a pipeline's tables: one that was named may be another pipeline's."""
    try:
        with open_session(pipeline, settings, SystemClock()) as session:
            session.query(f"select 1 as used from {pipeline.tables[0].name} limit 1")
    except NothingYet:
        return False
    except ConfigError as error:
        if error.setting != "the statement":
            raise
        return False
    return True


def _described(pipeline: Pipeline, settings: CommonSettings) -> dict[str, Json]:
    tables = {table.name for table in pipeline.tables}
    clock = SystemClock()
    with open_session(pipeline, settings, clock) as session:
        files = _files(session) if "files" in tables else {}
        stages = stage_states(pipeline, session) if is_of_streams(pipeline) else {}
        workers = session.workers()
        readings = readings_of(pipeline, session, clock.now())
        letters = session.query(_LETTERS).column("open")[0].as_py()
    return {
        "pipeline": pipeline.name,
        "store": store_text(settings),
        "running": bool(workers),
        "workers": [_worker(one) for one in workers],
        **files,
        **stages,
        "remote": remote_state(pipeline, settings),
        "dead_letters_open": letters,
        **(_alarms(readings) if readings is not None else {}),
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


def _worker(worker: Worker) -> Json:
    since = None if worker.since is None else moment_text(worker.since)
    return {"pid": worker.pid, "host": worker.host, "since": since}


def _alarms(readings: "Readings") -> dict[str, Json]:
    alarms: list[Json] = [
        {
            "alarm": str(each.alarm),
            "rings": each.rings,
            "value": each.value,
            "threshold": each.threshold,
            "text": each.text,
        }
        for each in readings.alarms
    ]
    return {"alarms": alarms, "lag_files": readings.lag_files, "folder_seen": readings.folder_seen}


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
    workers = [_worker_text(one) for one in cast("list[dict[str, Json]]", described["workers"])]
    rows = [
        ("store", str(described["store"])),
        ("held by", workers[0] if workers else "not running"),
    ]
    rows += [("", text) for text in workers[1:]]
    if "files" in described:
        rows += _file_rows(described)
    rows += stage_rows(described)
    rows += remote_rows(cast("list[Json]", described["remote"]))
    rows.append(("dead letters", f"{described['dead_letters_open']:,} open"))
    if "alarms" in described:
        rows += _alarm_rows(cast("list[dict[str, Json]]", described["alarms"]))
    stream.write(f"{described['pipeline']}\n")
    stream.writelines(f"  {name:<13} {printable(text)}\n" for name, text in rows)


def _worker_text(worker: dict[str, Json]) -> str:
    since = f", since {worker['since']}" if worker["since"] else ""
    return f"process {worker['pid']} on {worker['host']}{since}"


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


def _alarm_rows(alarms: Sequence[dict[str, Json]]) -> Sequence[tuple[str, str]]:
    ringing = [("ALARM", f"{each['alarm']}: {each['text']}") for each in alarms if each["rings"]]
    return ringing or [("alarms", "none")]


STATUS = settings_command(
    "status",
    CommonSettings,
    status,
    help="Tell how PIPELINE is doing, or every pipeline that was used here.",
    pipeline=None,
    extra_params=[
        pipeline_argument(required=False),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ],
)
