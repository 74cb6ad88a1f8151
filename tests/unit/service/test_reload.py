"""Settings that are read again: taken over, left for the next start, or refused as a whole."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qanat.pipelines.metering.live import RELOADABLE
from qanat.pipelines.metering.settings import RunSettings
from qanat.service.notify import Notifier
from qanat.service.reload import Reloading
from qanat.settings import fields, load
from qanat.telemetry import LOGGER, log_to


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Path]:
    """What is logged meanwhile."""
    handlers, level = list(LOGGER.handlers), LOGGER.level
    place = tmp_path / "log"
    with place.open("w") as stream:
        log_to(stream, as_json=True, level="info")
        yield place
    LOGGER.handlers[:] = handlers
    LOGGER.setLevel(level)


class Reader:
    """Settings out of a file, and what became of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.applied: list[RunSettings] = []
        self.reloading = Reloading(
            self.read(), self.read, self.applied.append, RELOADABLE, Notifier("", 0.0)
        )

    def read(self) -> RunSettings:
        given = {"input": "in", "max_keys": "5000"}
        return load(RunSettings, given, pipeline="metering", directory=self.place, environment={})

    def reload(self, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (self.place / "qanat.toml").write_bytes(data)
        self.reloading.reload()


def events(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in place.read_text().splitlines()]


def test_each_change_goes_its_way(tmp_path: Path, logged: Path) -> None:
    """Reloadable ones are applied; others are named; what the command line says isn't changed by the file."""
    reader = Reader(tmp_path)
    reader.reload('rate-limit = "5MB"\npattern = "*.txt"\nmax-keys = 9000\n')
    (applied,) = reader.applied
    assert (5_000_000, "*", 5000) == (applied.rate_limit, applied.pattern, applied.max_keys)
    told = [(event["event"], event.get("changed", event.get("names"))) for event in events(logged)]
    assert [("settings.reloaded", "rate_limit"), ("settings.need_restart", "pattern")] == told


def test_the_next_reload_starts_from_the_last(tmp_path: Path, logged: Path) -> None:
    """What was taken over once isn't a change again; what went away is."""
    reader = Reader(tmp_path)
    reader.reload('rate-limit = "5MB"\n')
    reader.reload('rate-limit = "5MB"\n')
    reader.reload("")
    assert [5_000_000, 0] == [settings.rate_limit for settings in reader.applied]
    assert ["rate_limit", "nothing", "rate_limit"] == [e["changed"] for e in events(logged)]


@pytest.mark.parametrize(
    "content",
    [
        'rate-limit = "geheim"',
        "rate-limit = [1]",
        'log-level = "loud"\nrate-limit = "1MB"',
        "this isn't TOML",
        b"pattern = '\xff'",
        "input = 5\nlog-level = 7",
        'rate-limit = "1MB"\n[metering]\nrate-limits = "1MB"',
    ],
)
def test_a_mistake_changes_nothing(tmp_path: Path, logged: Path, content: str | bytes) -> None:
    """Wherever it is, and is told without its value."""
    reader = Reader(tmp_path)
    before = reader.reloading.settings
    reader.reload(content)
    assert [] == reader.applied
    assert before is reader.reloading.settings
    assert ["settings.refused"] == [event["event"] for event in events(logged)]
    assert "geheim" not in str(events(logged)[0]["reason"])


def test_a_file_that_cannot_be_read(tmp_path: Path, logged: Path) -> None:
    """A folder that is looked into and refuses is a mistake like any other."""
    reader = Reader(tmp_path)
    reader.reloading.read = _refusing
    reader.reloading.reload()
    assert "qanat.toml can't be read (Permission denied)" == events(logged)[0]["reason"]


def _refusing() -> RunSettings:
    raise PermissionError(13, "Permission denied")


def test_reloadable_ones_are_settings() -> None:
    """A name that isn't one would never be found to have changed."""
    assert set(RELOADABLE) <= {field.name for field in fields(RunSettings)}
    assert issubclass(RunSettings, msgspec.Struct)
