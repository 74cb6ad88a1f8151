"""Where settings come from, and what is said when one can't be used."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import pytest

from qanat.errors import ConfigError
from qanat.settings import Duration, Size, fields, load, parse_duration, parse_size


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    whole_table: ClassVar[bool] = True
    place: Annotated[Path, msgspec.Meta(description="Where.")]
    count: Annotated[int, msgspec.Meta(description="How many.", ge=1)] = 5
    colour: Annotated[Colour, msgspec.Meta(description="Which.")] = Colour.RED
    size: Annotated[Size, msgspec.Meta(description="How large.")] = Size(7)
    age: Annotated[Duration, msgspec.Meta(description="How old.")] = Duration(1)
    flag: Annotated[bool, msgspec.Meta(description="Whether.")] = False


def test_precedence(tmp_path: Path) -> None:
    """Options win over the environment, that over the pipeline's table, that over the file's top, that over defaults."""
    (tmp_path / "qanat.toml").write_text(
        'count = 2\nsize = "1KiB"\nflag = true\n[numbers]\ncount = 3\ncolour = "blue"\n'
    )
    environment = {"QANAT_COUNT": "4", "QANAT_AGE": "2h"}
    given: dict[str, object] = {"place": "x", "count": None}
    loaded = load(Declared, given, pipeline="numbers", directory=tmp_path, environment=environment)
    assert (
        Declared(
            place=Path("x"),
            count=4,
            colour=Colour.BLUE,
            size=Size(1024),
            age=Duration(7200),
            flag=True,
        )
        == loaded
    )
    given["count"] = 6
    assert 6 == load(Declared, given, directory=tmp_path, environment=environment).count


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("--count is '0'; it has to be a whole number of at least 1", {"count": "0"}),
        ("--count is 'x'; it has to be a whole number", {"count": "x"}),
        ("--size is '3 XB'; .* out of B, kB, MB, GB, KiB, MiB, GiB", {"size": "3 XB"}),
        ("one of red, blue", {"colour": "green"}),
        ("--size is '3 apples'", {"size": "3 apples"}),
        ("--age is 'x'", {"age": "x"}),
        ("--flag is 'perhaps'", {"flag": "perhaps"}),
    ],
)
def test_unusable(message: str, given: dict[str, object], tmp_path: Path) -> None:
    """An unusable value is named, with the valid ones."""
    with pytest.raises(ConfigError, match=message):
        load(Declared, {"place": "x", **given}, directory=tmp_path, environment={})


def test_required(tmp_path: Path) -> None:
    """A setting without a default has to be given."""
    with pytest.raises(ConfigError, match="--place"):
        load(Declared, {}, directory=tmp_path, environment={})


def test_unknown_in_file(tmp_path: Path) -> None:
    """A misspelt setting in the pipeline's table is refused, with the known ones."""
    (tmp_path / "qanat.toml").write_text("[numbers]\ncuont = 3\n")
    with pytest.raises(ConfigError, match="cuont"):
        load(Declared, {"place": "x"}, pipeline="numbers", directory=tmp_path, environment={})


class Part(msgspec.Struct, frozen=True, kw_only=True):
    count: Annotated[int, msgspec.Meta(description="How many.")] = 5


def test_others_in_file(tmp_path: Path) -> None:
    """A command that knows some of the table's settings takes these and leaves the others to those that know them."""
    (tmp_path / "qanat.toml").write_text('[numbers]\ncount = 3\ncolour = "blue"\n')
    assert 3 == load(Part, {}, pipeline="numbers", directory=tmp_path, environment={}).count


def test_broken_file(tmp_path: Path) -> None:
    """A file that isn't TOML is refused with the place."""
    (tmp_path / "qanat.toml").write_text("count = \n")
    with pytest.raises(ConfigError, match="line 1"):
        load(Declared, {"place": "x"}, directory=tmp_path, environment={})


def test_fields() -> None:
    """The declaration tells names, options, variables and choices."""
    by_name = {field.name: field for field in fields(Declared)}
    assert by_name["place"].required
    assert ("--colour", "QANAT_COLOUR", ("red", "blue")) == (
        by_name["colour"].option,
        by_name["colour"].variable,
        by_name["colour"].choices,
    )


def test_units() -> None:
    """Sizes and durations are read with their units."""
    assert [5, 64_000_000, 1 << 30] == [parse_size(text) for text in ("5", "64MB", "1 GiB")]
    assert [0.5, 90.0, 604800.0] == [parse_duration(text) for text in ("500ms", "1.5m", "7d")]
