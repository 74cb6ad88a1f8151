"""When an alarm rings."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.alarms import (
    DEFAULT,
    FIRST_RUN,
    Alarm,
    Backlog,
    Readings,
    Thresholds,
    judged,
    remember,
    remembered,
    span,
    texts_of,
)
from qanat.runtime.commit import Committer
from qanat.runtime.registry import FILES
from qanat.tables import DEAD_LETTERS, Append, arrow_schema
from qanat.telemetry import READINGS, READINGS_BY_ALARM, Telemetry
from qanat.testing import FakeClock
from tests.unit.reports.metered import NOW, at, file_row, store_at

STORES = ["memory:", "duckdb:", pytest.param("postgres", marks=pytest.mark.postgres)]
OFF = Thresholds(silence_s=0, failed=0, dead_share=0, lag_bytes=0, lag_age_s=0)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_fresh") if postgres else request.param
    with store_at(url, tmp_path) as opened:
        yield opened


def enter(store: Store, *files: dict[str, object], letters: int = 0, state: str = "open") -> None:
    rejected = [
        {
            "id": f"count:{number}", "stage": "count", "origin": "1.txt", "origin_id": 1, "line": 1,
            "byte_offset": number, "reason": "malformed", "length": 1, "raw": b"x",
            "rejected_at": at("2026-11-22T12:00"), "state": state,
        }
        for number in range(letters)
    ]  # fmt: skip
    with store.begin("count", uuid4()) as transaction:
        for table, rows in ((FILES, list(files)), (DEAD_LETTERS, rejected)):
            given = pa.Table.from_pylist(rows, schema=arrow_schema(table))
            transaction.write(table, given, Append())
        transaction.commit()


def read(
    store: Store,
    thresholds: Thresholds = DEFAULT,
    backlog: Backlog | None = None,
    **watched: str,
) -> Readings:
    with store.snapshot() as reader:
        return judged(reader, {**texts_of(thresholds), **watched}, backlog, NOW)


def ringing(readings: Readings) -> list[Alarm]:
    return [reading.alarm for reading in readings.ringing]


def value(readings: Readings, alarm: Alarm) -> float | None:
    (found,) = (reading.value for reading in readings.alarms if reading.alarm is alarm)
    return found


def test_nothing_rings_at_first(store: Store) -> None:
    """An empty store is quiet, and so is one in which all is well."""
    assert [] == ringing(read(store))
    enter(store, file_row(1, "2026-11-22T12:00", "counted", lines_bad=0))
    assert [] == ringing(read(store))


def test_silence(store: Store) -> None:
    """It rings when the last file, counted or not yet registered, came too long ago."""
    enter(store, file_row(1, "2026-11-21T12:00", "counted", lines_bad=0))
    assert [Alarm.SILENCE] == ringing(read(store))
    assert 24.5 * 3600 == value(read(store), Alarm.SILENCE)
    assert [] == ringing(read(store, replace(DEFAULT, silence_s=25 * 3600)))
    fresh = Backlog(1, 5, NOW - timedelta(minutes=1), NOW - timedelta(minutes=1))
    assert 60 == value(read(store, backlog=fresh), Alarm.SILENCE)


def test_silence_before_the_first_file(store: Store) -> None:
    """Where no file ever came, it rings by the time of the first run; without a run never."""
    assert value(read(store), Alarm.SILENCE) is None
    before = {FIRST_RUN: (NOW - timedelta(hours=25)).isoformat()}
    assert [Alarm.SILENCE] == ringing(read(store, DEFAULT, None, **before))


@pytest.mark.parametrize("state", ["failed", "held"])
def test_failed(store: Store, state: str) -> None:
    """It rings from so many files on, while they are recent and as they are."""
    enter(store, file_row(1, "2026-11-22T12:00", state), file_row(2, "2026-11-20T12:00", state))
    assert [Alarm.FAILED] == ringing(read(store))
    assert [] == ringing(read(store, replace(DEFAULT, failed=2)))
    assert [Alarm.FAILED] == ringing(read(store, replace(DEFAULT, failed=2, window_s=3 * 86_400)))


def test_dead_share(store: Store) -> None:
    """It rings above the share, for letters that are still open."""
    lines = {"lines_good": 96, "lines_bad": 4}
    enter(store, file_row(1, "2026-11-22T12:00", "counted", **lines), letters=4)
    assert 0.04 == value(read(store), Alarm.DEAD_SHARE)
    assert [Alarm.DEAD_SHARE] == ringing(read(store))
    assert [] == ringing(read(store, replace(DEFAULT, dead_share=0.04)))


def test_letters_that_were_dealt_with(store: Store) -> None:
    """A letter that was replayed or dropped isn't counted."""
    enter(store, file_row(1, "2026-11-22T12:00", "counted"), letters=4, state="replayed")
    assert [] == ringing(read(store))


def test_lag(store: Store) -> None:
    """What is registered and what lies in the folder waits together."""
    enter(store, file_row(1, "2026-11-22T12:00", "registered"))
    backlog = Backlog(2, 900, NOW - timedelta(hours=2), NOW)
    readings = read(store, replace(DEFAULT, lag_bytes=999), backlog)
    assert [Alarm.LAG_BYTES, Alarm.LAG_AGE] == ringing(readings)
    assert (3, 1000, 7200) == (
        readings.lag_files,
        value(readings, Alarm.LAG_BYTES),
        value(readings, Alarm.LAG_AGE),
    )
    assert readings.folder_seen
    unseen = read(store)
    assert (1, False, []) == (unseen.lag_files, unseen.folder_seen, ringing(unseen))


def test_off(store: Store) -> None:
    """0 switches each of them off."""
    enter(
        store,
        file_row(1, "2026-11-01T12:00", "failed"),
        file_row(2, "2026-11-01T12:00", "registered"),
        letters=5,
    )
    assert [] == ringing(read(store, OFF))


def test_remembers_what_the_last_run_was_told(store: Store) -> None:
    """A run notes its thresholds, commits only what changed, and the first one stays the first."""
    clock, telemetry = FakeClock(NOW), Telemetry()
    committer = Committer(store, PIPELINE.name, "count", clock, telemetry)
    remember(committer, {"pattern": "*", **texts_of(DEFAULT)})
    commits = list(telemetry.values())
    clock.advance(3600)
    remember(committer, {"pattern": "*", **texts_of(DEFAULT)})
    assert commits == list(telemetry.values())
    remember(committer, texts_of(replace(DEFAULT, failed=7)))
    with store.snapshot() as reader:
        noted = remembered(reader)
        readings = judged(reader, noted, None, NOW)
    assert (NOW.isoformat(), "*") == (noted[FIRST_RUN], noted["pattern"])
    assert [7] == [each.threshold for each in readings.alarms if each.alarm is Alarm.FAILED]


def test_each_alarm_has_its_metric() -> None:
    """What is declared for metrics is what there is."""
    assert {str(alarm) for alarm in Alarm} == set(READINGS_BY_ALARM)
    assert set(READINGS_BY_ALARM.values()) <= set(READINGS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0 s", 0.4), ("59 s", 59.9), ("1 min", 60), ("1 min 1 s", 61), ("1 d", 86_400),
     ("1 d 1 h", 90_000 + 59), ("3 h", 3 * 3600 + 5), ("25 d 3 h", 25 * 86_400 + 3 * 3600 + 60)],
)  # fmt: skip
def test_span(text: str, seconds: float) -> None:
    """A span is told in its two largest units."""
    assert text == span(seconds)
