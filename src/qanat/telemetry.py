"""What a run tells of itself: events (one line each, fields and not sentences) and metrics, both declared here once.

The core only counts. Rendering for Prometheus is `serve/metrics.py`, and loads its library only there.
"""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TextIO

LOGGER = logging.getLogger("qanat")

EVENTS: dict[str, str] = {
    "stage.started": "a stage begins to work",
    "stage.stopped": "a stage has ended; `reason` when it was an error",
    "stage.retried": "an attempt failed for now and will be done again",
    "stage.fenced": "another instance moved this stage on",
    "commit.looked_up": "the reply to COMMIT was lost; the outcome was asked for",
    "file.registered": "a new file was entered",
    "file.planned": "a large file was cut into parts or key ranges",
    "file.part_staged": "a part's sums are staged",
    "file.counted": "a file was counted, wholly",
    "file.held": "a file wasn't counted: its content was counted under another name",
    "file.failed": "a file wasn't counted",
    "file.settled": "a file was moved, kept or deleted after its commit",
    "file.not_settled": "a counted file couldn't be moved; it is tried again at the next start",
    "announce.listening": "writers can announce files on a socket",
    "announce.answered": "a writer announced a file, and was told what becomes of it, or why it isn't taken",
    "folder.rebound": "the folder was used with another store before",
    "folder.problem": "something in the folder can't be used",
    "remote.fetched": "a remote file was fetched; `resumed_at` is the byte at which it went on",
    "remote.changed": "a remote file changed or vanished while it was fetched",
    "remote.retried": "the server couldn't be reached, or broke off; it is tried again",
    "topic.trimmed": "a topic forgot records; `held` of those due to go stay, for the reader `held_by`",
    "source.connected": "a stream is read; `resumed` when from where it was left",
    "source.disconnected": "a stream's connection ended; `reason` why, `events` what it gave",
    "source.retried": "a stream can't be read for now; it is tried again `after_s` later",
    "source.gap": "a stream's history doesn't reach back, and it was allowed to go on: events of `topic` may be missing",
    "source.event_cut": "events of a stream were larger than the limit, and were cut",
    "transform.started": "a stage's large batches are transformed by a process of its own from now on",
    "transform.died": "that process has died; its batch is done in the stage's thread",
    "transform.in_thread": "a stage's batches are transformed in its thread for good; `reason` why not beside it",
    "rollup.done": "usage was rolled up",
    "report.made": "a report was made when its window was over",
    "report.remade": "a report was made anew after late events; `revision` stays where nothing changed",
    "report.failed": "a report can't be computed; it is tried again",
    "backfill.started": "a table is being rebuilt beside the live one",
    "backfill.caught_up": "rows that came meanwhile were added to a rebuilt table",
    "backfill.swapped": "a rebuilt table has taken the live one's place",
    "owner.listening": "this process answers for the store it holds",
    "serve.listening": "the HTTP service answers",
    "service.stalled": "a stage got nowhere for too long: the watchdog gets no sign of life",
    "service.stop_forced": "an orderly stop took too long, or was asked for again: the process ends",
    "service.unheard": "the service manager can't be told something",
    "settings.reloaded": "settings were read again; `changed` names those that hold from now on",
    "settings.need_restart": "settings that were changed hold from the next start on",
    "settings.refused": "settings weren't taken over because of a mistake; nothing changed",
    "supervise.started": "a supervised run was started",
    "supervise.ready": "a supervised run is at work",
    "supervise.ended": "a supervised run has ended; `reason` when it died",
    "supervise.hung": "a supervised run gave no sign of life, and is ended",
    "death.told": "somebody was told that a run has died",
    "death.not_told": "an attempt to tell that a run has died failed",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its kind, its help, the labels that tell its series apart."""

    kind: Literal["counter", "gauge"]
    about: str
    labels: tuple[str, ...] = ()


METRICS: dict[str, Metric] = {
    "qanat_commits_total": Metric("counter", "Transactions committed", ("pipeline", "stage")),
    "qanat_commit_seconds_total": Metric(
        "counter",
        "Time spent from the first write of a transaction to its commit",
        ("pipeline", "stage"),
    ),
    "qanat_retries_total": Metric(
        "counter", "Attempts that were rolled back and done again", ("pipeline", "stage")
    ),
    "qanat_fenced_total": Metric(
        "counter", "Attempts lost to another instance", ("pipeline", "stage")
    ),
    "qanat_records_read_total": Metric(
        "counter", "Records read, bad ones included, in committed work", ("pipeline", "stage")
    ),
    "qanat_records_rejected_total": Metric(
        "counter", "Dead letters written", ("pipeline", "stage")
    ),
    "qanat_bytes_read_total": Metric(
        "counter",
        "Bytes read, those of attempts that were done again included",
        ("pipeline", "stage"),
    ),
    "qanat_files_total": Metric("counter", "Files that came to an end", ("pipeline", "state")),
    "qanat_announcements_total": Metric(
        "counter", "Files that writers announced, by the answer", ("pipeline", "answer")
    ),
    "qanat_last_commit_timestamp_seconds": Metric(
        "gauge", "When the last transaction committed (Unix time)", ("pipeline", "stage")
    ),
}

READINGS: dict[str, Metric] = {
    "qanat_alarm": Metric(
        "gauge",
        "1 while the alarm rings, 0 while it doesn't; no series where it is switched off",
        ("pipeline", "alarm"),
    ),
    "qanat_silence_seconds": Metric(
        "gauge", "Since the last file came, or since the first run", ("pipeline",)
    ),
    "qanat_recent_failed_files": Metric(
        "gauge", "Files that failed, or are held, within the window of the alarms", ("pipeline",)
    ),
    "qanat_recent_dead_share_ratio": Metric(
        "gauge",
        "Open dead letters, of all lines that were counted within the window of the alarms",
        ("pipeline",),
    ),
    "qanat_lag_files": Metric(
        "gauge", "Files that are registered or in the folder, and not ended", ("pipeline",)
    ),
    "qanat_lag_bytes": Metric("gauge", "Bytes of these files", ("pipeline",)),
    "qanat_lag_seconds": Metric(
        "gauge", "Since the oldest of these files came; 0 when there is none", ("pipeline",)
    ),
    "qanat_folder_seen": Metric(
        "gauge",
        "1 where the folder could be listed; 0 where the lag is that of registered files alone",
        ("pipeline",),
    ),
}
"""What is read from the tables and the folder whenever it is asked for, by whichever process."""

READINGS_BY_ALARM: dict[str, str] = {
    "silence": "qanat_silence_seconds",
    "failed": "qanat_recent_failed_files",
    "dead_share": "qanat_recent_dead_share_ratio",
    "lag_bytes": "qanat_lag_bytes",
    "lag_age": "qanat_lag_seconds",
}
"""Which of them each alarm goes by."""

STATES: dict[str, Metric] = {
    "qanat_stage_records": Metric(
        "gauge",
        "Records that a stage has read since it started; of a pipeline of files, since the first",
        ("pipeline", "stage", "instance"),
    ),
    "qanat_stage_lag_records": Metric(
        "gauge",
        "Records (of a pipeline of files: files) that wait; no series where that is unknown",
        ("pipeline", "stage", "instance"),
    ),
    "qanat_stage_stalled_seconds": Metric(
        "gauge",
        "Since when a stage should move and doesn't; 0 while it does",
        ("pipeline", "stage", "instance"),
    ),
    "qanat_report_age_seconds": Metric(
        "gauge", "Since the newest of a stored report was made", ("pipeline", "report")
    ),
    "qanat_report_stale": Metric(
        "gauge", "1 while a stored report is overdue", ("pipeline", "report")
    ),
}
"""How stages and stored reports are doing, as the tables tell it."""

Labels = tuple[tuple[str, str], ...]


class Telemetry:
    """The counters and gauges of one process. Any thread may use it."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, Labels], float] = {}
        self._lock = threading.Lock()

    def count(self, metric: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = self._key(metric, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + by

    def gauge(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        key = self._key(metric, labels)
        with self._lock:
            self._values[key] = value

    def values(self) -> Iterator[tuple[str, Labels, float]]:
        """Return every series that has a value: the metric's name, its labels, the value."""
        with self._lock:
            copy = sorted(self._values.items())
        return ((name, labels, value) for (name, labels), value in copy)

    @staticmethod
    def _key(metric: str, labels: dict[str, str]) -> tuple[str, Labels]:
        expected = METRICS[metric].labels
        if set(labels) != set(expected):
            raise KeyError(f"{metric} has the labels {expected}, not {tuple(labels)}")
        return metric, tuple((name, labels[name]) for name in expected)


def log(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one event. Fields must never hold a payload, a password, or a URL with one."""
    if event not in EVENTS:
        raise KeyError(f"{event!r} isn't in telemetry.EVENTS")
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, extra={"fields": fields})


class _Lines(logging.Formatter):
    """`time level event key=value …`, or one JSON object per line."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = getattr(record, "fields", {})
        line: dict[str, object] = {
            "at": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if self._as_json:
            return json.dumps(line, default=str, ensure_ascii=False)
        return " ".join(
            [*map(str, list(line.values())[:3]), *(f"{k}={v}" for k, v in fields.items())]
        )


def log_to(stream: TextIO | None = None, *, as_json: bool = False, level: str = "info") -> None:
    """Send events to `stream` (standard error), as lines of text or of JSON. Replaces an earlier call's choice."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Lines(as_json=as_json))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False
