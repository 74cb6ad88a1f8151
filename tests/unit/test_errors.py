"""Errors: what they say, and what the command ends with."""

import pickle

import pytest

from qanat import errors
from qanat.errors import (
    Busy,
    CommitUnknown,
    ConfigError,
    Fatal,
    Fenced,
    MissingExtra,
    QanatError,
    Refused,
    Retryable,
    SourceLost,
    TooLarge,
)

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, QanatError)
]


@pytest.mark.parametrize("kind", [Fatal, Fenced, CommitUnknown, TooLarge, Busy, SourceLost])
def test_default_message(kind: type[QanatError]) -> None:
    """Without a message an error says what its kind is about, in one line."""
    error = kind()
    assert error.message == str(error) == (kind.__doc__ or "").splitlines()[0]
    assert "\n" not in str(error)


def test_hint_has_its_own_line() -> None:
    """The hint follows the message; the message alone is there too."""
    error = Fatal("it broke", hint="Mend it.")
    assert "it broke\nMend it." == str(error)
    assert ("it broke", "Mend it.") == (error.message, error.hint)


def test_config_error_names_everything() -> None:
    """The setting, the value that was given and the valid ones are in the message and as fields."""
    error = ConfigError("--on-bad", "ignore", "quarantine or fail", hint="See the manual.")
    assert "--on-bad is 'ignore'; it has to be quarantine or fail.\nSee the manual." == str(error)
    assert ("--on-bad", "ignore", "quarantine or fail") == (error.setting, error.got, error.valid)


def test_missing_extra_names_the_command() -> None:
    """What to install is spelt out."""
    assert "pip install 'qanat[postgres]'" in str(MissingExtra("psycopg", "postgres"))


def test_refused_lists_all_reasons() -> None:
    """Every reason has a line of its own."""
    error = Refused(["first", "second"])
    assert ("first", "second") == error.reasons
    assert ["- first", "- second"] == str(error).splitlines()[1:]


def test_retryable_says_when() -> None:
    """The wait before the next try is part of the error."""
    assert 0.2 == Retryable("later").after_s
    assert 5.0 == Retryable("later", after_s=5.0).after_s


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(kind, 2 if kind in {ConfigError, MissingExtra, Refused} else 1) for kind in ALL],
)
def test_exit_codes(kind: type[QanatError], expected: int) -> None:
    """Wrong use ends with 2, anything else with 1."""
    assert expected == kind.exit_code


@pytest.mark.parametrize("kind", [Busy, SourceLost])
def test_what_stops_a_stage(kind: type[QanatError]) -> None:
    """Errors that no repeat can mend are Fatal; those that a repeat mends aren't."""
    assert issubclass(kind, Fatal)
    assert not any(issubclass(kind, Fatal) for kind in (Retryable, Fenced, CommitUnknown, TooLarge))


@pytest.mark.parametrize("error", [Fatal("it broke"), Fenced(), Busy("held")])
def test_survives_another_process(error: QanatError) -> None:
    """An error that a worker process raised arrives with its message."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error)) == (type(again), str(again))
