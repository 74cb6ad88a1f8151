"""Metrics for Prometheus: the counters of a run, and what the store itself tells."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qanat.clock import Clock
from qanat.pipeline import Pipeline
from qanat.runtime.alarms import Readings
from qanat.session import Session
from qanat.telemetry import METRICS, READINGS, READINGS_BY_ALARM, Telemetry
from qanat.wiring import readings_of

# What a look into the store tells, whoever runs: metric, its help, its SQL (columns: value, and a label if it has one).
STORED: dict[str, tuple[str, str, str | None]] = {
    "qanat_stored_files": (
        "Files by state",
        "select state as label, count(*) as value from files group by state",
        "state",
    ),
    "qanat_stored_bytes_waiting": (
        "Bytes of the files that aren't ended yet",
        "select coalesce(sum(size), 0) as value from files where state = 'registered'",
        None,
    ),
    "qanat_stored_lines": (
        "Lines of counted files, by whether they were good",
        """
        select 'good' as label, coalesce(sum(lines_good), 0) as value from files where state = 'counted'
        union all
        select 'bad', coalesce(sum(lines_bad), 0) from files where state = 'counted'
        """,
        "quality",
    ),
    "qanat_stored_dead_letters": (
        "Dead letters by state",
        "select state as label, count(*) as value from dead_letters group by state",
        "state",
    ),
}


def rendered(
    pipeline: Pipeline, session: Session, telemetry: Telemetry | None, clock: Clock
) -> str:
    """Return the metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stored(pipeline, session))
    readings = readings_of(pipeline, session, clock.now())
    if readings is not None:
        registry.register(_Readings(pipeline, readings))
    if telemetry is not None:
        registry.register(_Run(telemetry))
    return generate_latest(registry).decode()


class _Run(Collector):
    """The counters of the run in this process."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, labels, value in self._telemetry.values():
            metric = METRICS[name]
            if name not in families:
                family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                families[name] = family(name, metric.about, labels=metric.labels)
            families[name].add_metric([text for _, text in labels], value)
        yield from families.values()


class _Stored(Collector):
    """What the store tells."""

    def __init__(self, pipeline: Pipeline, session: Session) -> None:
        self._pipeline, self._session = pipeline, session

    def collect(self) -> Iterator[Metric]:
        for name, (about, sql, label) in STORED.items():
            labels = ["pipeline"] if label is None else ["pipeline", label]
            family = GaugeMetricFamily(name, about, labels=labels)
            for row in self._session.query(sql).to_pylist():
                named = [] if label is None else [str(row["label"])]
                family.add_metric([self._pipeline.name, *named], float(row["value"]))
            yield family


class _Readings(Collector):
    """What the tables and the folder say about each alarm."""

    def __init__(self, pipeline: Pipeline, readings: Readings) -> None:
        self._pipeline, self._readings = pipeline, readings

    def collect(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(name, metric.about, labels=metric.labels)
            for name, metric in READINGS.items()
        }
        place = [self._pipeline.name]
        for reading in self._readings.alarms:
            if reading.value is not None:
                families[READINGS_BY_ALARM[reading.alarm]].add_metric(place, reading.value)
            if reading.threshold:
                families["qanat_alarm"].add_metric([*place, reading.alarm], float(reading.rings))
        families["qanat_lag_files"].add_metric(place, self._readings.lag_files)
        families["qanat_folder_seen"].add_metric(place, float(self._readings.folder_seen))
        yield from families.values()
