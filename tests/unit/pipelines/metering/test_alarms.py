"""What waits in the folder of `metering`."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.interfaces import Store
from qanat.pipelines.metering import INPUTS, PIPELINE
from qanat.pipelines.metering.alarms import NAMES_MAX, PATTERN, readings, watched
from qanat.pipelines.metering.settings import RunSettings
from qanat.runtime.alarms import DEFAULT, Alarm, Readings, remember, texts_of
from qanat.runtime.commit import Committer
from qanat.runtime.registry import FILES
from qanat.settings import Duration, Place
from qanat.sources.files import Folder, FolderOptions
from qanat.tables import Append, arrow_schema
from qanat.telemetry import Telemetry
from qanat.testing import FakeClock
from tests.unit.reports.metered import file_row, store_at

# The folder's files have the system's times; by then they lie there for some years.
NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> Iterator[Store]:
    with store_at("memory:", tmp_path) as opened:
        row = pa.Table.from_pylist(
            [{"stage": "count", "location": str(folder)}], schema=arrow_schema(INPUTS)
        )
        with opened.begin("count", uuid4()) as transaction:
            transaction.write(INPUTS, row, Append())
            transaction.commit()
        yield opened


def look(store: Store) -> Readings:
    with store.snapshot() as reader:
        return readings(reader, NOW)


def lag_bytes(found: Readings) -> float | None:
    (value,) = (each.value for each in found.alarms if each.alarm is Alarm.LAG_BYTES)
    return value


def test_what_is_not_registered_waits(store: Store, folder: Path) -> None:
    """Files wait from when they come; names of unfinished ones, folders and side files don't count."""
    (folder / "a.txt").write_bytes(b"7 5\n")
    (folder / ".b.txt").write_bytes(b"7 5\n")
    (folder / "a.txt.meta.json").write_bytes(b"{}")
    (folder / "done").mkdir()
    found = look(store)
    assert (1, 4, True) == (found.lag_files, lag_bytes(found), found.folder_seen)
    assert Alarm.LAG_AGE in [each.alarm for each in found.ringing]


def test_an_old_time_of_writing_is_no_age(store: Store, folder: Path) -> None:
    """A file that was written long ago and has just come waits since it came."""
    path = folder / "a.txt"
    path.write_bytes(b"7 5\n")
    os.utime(path, (0, 0))
    (age_s,) = (each.value for each in look(store).alarms if each.alarm is Alarm.LAG_AGE)
    assert age_s is not None
    assert age_s < (NOW - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()


def test_what_is_kept_does_not_wait(store: Store, folder: Path) -> None:
    """Counted and held files that stay in the folder aren't waiting, however many there are."""
    many = NAMES_MAX + 1
    for number in range(many):
        (folder / f"{number}.txt").write_bytes(b"7 5\n")
    kept = Folder(FolderOptions(folder), FakeClock())
    stats = kept.scan()
    kept.close()
    rows = [
        file_row(i, "2026-11-22T12:00", "held" if i % 2 else "counted", **stat._asdict())
        for i, stat in enumerate(stats, 1)
    ]
    with store.begin("count", uuid4()) as transaction:
        transaction.write(FILES, pa.Table.from_pylist(rows, schema=arrow_schema(FILES)), Append())
        transaction.commit()
    assert 0 == look(store).lag_files
    (folder / "0.txt").write_bytes(b"7 5\n7 6\n")
    assert (1, 8) == (look(store).lag_files, lag_bytes(look(store)))


def test_pattern(store: Store, folder: Path) -> None:
    """Only what the last run takes waits."""
    (folder / "a.txt").write_bytes(b"7 5\n")
    (folder / "b.csv").write_bytes(b"7 5 6\n")
    committer = Committer(store, PIPELINE.name, "count", FakeClock(), Telemetry())
    remember(committer, {PATTERN: "*.txt"})
    assert 1 == look(store).lag_files


def test_folder_that_cannot_be_seen(store: Store, folder: Path) -> None:
    """Elsewhere, or unmounted: that is said, and the rest is told."""
    folder.rmdir()
    assert (0, False) == (look(store).lag_files, look(store).folder_seen)


def test_settings_become_thresholds(tmp_path: Path) -> None:
    """What a run is told is what it notes; without a word the defaults."""
    noted = watched(RunSettings(input=Place(str(tmp_path))))
    assert {PATTERN: "*", **texts_of(DEFAULT)} == noted
    told = watched(
        RunSettings(input=Place(str(tmp_path)), alarm_silence=Duration(60), alarm_failed=0)
    )
    assert ("60.0", "0") == (told["silence_s"], told["failed"])
