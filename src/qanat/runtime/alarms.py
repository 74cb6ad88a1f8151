"""Alarms: what somebody should be told of, judged in this one place from the tables and the folder.

A run notes in the table `watch` what it was told to watch for, so that `status`, the service and its
metrics judge alike, in whichever process, with and without a run.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.resources import files as resources
from typing import Any

from qanat.runtime.commit import Committer
from qanat.runtime.registry import WATCH, Queries
from qanat.tables import Upsert, arrow_schema

# The name under which the time of the first run is kept: silence is told from there until a file comes.
FIRST_RUN = "first_run_at"
_NAME = "run"


class Alarm(StrEnum):
    """What may ring."""

    SILENCE = "silence"  # no file came
    FAILED = "failed"  # files failed, or are held
    DEAD_SHARE = "dead_share"  # many lines are dead letters
    LAG_BYTES = "lag_bytes"  # much waits
    LAG_AGE = "lag_age"  # something waits for long


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Beyond what an alarm rings; 0 for never.

    Attributes:
        silence_s: Since the last file came.
        failed: So many files, or more, failed or are held in the window.
        dead_share: Of the lines in the window, those that are open dead letters.
        lag_bytes: What waits. Off by default: what is much depends on the machine; what is long doesn't.
        lag_age_s: Since the oldest of what waits came.
        window_s: How far back failed files and dead letters count.
    """

    silence_s: float = 86_400.0
    failed: int = 1
    dead_share: float = 0.01
    lag_bytes: int = 0
    lag_age_s: float = 3_600.0
    window_s: float = 86_400.0


DEFAULT = Thresholds()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lies in the folder and isn't registered."""

    files: int = 0
    size_bytes: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How far one alarm is.

    Attributes:
        value: In seconds, files, a share, or bytes; None while there is nothing to go by.
        threshold: 0 where the alarm is switched off.
        text: The same for people.
    """

    alarm: Alarm
    value: float | None
    threshold: float
    text: str

    @property
    def rings(self) -> bool:
        """Whether somebody should be told."""
        if self.value is None or not self.threshold:
            return False
        if self.alarm is Alarm.FAILED:
            return self.value >= self.threshold
        return self.value > self.threshold


@dataclass(frozen=True, slots=True)
class Readings:
    """How far all alarms are at one moment.

    Attributes:
        lag_files: Files that wait.
        folder_seen: Whether the folder could be listed here; otherwise only registered files are known to wait.
    """

    alarms: tuple[Reading, ...]
    lag_files: int
    folder_seen: bool

    @property
    def ringing(self) -> tuple[Reading, ...]:
        """Those of which somebody should be told."""
        return tuple(reading for reading in self.alarms if reading.rings)


def remember(committer: Committer, watched: Mapping[str, str]) -> None:
    """Note what a run was told to watch for; commits only when something changed."""
    import pyarrow as pa

    with committer.store.snapshot() as reader:
        before = remembered(reader)
    first = {} if FIRST_RUN in before else {FIRST_RUN: committer.clock.now().isoformat()}
    noted = {**before, **watched, **first}
    if noted != before:
        # One row: rows that have to be sorted by a text load `pyarrow.compute`, 40 ms.
        row = {"name": _NAME, "value": json.dumps(noted)}
        table = pa.Table.from_pylist([row], schema=arrow_schema(WATCH))
        committer.commit(lambda transaction: transaction.write(WATCH, table, Upsert(WATCH.key)))


def remembered(asked: Queries) -> dict[str, str]:
    """Return what the last run noted."""
    rows = asked.query("select value from watch where name = $name", {"name": _NAME}).to_pylist()
    noted: dict[str, str] = json.loads(rows[0]["value"]) if rows else {}
    return noted


def texts_of(thresholds: Thresholds) -> dict[str, str]:
    """Return thresholds as `remember` takes them."""
    return {name: str(value) for name, value in asdict(thresholds).items()}


def judged(
    asked: Queries, watched: Mapping[str, str], backlog: Backlog | None, now: datetime
) -> Readings:
    """Tell how far each alarm is.

    Args:
        asked: The tables.
        watched: What the last run noted (`remembered`); the defaults where it noted nothing.
        backlog: What lies in the folder; None where it can't be seen.
        now: The time of the judgement.
    """
    limits = _thresholds(watched)
    sql = resources("qanat.runtime").joinpath("alarms.sql").read_text(encoding="utf-8")
    since = now - timedelta(seconds=limits.window_s)
    (told,) = asked.query(sql, {"since": since}).to_pylist()
    folder = backlog or Backlog()
    files = told["waiting_files"] + folder.files
    came = [moment for moment in (told["last_at"], folder.newest_at) if moment is not None]
    if not came and FIRST_RUN in watched:
        came = [datetime.fromisoformat(watched[FIRST_RUN])]
    readings = (
        _silence(_age_s(max(came, default=None), now), limits),
        _failed(told["failed"], limits),
        _dead_share(told, limits),
        _lag_bytes(files, int(told["waiting_bytes"]) + folder.size_bytes, limits),
        _lag_age(told["waiting_since"], folder.oldest_at, now, limits),
    )
    return Readings(readings, files, backlog is not None)


def _thresholds(watched: Mapping[str, str]) -> Thresholds:
    values = {
        field.name: type(getattr(DEFAULT, field.name))(watched[field.name])
        for field in fields(Thresholds)
        if field.name in watched
    }
    return Thresholds(**values)


def _silence(age_s: float | None, limits: Thresholds) -> Reading:
    text = "no file came yet" if age_s is None else f"no file came for {span(age_s)}"
    return Reading(Alarm.SILENCE, age_s, limits.silence_s, text)


def _failed(count: int, limits: Thresholds) -> Reading:
    files = "1 file" if count == 1 else f"{count:,} files"
    text = f"{files} failed or held within {span(limits.window_s)}"
    return Reading(Alarm.FAILED, count, limits.failed, text)


def _dead_share(told: Mapping[str, Any], limits: Thresholds) -> Reading:
    letters, lines = told["letters"], int(told["lines"])
    # Letters of files that were undone or failed since have no lines here.
    share = letters / max(letters, lines, 1)
    text = f"{share:.2%} of the lines within {span(limits.window_s)} are open dead letters"
    return Reading(Alarm.DEAD_SHARE, share, limits.dead_share, text)


def _lag_bytes(files: int, size_bytes: int, limits: Thresholds) -> Reading:
    named = "1 file waits" if files == 1 else f"{files:,} files wait"
    return Reading(Alarm.LAG_BYTES, size_bytes, limits.lag_bytes, f"{named}, {size_bytes:,} bytes")


def _lag_age(
    registered: datetime | None, found: datetime | None, now: datetime, limits: Thresholds
) -> Reading:
    oldest = min((moment for moment in (registered, found) if moment is not None), default=None)
    age_s = _age_s(oldest, now) or 0.0
    text = "nothing waits" if oldest is None else f"a file waits for {span(age_s)}"
    return Reading(Alarm.LAG_AGE, age_s, limits.lag_age_s, text)


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    # Not below 0: the clocks of two machines differ.
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def span(seconds: float) -> str:
    """Write a span of time for people, in its two largest units."""
    left, told = int(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            told.append(f"{count} {unit}")
        if len(told) == 2 or (told and not count):
            break
    return " ".join(told) or "0 s"
