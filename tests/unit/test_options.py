"""A command's options come from the declaration of its settings alone."""

import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from qanat import telemetry
from qanat.errors import ConfigError
from qanat.options import common_options, settings_command
from qanat.settings import CommonSettings, Duration, Size


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Settings(CommonSettings, frozen=True, kw_only=True):
    """One setting of each kind."""

    input: Annotated[Path, msgspec.Meta(description="A folder.")]
    colour: Annotated[Colour, msgspec.Meta(description="A word.")] = Colour.RED
    big_size: Annotated[Size, msgspec.Meta(description="Bytes.")] = Size(3 << 30)
    rest: Annotated[Duration, msgspec.Meta(description="Seconds.")] = Duration(5400)
    once: Annotated[bool, msgspec.Meta(description="A flag.")] = False
    count: Annotated[int, msgspec.Meta(description="A number.", ge=1)] = 5
    share: Annotated[float, msgspec.Meta(description="A part.")] = 0.5
    maybe: Annotated[Path | None, msgspec.Meta(description="Perhaps a file.")] = None


class Ran:
    """What the command was called with."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.beside: dict[str, object] = {}
        self.code = 0

    def __call__(self, settings: Settings, **beside: object) -> int:
        self.settings.append(settings)
        self.beside = beside
        return self.code


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    handlers, level = list(telemetry.LOGGER.handlers), telemetry.LOGGER.level
    yield
    telemetry.LOGGER.handlers[:] = handlers
    telemetry.LOGGER.setLevel(level)


def invoke(ran: Ran, *arguments: str, pipeline: str | None = None, named: bool = False) -> Result:
    extra = [click.Argument(["pipeline"])] if named else []
    command = settings_command(
        "try", Settings, ran, help="Try it.", pipeline=pipeline, extra_params=extra
    )
    return CliRunner().invoke(command, arguments)


def test_what_is_given_arrives_with_its_type(ran: Ran) -> None:
    """Each kind of setting is read from its option."""
    result = invoke(
        ran,
        *("--input", "in", "--colour", "green", "--big-size", "2MiB", "--rest", "2h"),
        *("--once", "--count", "7", "--share", "0.25", "--maybe", "m.csv"),
    )
    assert result.exit_code == 0
    [settings] = ran.settings
    assert settings == Settings(
        input=Path("in"),
        colour=Colour.GREEN,
        big_size=Size(2 << 20),
        rest=Duration(7200.0),
        once=True,
        count=7,
        share=0.25,
        maybe=Path("m.csv"),
    )


def test_an_option_wins_over_the_environment(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't given on the command line comes from the variable; a flag can be taken back."""
    for name, value in (("ONCE", "true"), ("COUNT", "9"), ("INPUT", "elsewhere")):
        monkeypatch.setenv(f"QANAT_{name}", value)
    invoke(ran)
    invoke(ran, "--no-once", "--count", "7", "--input", "in")
    first, second = ran.settings
    assert (first.once, first.count, first.input) == (True, 9, Path("elsewhere"))
    assert (second.once, second.count, second.input) == (False, 7, Path("in"))


@pytest.mark.parametrize(("pipeline", "named"), [("mine", False), (None, True)])
def test_the_pipelines_own_table_applies(
    ran: Ran, tmp_path: Path, pipeline: str | None, named: bool
) -> None:
    """Of the command's pipeline, or of the one that its argument names."""
    (tmp_path / "qanat.toml").write_text("[mine]\ncount = 8\n")
    result = invoke(
        ran, "--input", "in", *(["mine"] if named else []), pipeline=pipeline, named=named
    )
    assert result.exit_code == 0, result.output
    assert [8] == [settings.count for settings in ran.settings]
    assert ran.beside == ({"pipeline": "mine"} if named else {})


def test_the_exit_code_is_the_functions(ran: Ran) -> None:
    """What the function returns is what the command ends with."""
    ran.code = 1
    assert invoke(ran, "--input", "in").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--input is None"),
        (["--input", "in", "--count", "0"], "--count is '0'"),
        (["--input", "in", "--big-size", "much"], "--big-size is 'much'"),
    ],
)
def test_a_value_that_cannot_be_used(ran: Ran, arguments: list[str], message: str) -> None:
    """It is refused with the option's name, before the function runs."""
    result = invoke(ran, *arguments)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
    assert ran.settings == []


def test_help_tells_defaults_choices_and_variables(ran: Ran) -> None:
    """From the one declaration."""
    told = " ".join(invoke(ran, "--help").output.split())
    for expected in (
        "Try it.",
        "--input PATH A folder. [required; QANAT_INPUT]",
        "--colour [red|green] A word. [default: red; QANAT_COLOUR]",
        "--big-size SIZE Bytes. [default: 3GiB; QANAT_BIG_SIZE]",
        "--rest DURATION Seconds. [default: 90m; QANAT_REST]",
        "--once / --no-once A flag. [QANAT_ONCE]",
        "--count INTEGER A number. [default: 5; QANAT_COUNT]",
        "--maybe PATH Perhaps a file. [QANAT_MAYBE]",
    ):
        assert expected in told


def test_logging_begins_as_it_was_asked_for(ran: Ran) -> None:
    """`--log-level` and `--log-format` are applied before the function runs."""
    invoke(ran, "--input", "in", "--log-level", "error")
    assert telemetry.LOGGER.level == logging.ERROR


def test_settings_and_extra_parameters_must_not_clash(ran: Ran) -> None:
    """One name for two things is found when the command is made."""
    with pytest.raises(ValueError, match="count"):
        settings_command(
            "try",
            Settings,
            ran,
            help="",
            pipeline=None,
            extra_params=[click.Option(["--count"])],
        )


def test_options_have_no_defaults() -> None:
    """So that what isn't given can come from elsewhere."""
    assert {None} == {
        option.get_default(click.Context(click.Command("x"))) for option in common_options(Settings)
    }
