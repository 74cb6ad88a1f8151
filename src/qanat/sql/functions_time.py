"""Functions of moments. All count in UTC, and every one is right before 1970 as well."""

import re

from qanat.sql.functions import MOMENT, TEXT, Argument, Function
from qanat.tables import ColumnType

MICROSECONDS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
"""Units that are equally long everywhere, in UTC."""

_TRUNCATED = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_SPAN = re.compile(r"(?P<count>[1-9][0-9]{0,8}) (?P<unit>[a-z]+?)s?")


def span_us(written: str) -> str:
    """Return a span such as `1 hour` in microseconds."""
    match = _SPAN.fullmatch(written.strip())
    if match is None or match["unit"] not in MICROSECONDS:
        raise ValueError(f"a number and one of {', '.join(MICROSECONDS)}, such as '1 hour'")
    return str(int(match["count"]) * MICROSECONDS[match["unit"]])


def _unit_us(written: str) -> str:
    if written not in MICROSECONDS:
        raise ValueError(f"one of {', '.join(MICROSECONDS)}")
    return str(MICROSECONDS[written])


def truncated_unit(written: str) -> str:
    """Return a unit to which a moment can be cut, quoted."""
    if written not in _TRUNCATED:
        raise ValueError(f"one of {', '.join(_TRUNCATED)}")
    return f"'{written}'"


_MOMENT = Argument("moment", MOMENT)

# The form that both engines read alike: Spark takes no offset beyond 18 hours, and no second 60.
_ISO = (
    "[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "([.][0-9]{{1,6}})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])"
)

TIME = (
    Function(
        "tumble",
        "The beginning of the window in which the moment lies. The windows have no gaps and are aligned to 1970-01-01T00:00:00Z "
        "(so weeks begin on Thursdays; for calendar weeks there is `truncate_time`). The beginning belongs to a window, its end "
        "doesn't.",
        "tumble(created_at, '6 hours')",
        (_MOMENT, Argument("'span'", TEXT, span_us)),
        ColumnType.TIMESTAMP,
        "make_timestamptz(epoch_us({0}) - ((epoch_us({0}) % {1}) + {1}) % {1})",
        "timestamp_micros(unix_micros({0}) - pmod(unix_micros({0}), {1}L))",
    ),
    Function(
        "truncate_time",
        "The beginning of the calendar unit, in UTC, in which the moment lies. A week begins on Monday.",
        "truncate_time('month', created_at)",
        (Argument("'unit'", TEXT, truncated_unit), _MOMENT),
        ColumnType.TIMESTAMP,
        "date_trunc({0}, {1})",
        "date_trunc({0}, {1})",
    ),
    Function(
        "time_difference",
        "How many whole units lie between the first moment and the second, rounded down: -1 for half a unit backwards.",
        "time_difference('hour', revised_at, created_at)",
        (Argument("'unit'", TEXT, _unit_us), Argument("start", MOMENT), Argument("end", MOMENT)),
        ColumnType.INT64,
        "((epoch_us({2}) - epoch_us({1})) - (((epoch_us({2}) - epoch_us({1})) % {0}) + {0}) % {0}) // {0}",
        "((unix_micros({2}) - unix_micros({1})) - pmod(unix_micros({2}) - unix_micros({1}), {0}L)) div {0}L",
    ),
    Function(
        "day_of_week",
        "The day of the week in UTC: 1 for Monday to 7 for Sunday (ISO 8601).",
        "day_of_week(created_at)",
        (_MOMENT,),
        ColumnType.INT64,
        "cast(isodow({0}) as bigint)",
        "cast(weekday({0}) + 1 as bigint)",
    ),
    Function(
        "parse_time",
        "The moment that a text in the form of RFC 3339 names, such as `2026-07-01T12:00:00.5+02:00`: with offset, to the "
        "microsecond, the offset less than 18 hours. Null for any other text, and for a day that isn't there.",
        "parse_time(domain)",
        (Argument("text", TEXT),),
        ColumnType.TIMESTAMP,
        f"case when regexp_full_match({{0}}, '{_ISO}') then try_cast({{0}} as timestamptz) end",
        f"case when {{0}} rlike '^{_ISO}\\\\z' then try_cast({{0}} as timestamp) end",
        nullable=True,
    ),
)
"""In the order of the documentation."""

_KNOWN_UNITS = ", ".join(f"'{unit}'" for unit in _TRUNCATED)

PLAIN_TIME = (
    Function(
        "date_trunc",
        "As `truncate_time`, of a unit that isn't known before: a column or a parameter. An error for any other unit.",
        "date_trunc('hour', created_at)",
        (Argument("unit", TEXT), _MOMENT),
        ColumnType.TIMESTAMP,
        "date_trunc({0}, {1})",
        f"case when {{0}} is null or {{0}} in ({_KNOWN_UNITS}) then date_trunc({{0}}, {{1}})"
        " else cast(raise_error('no such unit') as timestamp) end",
        canonical=False,
    ),
)
"""Those of the language."""
