"""`qanat rollup metering` and `qanat usage metering`."""

import json
import sys
from datetime import UTC, datetime

import click

from qanat.clock import SystemClock
from qanat.errors import ConfigError
from qanat.options import common_options, load_settings
from qanat.pipelines.metering import PIPELINE
from qanat.pipelines.metering.operations import operations
from qanat.pipelines.metering.periods import Granularity
from qanat.pipelines.metering.questions import Answer, Question, usage
from qanat.session import open_session
from qanat.settings import CommonSettings, parse_duration


def _rollup(days_after: str, months_after: str, as_json: bool, **given: object) -> None:
    settings = load_settings(CommonSettings, given, pipeline=PIPELINE.name)
    ages = {
        "days_after_s": _duration("--days-after", days_after),
        "months_after_s": _duration("--months-after", months_after),
    }
    if not any(ages.values()):
        raise ConfigError(
            "--days-after", 0, "given, or --months-after", "For example: --days-after 7d"
        )
    clock = SystemClock()
    with open_session(PIPELINE, settings, clock, operations=operations(clock)) as session:
        answer = session.call("rollup", **ages)
    sys.stdout.write(
        f"{json.dumps(answer)}\n" if as_json else f"{answer['periods']} periods were rolled up\n"
    )


def _usage(
    consumer: int | None,
    granularity: str,
    since: str | None,
    until: str | None,
    snap: bool,
    as_json: bool,
    **given: object,
) -> None:
    settings = load_settings(CommonSettings, given, pipeline=PIPELINE.name)
    question = Question(
        Granularity(granularity),
        consumer,
        _moment("--since", since),
        _moment("--until", until),
        snap,
    )
    with open_session(PIPELINE, settings, SystemClock()) as session:
        sys.stdout.write(_told(usage(session, question), as_json))


def _told(answer: Answer, as_json: bool) -> str:
    rows = [
        {"period_start": _written(row["period_start"]), "amount": int(row["amount"])}
        for row in answer.rows.to_pylist()
    ]
    if as_json:
        asked = answer.question
        bounds = {"since": _written(asked.since), "until": _written(asked.until)}
        return f"{json.dumps({'granularity': str(asked.granularity), **bounds, 'usage': rows})}\n"
    return "".join(f"{row['period_start']}  {row['amount']}\n" for row in rows)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _duration(option: str, text: str) -> float:
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise ConfigError(option, text, "a span of time such as 12h or 7d") from error


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(option, text, "a date or a time such as 2026-11-22T10:00Z") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")

ROLLUP = click.Command(
    "metering",
    help="Roll usage up: hours become days, days become months. Totals stay what they are.",
    callback=_rollup,
    params=[
        click.Option(
            ["--days-after"], default="0", help="Hours older than this become days, such as 7d."
        ),
        click.Option(
            ["--months-after"], default="0", help="Days older than this become months, such as 90d."
        ),
        _JSON,
        *common_options(CommonSettings),
    ],
)

USAGE = click.Command(
    "metering",
    help="Usage over time, of one consumer or of all together.",
    callback=_usage,
    params=[
        click.Option(["--consumer"], type=int, help="Only this consumer."),
        click.Option(
            ["--granularity"],
            type=click.Choice([str(word) for word in Granularity]),
            default="hour",
            show_default=True,
            help="The length of a period.",
        ),
        click.Option(["--since"], help="From this moment on (UTC), such as 2026-11-01."),
        click.Option(["--until"], help="Before this moment (UTC)."),
        click.Option(["--snap"], is_flag=True, help="Widen bounds that cut a kept period."),
        _JSON,
        *common_options(CommonSettings),
    ],
)
