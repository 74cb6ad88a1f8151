"""The parameters of a report or a look-up, out of what a user wrote."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.pipeline import Lookup, Parameter, Report
from qanat.settings import parse_duration
from qanat.tables import ColumnType

# What every store's 64-bit integer holds.
SMALLEST, LARGEST = -(2**63), 2**63 - 1

_A_MOMENT = "a date or a time such as 2026-11-22T10:00Z, or a span such as 7d, which is so long ago"


def values_of(
    report: Report | Lookup, given: Mapping[str, str], now: datetime
) -> dict[str, Scalar]:
    """Return the value of each parameter: as given, or its default.

    Args:
        report: Whose parameters.
        given: Texts by name.
        now: From when a span reaches back.

    Raises:
        ConfigError: A name isn't one of its parameters', or a text can't be read.
    """
    check_names(report.parameters, given)
    return {
        each.name: _value(each, given.get(each.name, each.default), now)
        for each in report.parameters
    }


def check_names(parameters: Sequence[Parameter], given: Iterable[str]) -> None:
    """Refuse names that aren't among the parameters'.

    Raises:
        ConfigError: One isn't.
    """
    known = [parameter.name for parameter in parameters]
    for name in given:
        if name not in known:
            told = ", ".join(known) or "nothing: it has no parameters"
            raise ConfigError("--set", name, f"one of {told}")


def _value(parameter: Parameter, text: str, now: datetime) -> Scalar:
    if not text:
        return None
    if parameter.choices and text not in parameter.choices:
        raise _wrong(parameter, text, f"one of {', '.join(parameter.choices)}")
    if parameter.type is ColumnType.INT64:
        return _integer(parameter, text)
    if parameter.type is ColumnType.TIMESTAMP:
        return moment_of(parameter, text, now)
    return text


def _integer(parameter: Parameter, text: str) -> int:
    smallest = SMALLEST if parameter.smallest is None else parameter.smallest
    largest = LARGEST if parameter.largest is None else parameter.largest
    try:
        value = int(text)
    except ValueError:
        value = smallest - 1
    if not smallest <= value <= largest:
        raise _wrong(parameter, text, f"a whole number from {smallest} to {largest}")
    return value


def moment_of(parameter: Parameter, text: str, now: datetime) -> datetime:
    """Read a moment, or a span that reaches back from `now`.

    Raises:
        ConfigError: It is neither.
    """
    try:
        return _read(text, now)
    except (ValueError, OverflowError) as error:
        raise _wrong(parameter, text, _A_MOMENT) from error


def _read(text: str, now: datetime) -> datetime:
    try:
        ago_s = parse_duration(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return now - timedelta(seconds=ago_s)


def _wrong(parameter: Parameter, text: str, valid: str) -> ConfigError:
    return ConfigError(f"--set {parameter.name}", text, valid, hint=parameter.about)
