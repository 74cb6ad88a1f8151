"""`qanat backfill`: tables and stored reports rebuilt beside the live ones, then exchanged, while a run goes on."""

import sys
from datetime import UTC, datetime, timedelta

import click

from qanat.cli.naming import pipeline_argument
from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import settings_command
from qanat.output import Form, print_rows
from qanat.pipeline import Parameter, Pipeline
from qanat.reports.values import moment_of
from qanat.runtime.windows import HOUR_S, floor
from qanat.session import Session, open_session
from qanat.streaming.backfill import targets
from qanat.streaming.settings import LogSettings
from qanat.tables import ColumnType
from qanat.wiring import operations_of

_WORDS = {
    "refilled": "{target}: {records} records read from the log, {rows} rows written",
    "rebuilt": "{target}: rebuilt from {records} records, {rows} rows",
    "remade": "{target}: {records} stored windows made anew, {rows} of them changed",
}


def backfill(
    settings: LogSettings,
    pipeline: Pipeline,
    target: str | None,
    everything: bool,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> int:
    """Rebuild one table or report of a pipeline, or all of them."""
    wanted = _wanted(pipeline, target, everything=everything)
    clock = SystemClock()
    bounds = {
        "since": _bound("since", since, clock.now(), up=False),
        "until": _bound("until", until, clock.now(), up=True),
    }
    rows = []
    with open_session(pipeline, settings, clock, operations=operations_of(pipeline)) as session:
        for name in wanted:
            done = _done(session, settings, name, bounds)
            rows.append(tuple(done.values()))
            if not as_json:
                sys.stdout.write(_WORDS[str(done["kind"])].format(**done) + "\n")
                sys.stdout.flush()
    if as_json:
        print_rows(("target", "kind", "records", "rows"), rows, Form.JSON)
    return 0


def _done(
    session: Session, settings: LogSettings, target: str, bounds: dict[str, str | None]
) -> dict[str, object]:
    answer = session.call(
        "backfill",
        target=target,
        since=bounds["since"],
        until=bounds["until"],
        log=settings.log,
        data_dir=str(settings.data_dir.resolve()),
    )
    return {name: answer[name] for name in ("target", "kind", "records", "rows")}


def _wanted(pipeline: Pipeline, target: str | None, *, everything: bool) -> list[str]:
    known = list(targets(pipeline))
    if not known:
        raise ConfigError(
            "PIPELINE", pipeline.name, "one whose records are told apart by a table",
            hint="The files of a pipeline of files are counted anew with `qanat undo` and `qanat requeue`.",
        )  # fmt: skip
    if (target is None) != everything:
        raise ConfigError("TABLE", target, f"one of {', '.join(known)}; or --all instead")
    if target is not None and target not in known:
        raise ConfigError("TABLE", target, f"one of {', '.join(known)}")
    return known if target is None else [target]


def _bound(name: str, text: str | None, now: datetime, *, up: bool) -> str | None:
    """Read a bound, and round it outwards to a full hour."""
    if text is None:
        return None
    moment = moment_of(Parameter(name, ColumnType.TIMESTAMP, ""), text, now)
    hour = timedelta(seconds=HOUR_S)
    rounded = floor(moment, hour)
    if up and rounded != moment:
        rounded += hour
    return rounded.astimezone(UTC).isoformat()


BACKFILL = settings_command(
    "backfill",
    LogSettings,
    backfill,
    help="Rebuild TABLE of PIPELINE (or a stored report) beside the live one, then exchange them; a run goes on meanwhile.",
    pipeline=None,
    extra_params=[
        pipeline_argument(),
        click.Argument(["target"], metavar="[TABLE]", required=False),
        click.Option(
            ["--all", "everything"], is_flag=True, help="Every table, then every stored report."
        ),
        click.Option(
            ["--since"],
            metavar="MOMENT",
            help="Only what happened from here on, by full hours: a time, or a span such as 7d ago.",
        ),
        click.Option(["--until"], metavar="MOMENT", help="Only what happened before."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ],
)
